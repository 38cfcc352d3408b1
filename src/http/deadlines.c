// SPDX-License-Identifier: MIT
#include "http/deadlines.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

// Of a unix socket's peers all zeros.
static void note_address(struct deadline *deadline, const struct sockaddr *from)
{
    if (from != NULL && from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
        memcpy(deadline->from, &in->sin_addr, sizeof in->sin_addr);
    } else if (from != NULL && from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
        memcpy(deadline->from, &in6->sin6_addr, sizeof in6->sin6_addr);
    }
}

static void make_room(struct deadlines *deadlines, const struct deadline *fresh)
{
    struct deadline *longest = NULL;
    int count = 1;
    for (struct deadline *d = deadlines->first; d != NULL; d = d->next) {
        if (memcmp(d->from, fresh->from, sizeof d->from) != 0) {
            continue;
        }
        count++;
        if (d->is_awaited && (longest == NULL || !mono_before(longest->at, d->at))) {
            longest = d; // the newest come first in the list
        }
    }
    if (count > deadlines->from_one_most && longest != NULL) {
        longest->is_awaited = false;
        shutdown(longest->fd, SHUT_RDWR);
    }
}

struct deadline *deadlines_add(struct deadlines *deadlines, int fd, const struct sockaddr *from)
{
    struct deadline *deadline = alloc_zero(1, sizeof *deadline);
    deadline->fd = fd;
    deadline->is_awaited = true;
    note_address(deadline, from);
    make_room(deadlines, deadline);
    deadlines_push(deadlines, deadline);
    deadline->next = deadlines->first;
    if (deadline->next != NULL) {
        deadline->next->previous = deadline;
    }
    deadlines->first = deadline;
    deadlines->count++;
    return deadline;
}

void deadlines_remove(struct deadlines *deadlines, struct deadline *deadline)
{
    if (deadline->previous != NULL) {
        deadline->previous->next = deadline->next;
    } else {
        deadlines->first = deadline->next;
    }
    if (deadline->next != NULL) {
        deadline->next->previous = deadline->previous;
    }
    deadlines->count--;
    free(deadline);
}

void deadlines_push(struct deadlines *deadlines, struct deadline *deadline)
{
    deadline->at = mono_add(clock_mono(deadlines->clock), deadlines->limit);
}

bool deadlines_left(const struct deadlines *deadlines, struct duration *left_out)
{
    if (deadlines->first == NULL) {
        return false;
    }
    struct mono first = deadlines->first->at;
    for (const struct deadline *d = deadlines->first->next; d != NULL; d = d->next) {
        first = mono_before(d->at, first) ? d->at : first;
    }
    struct duration left = mono_since(first, clock_mono(deadlines->clock));
    *left_out = left.us < 0 ? DURATION_US(0) : left;
    return true;
}

void deadlines_enforce(struct deadlines *deadlines)
{
    if (deadlines->first == NULL) {
        return;
    }
    struct mono now = clock_mono(deadlines->clock);
    for (struct deadline *d = deadlines->first; d != NULL; d = d->next) {
        if (!mono_before(now, d->at)) {
            shutdown(d->fd, SHUT_RDWR);
            deadlines_push(deadlines, d);
        }
    }
}
