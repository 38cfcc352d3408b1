// SPDX-License-Identifier: MIT
// What the store said to the proposals of one turn, and what follows: runs begin, slots are told of
// as passed over, operators get their answers, each job goes on to its next slot.
#include "engine/engine_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

static void batch_free(struct decide_batch *batch)
{
    free(batch->proposals);
    free(batch->decide.slots);
    link_free(&batch->decide.op);
}

// What the verdict on one proposal leads to; the caller has taken it out of the counts.
static void verdict_claimed(struct engine *engine, const struct proposal *p,
                            const struct store_slot *slot)
{
    struct engine_run_live *run = run_claimed(engine, p->job, slot);
    if (p->manual != NULL) {
        char id[UUID_TEXT_SIZE];
        uuid_format(slot->run_id, id);
        answer_run(engine, p->manual->intent_id, slot->run_id, id);
    }
    run_start(run, p->manual == NULL ? NULL : p->manual->params);
}

// Another node stands behind it, or a stranger who has the job's lock, of whom the rows know
// nothing: no end of a run here will wake this slot.
static void blocked_elsewhere(struct engine *engine, struct engine_job *job)
{
    if (!engine->options.alone && !decide_overlaps(job)) {
        job->runs_elsewhere = true;
        job->known = 0;
        job->not_before = instant_add(engine_now(engine), LOCKED_AGAIN);
    }
}

static void verdict_written(struct engine *engine, const struct proposal *p,
                            const struct store_slot *slot)
{
    const struct engine_events *events = engine->options.events;
    const struct job *job = p->job->job;
    if (slot->decision == DECIDE_WAIT) {
        after_add(engine, p->job, slot->due_at, slot->wait_until, slot->trigger);
        return;
    }
    if (slot->decision == DECIDE_DRY_RUN) {
        struct engine_run facts = {.job = job,
                                   .run_id = slot->run_id,
                                   .due_at = slot->due_at,
                                   .attempt = slot->attempt,
                                   .trigger = slot->trigger,
                                   .started_at = slot->started_at};
        events->on_ended(events->context, &facts, RUN_DRY_RUN, FAILURE_NONE, DURATION_S(0), NULL);
        if (p->manual != NULL) {
            answer_run(engine, p->manual->intent_id, slot->run_id, "dry-run");
        }
        return;
    }
    if (slot->trigger == TRIGGER_RETRY) {
        return; // an open slot was given up
    }
    enum slot_outcome outcome = slot->decision == DECIDE_SKIP ? SLOT_SKIPPED : SLOT_MISSED;
    events->on_passed_over(events->context, job, slot->due_at, outcome, slot->reason);
}

static void verdict_overlap(struct engine *engine, const struct proposal *p,
                            const struct store_slot *slot)
{
    const struct engine_events *events = engine->options.events;
    struct engine_job *job = p->job;
    if (p->manual != NULL) {
        char why[300];
        snprintf(why, sizeof why,
                 "a run of this job is going on, and with overlap: %s a manual one does not start "
                 "beside it; wait for it, or end it: ironcron runs cancel --job %s",
                 job_overlap_name(job->job->overlap), job->job->name);
        answer_refuse(engine, p->manual->intent_id, why);
    } else if (p->backfill != NULL) {
        return; // it looks for another gap by itself
    } else if (p->retry != NULL) {
        retry_add(engine, job, slot->due_at, slot->attempt,
                  instant_add(engine_now(engine), DURATION_S(1)));
    } else if (p->after != NULL) {
        after_keep(engine, p->after);
    } else if (slot->skip_on_overlap) {
        events->on_passed_over(events->context, job->job, slot->due_at, SLOT_SKIPPED,
                               REASON_OVERLAP);
    } else {
        blocked_elsewhere(engine, job);
        decide_wait(engine, job, slot->due_at, slot->trigger, WAIT_OVERLAP);
        if (job->runs_elsewhere && job->job->overlap == JOB_OVERLAP_REPLACE &&
            slot->trigger == TRIGGER_SCHEDULE) {
            replace_older(engine, job);
        }
    }
}

// A manual run is there already when it was claimed by a node that died before it could say so.
static void verdict_taken(struct engine *engine, const struct proposal *p,
                          const struct store_slot *slot)
{
    p->job->known = 0; // others decide its slots, too
    if (p->manual == NULL) {
        return;
    }
    if (p->manual->attempt == 0 || slot->fence > 0) {
        answer_run(engine, p->manual->intent_id, slot->run_id, "claimed by a node that died since");
    } else {
        answer_refuse(engine, p->manual->intent_id,
                      "its slot has not ended badly, or has been tried again meanwhile");
    }
}

static void proposal_close(struct engine *engine, const struct proposal *p)
{
    p->job->in_flight--;
    engine->in_flight--;
    engine->claims -= p->for_claim;
    if (p->retry != NULL) {
        retry_free(engine, p->retry);
    }
    if (p->after != NULL && p->after->proposed) {
        after_free(engine, p->after);
    }
    after_changed(engine, p->job);
    engine_manual_free(p->manual);
}

static void tell_of_holder(struct engine *engine, struct engine_job *job,
                           const struct store_slot *slot)
{
    const struct engine_events *events = engine->options.events;
    bool kept = slot->verdict == VERDICT_OVERLAP || slot->verdict == VERDICT_LOCKED;
    bool kept_back = kept && slot->holder != NULL;
    if (kept_back != job->kept_back && (kept_back || slot->verdict == VERDICT_CLAIMED)) {
        job->kept_back = kept_back;
        events->on_kept_back(events->context, job->job, slot->holder);
    }
}

static void proposal_judge(struct engine *engine, const struct proposal *p,
                           const struct store_slot *slot)
{
    static const enum engine_lock_result locks[] = {[VERDICT_CLAIMED] = LOCK_WON,
                                                    [VERDICT_TAKEN] = LOCK_TAKEN,
                                                    [VERDICT_OVERLAP] = LOCK_OVERLAP};
    const struct engine_events *events = engine->options.events;
    if (p->backfill != NULL) {
        backfill_verdict(p->backfill, slot);
    }
    if (slot->decision == DECIDE_RUN) {
        bool kept_back = slot->verdict == VERDICT_OVERLAP && slot->holder != NULL;
        events->on_lock(events->context, p->job->job,
                        kept_back ? LOCK_ERROR : locks[slot->verdict]);
        tell_of_holder(engine, p->job, slot);
    }
    p->job->booted = p->job->booted || slot->verdict != VERDICT_TAKEN;
    switch (slot->verdict) {
    case VERDICT_CLAIMED:
        verdict_claimed(engine, p, slot);
        break;
    case VERDICT_WRITTEN:
        verdict_written(engine, p, slot);
        break;
    case VERDICT_OVERLAP:
        verdict_overlap(engine, p, slot);
        break;
    case VERDICT_TAKEN:
        verdict_taken(engine, p, slot);
        break;
    case VERDICT_LOCKED:
    case VERDICT_NONE:
        UNREACHABLE();
    }
}

// The store certainly did nothing: everything is as before the proposal and is proposed again
// later.
static void proposal_undo(struct engine *engine, const struct proposal *p,
                          const struct store_slot *slot, const struct store_op *op)
{
    const struct engine_events *events = engine->options.events;
    struct engine_job *job = p->job;
    if (slot->decision == DECIDE_RUN) {
        events->on_lock(events->context, job->job, LOCK_ERROR);
    }
    if (p->manual != NULL) {
        answer_refuse(engine, p->manual->intent_id, op->err.text);
    } else if (p->retry != NULL) {
        retry_add(engine, job, slot->due_at, slot->attempt,
                  instant_add(engine_now(engine), DURATION_S(1)));
    } else if (p->after != NULL) {
        after_keep(engine, p->after);
    } else if (p->backfill != NULL) {
        struct store_slot not_now = {.due_at = slot->due_at,
                                     .verdict =
                                         op->result == STORE_OK ? slot->verdict : VERDICT_NONE};
        backfill_verdict(p->backfill, &not_now);
    } else if (!instant_before(job->cursor, slot->due_at)) {
        // The first of the job's items of this batch is the earliest: it sets the cursor back.
        job->cursor = instant_add(slot->due_at, DURATION_US(-1));
        if (job->wait == WAIT_OVERLAP) {
            job->wait = WAIT_NONE;
        }
    }
}

// Somebody else's transaction has the job in hand, of which others may decide meanwhile. What is
// late is a case for the job's policy when it is over, not before.
static void stand_back(struct engine *engine, struct engine_job *job, const struct store_slot *slot)
{
    struct instant now = engine_now(engine);
    job->known = 0;
    job->not_before = instant_add(now, LOCKED_AGAIN);
    if (instant_since(now, slot->due_at).us > LATE_LIMIT.us) {
        job->miss_until = job->catchup_until = (struct instant){0};
    }
    tell_of_holder(engine, job, slot);
}

void verdict_explain_locked(const struct store_slot *slot, struct error *err)
{
    const char *holder = slot->holder == NULL ? "no session that can be named" : slot->holder;
    (void)error_set(err, ERROR_UNAVAILABLE,
                    "another session has the job in hand in the store, in a transaction that is "
                    "open (%s)",
                    holder);
    (void)error_mend(err, "try again once it has ended");
}

// Once nothing of the job is in the store any more its next slot is planned, or the waiting one
// tried.
void verdict_go_on(struct engine *engine, struct engine_job *job)
{
    if (job->in_flight > 0) {
        return;
    }
    if (job->removed) {
        return; // swept at the end of the turn
    }
    if (job->wait == WAIT_NONE ||
        (job->wait == WAIT_OVERLAP && job->waiting_trigger == TRIGGER_SCHEDULE &&
         !decide_is_ending(job))) {
        planner_plan(engine, job);
    }
    decide_waiting(engine, job);
}

// Nothing was written, since this node's definitions are not the active ones (any more): it asks
// which are, and its owner loads them.
static void note_outdated(struct engine *engine, struct decide_batch *batch)
{
    if (batch->decide.op.result == STORE_OK && batch->decide.outdated) {
        engine->fleet.outdated = true;
        fleet_tell(engine);
        (void)error_set(&batch->decide.op.err, ERROR_UNAVAILABLE,
                        "new definitions are coming into force; try again");
    }
}

static bool is_locked(const struct decide_batch *batch, size_t i)
{
    return batch->decide.op.result == STORE_OK && batch->decide.slots[i].verdict == VERDICT_LOCKED;
}

// Even of outdated definitions what an unknown commit had claimed is this node's.
static bool has_verdict(const struct decide_batch *batch, size_t i)
{
    return batch->decide.op.result == STORE_OK && !is_locked(batch, i) &&
           batch->decide.slots[i].verdict != VERDICT_NONE;
}

// What an unknown commit may have written, and nobody can say since somebody has the job in hand,
// stays unknown: it goes again by itself, the very same.
static void keep_in_doubt(struct engine *engine, struct decide_batch *batch)
{
    struct decide_batch *rest = decide_batch_new(engine);
    size_t count = batch->decide.slot_count;
    size_t left = 0;
    rest->doubtful = true;
    rest->decide.version = batch->decide.version;
    rest->decide.actor = batch->decide.actor;
    rest->decide.slots = alloc_zero(count, sizeof *rest->decide.slots);
    rest->proposals = alloc_zero(count, sizeof *rest->proposals);
    for (size_t i = 0; i < count; i++) {
        bool locked = is_locked(batch, i);
        struct decide_batch *to = locked ? rest : batch;
        size_t at = locked ? rest->decide.slot_count++ : left++;
        to->decide.slots[at] = batch->decide.slots[i];
        to->proposals[at] = batch->proposals[i];
    }
    batch->decide.slot_count = left;
    if (rest->decide.slot_count == 0) {
        batch_free(rest);
        return;
    }
    rest->decide.op.context = engine;
    link_hold_back(&rest->decide.op);
}

// The first of a job's items comes last: it sets the job back the furthest.
static void batch_judge(struct engine *engine, struct decide_batch *batch)
{
    size_t count = batch->decide.slot_count;
    for (size_t i = count; i-- > 0;) {
        const struct store_slot *slot = &batch->decide.slots[i];
        if (is_locked(batch, i)) {
            stand_back(engine, batch->proposals[i].job, slot);
            verdict_explain_locked(slot, &batch->decide.op.err);
        }
        if (!has_verdict(batch, i)) {
            proposal_undo(engine, &batch->proposals[i], slot, &batch->decide.op);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (has_verdict(batch, i)) {
            proposal_judge(engine, &batch->proposals[i], &batch->decide.slots[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        proposal_close(engine, &batch->proposals[i]);
    }
    for (size_t i = 0; i < count; i++) {
        // A job with several items goes on once, at its last one.
        if (i + 1 == count || batch->proposals[i + 1].job != batch->proposals[i].job) {
            verdict_go_on(engine, batch->proposals[i].job);
        }
    }
}

void verdict_on_done(struct store_op *op)
{
    struct decide_batch *batch = CONTAINER_OF(op, struct decide_batch, decide.op);
    struct engine *engine = op->context;
    engine->busy = true;
    link_answered(op);
    if (op->result == STORE_REFUSED) {
        fleet_tell(engine); // was this node fenced?
    }
    batch->doubtful = batch->doubtful || op->result == STORE_UNKNOWN;
    bool unanswered = op->result == STORE_UNKNOWN || op->result == STORE_UNAVAILABLE;
    if (batch->doubtful && unanswered) {
        // Settled by submitting the very same once more: it conflicts with what may have been done.
        // That this did not reach the store says nothing of the time before.
        link_hold(op);
        return;
    }
    if (batch->doubtful) {
        keep_in_doubt(engine, batch);
    }
    note_outdated(engine, batch);
    engine->unsealed = engine->unsealed || op->result == STORE_OK;
    batch_judge(engine, batch);
    batch_free(batch);
}
