// SPDX-License-Identifier: MIT
#include "store/store.h"

#include <poll.h>
#include <stdio.h>

#include "base/check.h"

#define CALL_LOOK_MS 100

const char *store_control_name(enum store_control_kind kind)
{
    static const char *const names[CONTROL_KIND_COUNT] = {"pause", "dry-run", "throttle"};
    CHECK(kind < CONTROL_KIND_COUNT);
    return names[kind];
}

const char *store_intent_name(enum store_intent_kind kind)
{
    static const char *const names[INTENT_KIND_COUNT] = {"run",   "cancel", "reload", "backfill",
                                                         "retry", "drain",  "resume"};
    CHECK(kind < INTENT_KIND_COUNT);
    return names[kind];
}

void store_intent_for_node(const char *node, char params_out[STORE_INTENT_NODE_SIZE])
{
    snprintf(params_out, STORE_INTENT_NODE_SIZE, "{\"node\":\"%s\"}", node);
}

void store_op_release(struct store_op *op)
{
    arena_release(&op->arena);
}

// Set by call_done in place of a caller's context: the call is over as soon as `done` is cleared.
static void call_done(struct store_op *op)
{
    op->done = NULL;
}

bool store_wait(struct store *store, int most_ms)
{
    struct store_wants wants[STORE_WANTS_MAX];
    struct pollfd fds[STORE_WANTS_MAX];
    size_t count = store->ops->wants == NULL ? 0 : store->ops->wants(store, wants);
    for (size_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = wants[i].fd,
                                 .events = (short)(POLLIN | (wants[i].writable ? POLLOUT : 0))};
    }
    if (count > 0) {
        (void)poll(fds, (nfds_t)count, most_ms);
    }
    return count > 0;
}

// Until something comes, but not for ever: deadlines are the pump's. False: nothing is on its way.
static bool wait_for(struct store *store)
{
    return store_wait(store, CALL_LOOK_MS);
}

void store_settle(struct store *store)
{
    while (store_pump(store) || wait_for(store)) {
    }
}

bool store_call(struct store *store, struct store_op *op, struct error *err)
{
    op->done = call_done;
    store_submit(store, op);
    while (op->done != NULL) {
        if (!store_pump(store) && op->done != NULL) {
            (void)wait_for(store);
        }
    }
    if (op->result == STORE_OK) {
        return true;
    }
    *err = op->err;
    store_op_release(op);
    return false;
}
