// SPDX-License-Identifier: MIT
// What every operation of the store port has (store/store.h, which its users include).
#pragma once

#include "base/arena.h"
#include "base/error.h"

enum store_op_kind {
    STORE_JOIN,
    STORE_LOAD,
    STORE_PUBLISH,
    STORE_DECIDE,
    STORE_FINISH,
    STORE_OUTPUT,
    STORE_CONTROL,
    STORE_INTENT_PUT,
    STORE_INTENT_TAKE,
    STORE_INTENT_END,
    STORE_AUDIT,
    STORE_SEAL,
    STORE_PRUNE,
    STORE_BEAT,
    STORE_LEAVE,
    STORE_SLOTS,
    STORE_INTENT_NOTE,
    STORE_FENCE,
    STORE_MARKS,
    STORE_INTENT_OWN,
    STORE_VERSION,
    STORE_DEFINITIONS,
    STORE_IDENTITY,
    STORE_REPORT,
    STORE_OP_COUNT
};

enum store_result {
    STORE_OK,
    // certainly not done: busy, full, read-only, connection refused; err says why
    STORE_UNAVAILABLE,
    STORE_UNKNOWN, // may be done or not: submit the same again
    // a guard said no to the whole operation (this node was fenced, bad input); final
    STORE_REFUSED,
};

struct store_op {
    enum store_op_kind kind;
    void (*done)(struct store_op *op);
    void *context;            // the caller's own
    enum store_result result; // out
    struct error err;         // out, unless STORE_OK
    // out: UNAVAILABLE, and only because somebody else's transaction has rows in hand that it needs
    bool locked_out;
    struct arena arena;    // the store's memory for outputs; freed by store_op_release
    struct store_op *next; // the store's own
};
