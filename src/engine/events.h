// SPDX-License-Identifier: MIT
// What the engine tells those who watch (metrics, logs, later alerts): each call after the commit
// that it tells of, so that numbers never run ahead of the ledger. The engine calls every member:
// who cares for some only goes through observe's fanout.
#pragma once

#include <stddef.h>

#include "base/uuid.h"
#include "job/job.h"
#include "job/run.h"
#include "store/store.h"

struct engine_run { // a run as the watchers see it
    const struct job *job;
    struct uuid run_id;
    struct instant due_at;
    int attempt;
    enum run_trigger trigger;
    int64_t fence;
    struct instant started_at;
};

enum engine_lock_result { LOCK_WON, LOCK_TAKEN, LOCK_OVERLAP, LOCK_ERROR };

struct engine_outage { // the store did not answer
    struct instant since;
    struct duration lasted; // so far
};

struct engine_events {
    void *context;
    // Claim committed. delay = started_at - due_at.
    void (*on_started)(void *context, const struct engine_run *run, struct duration delay);
    // The runner reported that the process exists; queue = since the claim.
    void (*on_handed_over)(void *context, const struct engine_run *run, struct duration queue);
    // The end is committed. `failure` is FAILURE_NONE for success, dry-run and cancelled.
    void (*on_ended)(void *context, const struct engine_run *run, enum run_state state,
                     enum run_failure failure, struct duration duration, const char *error);
    // SKIPPED or MISSED is committed.
    void (*on_passed_over)(void *context, const struct job *job, struct instant due_at,
                           enum slot_outcome outcome, enum slot_reason reason);
    void (*on_lock)(void *context, const struct job *job, enum engine_lock_result result);
    // A write by a stale fence was refused; its processes have been killed.
    void (*on_stale)(void *context, const struct engine_run *run);
    // The store does not answer (err) or does again (err NULL).
    void (*on_store)(void *context, const struct error *err, const struct engine_outage *outage);
    // This node has declared another one dead (STORE_FENCE): what that one may have left on the
    // databases of jobs is to be ended.
    void (*on_fenced)(void *context, struct uuid node);
    // Claims of the job are kept back by a session that is no node's, and has its lock; `holder`
    // says whose, and how it is ended. Once; then NULL, when one succeeds again.
    void (*on_kept_back)(void *context, const struct job *job, const char *holder);
};
