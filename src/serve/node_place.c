// SPDX-License-Identifier: MIT
#include "serve/node_place.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "runner/process_runner.h"
#include "serve/node_lock.h"

#define LOCK_WAIT DURATION_S(90)

bool node_place_sign(const struct node *node, uint64_t mark, struct error *err)
{
    struct node_lock_holder mine = {
        .pid = getpid(), .started_at = clock_now(node->clock), .mark = mark};
    bool joined = node->engine != NULL && engine_has_joined(node->engine);
    bool keeps = !joined && !uuid_is_nil(node->predecessor);
    uuid_format(keeps ? node->predecessor : node->id, mine.node);
    snprintf(mine.host, sizeof mine.host, "%s", node->host);
    snprintf(mine.command, sizeof mine.command, "%s", node->options.command);
    return node_lock_sign(node->lock_fd, &mine, err);
}

// Where scheduler and runner were killed together nobody ended what they ran, and the lock is free
// all the same.
static bool end_left(uint64_t mark)
{
    int left = mark == 0 ? 0 : process_runner_end_left(mark);
    if (left > 0) {
        LOG(LOG_ERROR, "processes_left",
            "%d processes of the node before could not be ended: they hang inside the kernel, or "
            "belong to a user whom this one may not signal",
            left);
    }
    return true;
}

// Where the scheduler before has died, its runner may still be ending what it ran: that is waited
// for.
bool node_place_take(struct node *node, struct error *err)
{
    const char *store_path = node->loaded->config->store_path;
    struct node_lock_holder holder = {.pid = 0};
    struct mono until = mono_add(clock_mono(node->clock), LOCK_WAIT);
    bool told = false;
    while (!node_lock_take(store_path, &node->lock_fd, &holder, err)) {
        bool gone = err->code == ERROR_REFUSED && holder.pid > 0 && kill(holder.pid, 0) != 0 &&
                    errno == ESRCH;
        if (!gone || !mono_before(clock_mono(node->clock), until)) {
            return false;
        }
        if (!told) {
            LOG(LOG_WARN, "waiting_for_lock", "%s; waiting for it", err->text);
            told = true;
        }
        error_reset(err);
        usleep(100 * 1000);
    }
    // Elsewhere than where it was signed a free lock says nothing of that node: it may live.
    bool proves = !holder.is_copy && strcmp(holder.host, node->host) == 0;
    holder.mark = holder.is_copy ? 0 : holder.mark;
    if (!proves || !uuid_parse(holder.node, &node->predecessor)) {
        node->predecessor = (struct uuid){0};
    }
    return node_place_sign(node, holder.mark, err) && end_left(holder.mark);
}
