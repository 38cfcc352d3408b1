// SPDX-License-Identifier: MIT
// Part of engine/engine_private.h: what this node proposes to the store, and what the store says.
#pragma once

#include "engine/engine.h"

struct engine_job;
struct engine_retry;
struct engine_after;
struct engine_backfill;

enum engine_wait {
    WAIT_NONE,
    WAIT_OVERLAP,  // for the running run to end (overlap: queue, replace; a catch-up that must not
                   // overlap)
    WAIT_CAPACITY, // for one of max_running places
};

struct engine_backfill_run { // a slot of a backfill that is to be claimed; borrowed for the call
    struct engine_backfill *backfill;
    const char *actor;
    struct instant due_at;
    int attempt;
    struct uuid run_id;
    bool dry_run;
};

struct engine_manual {     // an intent to run a job, or to try a slot again, that is being claimed
    struct instant due_at; // of the slot to be tried again …
    int attempt;           // … for this time; 0 = a run without a slot
    struct uuid intent_id;
    char *actor;
    char *params; // JSON or NULL
    char *detail; // for the audit
};

struct proposal { // what one item of a decide operation is about
    struct engine_job *job;
    struct engine_retry *retry;       // or NULL
    struct engine_after *after;       // or NULL
    struct engine_manual *manual;     // or NULL
    struct engine_backfill *backfill; // or NULL
    bool for_claim;                   // counts against capacity
};

struct decide_batch {
    struct store_op_decide decide; // first: the store's callback gets &decide.op
    struct proposal *proposals;
    size_t capacity;
    bool doubtful; // an answer of it was lost
};

// decide.c
void decide_due(struct engine *engine, struct engine_job *job, struct instant now);
void decide_waiting(struct engine *engine, struct engine_job *job); // its turn may have come
void decide_ready(struct engine *engine);                           // capacity may have become free
void decide_retry(struct engine *engine, struct engine_retry *retry, struct instant now);
void decide_manual(struct engine *engine, struct engine_job *job, struct engine_manual *manual,
                   bool dry_run);
void decide_backfill(struct engine *engine, struct engine_job *job,
                     const struct engine_backfill_run *run);
void decide_flush(struct engine *engine);
struct decide_batch *decide_batch_new(struct engine *engine);
void decide_wait(struct engine *engine, struct engine_job *job, struct instant due,
                 enum run_trigger trigger, enum engine_wait wait);
bool decide_has_capacity(const struct engine *engine);
bool decide_is_dry(const struct engine *engine, const struct engine_job *job);

// What is not decided by the mark any more but by the waiting slot itself.
void decide_awaited(struct engine *engine, struct engine_after *after, enum store_decision decision,
                    enum slot_reason reason);
bool decide_overlaps(const struct engine_job *job);
bool decide_is_ending(const struct engine_job *job); // only ends are still to be written
bool decide_is_paused(const struct engine *engine, const struct engine_job *job);
bool decide_is_backfilling(const struct engine_job *job);

// verdict.c
void verdict_on_done(struct store_op *op);                         // of a decide_batch
void verdict_go_on(struct engine *engine, struct engine_job *job); // its next slot, or the waiting
void verdict_explain_locked(const struct store_slot *slot, struct error *err);
