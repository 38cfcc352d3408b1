// SPDX-License-Identifier: MIT
#include "http/deadlines.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/alloc.h"

struct deadline *deadlines_add(struct deadlines *deadlines, int fd)
{
    struct deadline *deadline = alloc_zero(1, sizeof *deadline);
    deadline->fd = fd;
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
