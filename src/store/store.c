// SPDX-License-Identifier: MIT
#include "store/store.h"

#include "base/check.h"

const char *store_control_name(enum store_control_kind kind)
{
    static const char *const names[CONTROL_KIND_COUNT] = {"pause", "dry-run", "throttle"};
    CHECK(kind < CONTROL_KIND_COUNT);
    return names[kind];
}

const char *store_intent_name(enum store_intent_kind kind)
{
    static const char *const names[INTENT_KIND_COUNT] = {"run", "cancel", "reload", "backfill",
                                                         "retry"};
    CHECK(kind < INTENT_KIND_COUNT);
    return names[kind];
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

bool store_call(struct store *store, struct store_op *op, struct error *err)
{
    op->done = call_done;
    store_submit(store, op);
    while (op->done != NULL) {
        (void)store_pump(store);
    }
    if (op->result == STORE_OK) {
        return true;
    }
    *err = op->err;
    store_op_release(op);
    return false;
}
