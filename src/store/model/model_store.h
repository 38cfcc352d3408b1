// SPDX-License-Identifier: MIT
// The store as a model in memory: what the real ones are compared with, and what the scheduler's
// tests run on. Can be told to fail.
#pragma once

#include "store/store.h"
#include "time/clock.h"

struct store *model_store_new(struct clock *clock);
// Another session on the same rows, as another node has one. The last one to close frees them.
struct store *model_store_attach(struct store *store);
// The store was started, or promoted, at that instant.
void model_store_up_since(struct store *store, struct instant since);

// A transaction of somebody else has the job in hand, whose session is named so; NULL = no more.
void model_store_hold(struct store *store, const char *job, const char *holder);
// Likewise, but what it has is the job's session lock, which runs take that forbid overlap.
void model_store_lock(struct store *store, const char *job, const char *holder);

// The session's next `count` commits end so (STORE_OK = normal again). UNKNOWN with `applied` has
// happened all the same. Affects every operation of the pump in which it strikes.
enum model_fault {
    MODEL_FAULT_NONE,
    MODEL_FAULT_UNAVAILABLE,
    MODEL_FAULT_UNKNOWN_APPLIED,
    MODEL_FAULT_UNKNOWN_LOST
};
void model_store_fault(struct store *store, enum model_fault fault, int count);
