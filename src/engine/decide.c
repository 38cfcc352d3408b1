// SPDX-License-Identifier: MIT
// What becomes of a due slot. Policy turns it into a proposal (run, skip, miss, dry-run); the
// proposals of one turn go to the store as one operation; its verdicts become runs. While a job has
// a proposal in the store nothing else is proposed for it, so that its slots are decided in order.
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

static void decide_on_done(struct store_op *op);

static struct decide_batch *batch_new(struct engine *engine)
{
    struct decide_batch *batch = alloc_zero(1, sizeof *batch);
    batch->engine = engine;
    batch->decide.op.kind = STORE_DECIDE;
    batch->decide.op.done = decide_on_done;
    batch->decide.node = engine->options.node;
    return batch;
}

static void batch_free(struct decide_batch *batch)
{
    store_op_release(&batch->decide.op);
    free(batch->proposals);
    free(batch->decide.slots);
    free(batch);
}

static bool batch_is_full(const struct engine *engine)
{
    return engine->batch != NULL && engine->batch->decide.slot_count >= STORE_BATCH_MAX;
}

static void propose(struct engine *engine, const struct proposal *proposal,
                    const struct store_slot *slot)
{
    if (batch_is_full(engine)) {
        decide_flush(engine);
    }
    if (engine->batch == NULL) {
        engine->batch = batch_new(engine);
    }
    struct decide_batch *batch = engine->batch;
    size_t at = batch->decide.slot_count;
    if (at == batch->capacity) {
        batch->capacity = batch->capacity == 0 ? 16 : batch->capacity * 2;
        batch->proposals =
            alloc_resize(batch->proposals, batch->capacity, sizeof *batch->proposals);
        batch->decide.slots =
            alloc_resize(batch->decide.slots, batch->capacity, sizeof *batch->decide.slots);
    }
    batch->proposals[at] = *proposal;
    batch->decide.slots[at] = *slot;
    batch->decide.slot_count++;
    proposal->job->in_flight++;
    engine->claims += proposal->for_claim;
}

void decide_flush(struct engine *engine)
{
    struct decide_batch *batch = engine->batch;
    if (batch == NULL) {
        return;
    }
    engine->batch = NULL;
    engine->operations++;
    store_submit(engine->options.store, &batch->decide.op);
}

static struct uuid new_id(const struct engine *engine)
{
    uint8_t bytes[10];
    engine->options.random(bytes, sizeof bytes);
    return uuid_v7(instant_ms(clock_now(engine->options.clock)), bytes);
}

bool decide_has_capacity(const struct engine *engine)
{
    return engine->claims < engine->options.max_running;
}

bool decide_is_dry(const struct engine *engine, const struct engine_job *job)
{
    return engine->options.dry_run || engine->all_dry_run || job->dry_run;
}

// ---- proposals
// -----------------------------------------------------------------------------------

static void propose_passed_over(struct engine *engine, struct engine_job *job, struct instant due,
                                enum store_decision decision, enum slot_reason reason)
{
    struct store_slot slot = {.job_id = job->job_id,
                              .due_at = due,
                              .decision = decision,
                              .trigger = TRIGGER_SCHEDULE,
                              .attempt = 1,
                              .reason = reason,
                              .throttle_count = job->throttle_count};
    propose(engine, &(struct proposal){.job = job}, &slot);
}

static void propose_run(struct engine *engine, struct engine_job *job, struct instant due,
                        enum run_trigger trigger)
{
    bool dry = decide_is_dry(engine, job);
    enum job_overlap overlap = job->job->overlap;
    struct store_slot slot = {.job_id = job->job_id,
                              .due_at = due,
                              .decision = dry ? DECIDE_DRY_RUN : DECIDE_RUN,
                              .trigger = trigger,
                              .attempt = 1,
                              .run_id = new_id(engine),
                              .forbid_overlap = overlap != JOB_OVERLAP_ALLOW,
                              .skip_on_overlap =
                                  overlap == JOB_OVERLAP_SKIP && trigger == TRIGGER_SCHEDULE,
                              .throttle_count = 0};
    propose(engine, &(struct proposal){.job = job, .for_claim = !dry}, &slot);
}

// ---- waiting
// -------------------------------------------------------------------------------------

static void wait_for(struct engine *engine, struct engine_job *job, struct instant due,
                     enum run_trigger trigger, enum engine_wait wait)
{
    job->waiting_due = due;
    job->waiting_trigger = trigger;
    job->wait = wait;
    if (wait != WAIT_CAPACITY) {
        return;
    }
    job->next_ready = NULL;
    if (engine->ready_last == NULL) {
        engine->ready_first = job;
    } else {
        engine->ready_last->next_ready = job;
    }
    engine->ready_last = job;
}

static bool overlaps(const struct engine_job *job)
{
    return job->running > 0 && job->job->overlap != JOB_OVERLAP_ALLOW;
}

// A slot that policy lets run: now, or when a place is free.
static void run_or_wait(struct engine *engine, struct engine_job *job, struct instant due,
                        enum run_trigger trigger)
{
    bool skips = job->job->overlap == JOB_OVERLAP_SKIP && trigger == TRIGGER_SCHEDULE;
    if (overlaps(job) && !skips && !decide_is_dry(engine, job)) {
        wait_for(engine, job, due, trigger, WAIT_OVERLAP);
        if (job->job->overlap == JOB_OVERLAP_REPLACE && trigger == TRIGGER_SCHEDULE) {
            for (struct engine_run_live *run = job->runs; run != NULL; run = run->next) {
                run_cancel(run, "overlap: replace", false);
            }
        }
        // The next slot may supersede the waiting one, but what is made up waits in line.
        if (trigger == TRIGGER_SCHEDULE) {
            planner_plan(engine, job);
        }
        return;
    }
    // A slot that will be skipped for overlap, or is dry, needs no place.
    if (!decide_has_capacity(engine) && !overlaps(job) && !decide_is_dry(engine, job)) {
        wait_for(engine, job, due, trigger, WAIT_CAPACITY);
        return;
    }
    propose_run(engine, job, due, trigger);
}

// The run before has ended, or the job was resumed.
void decide_waiting(struct engine *engine, struct engine_job *job)
{
    if (job->wait != WAIT_OVERLAP || job->in_flight > 0 || overlaps(job) || engine->draining ||
        job->removed) {
        return;
    }
    job->wait = WAIT_NONE;
    planner_unplan(engine, job);
    run_or_wait(engine, job, job->waiting_due, job->waiting_trigger);
}

void decide_ready(struct engine *engine)
{
    while (engine->ready_first != NULL && decide_has_capacity(engine) && !engine->draining) {
        struct engine_job *job = engine->ready_first;
        engine->ready_first = job->next_ready;
        if (engine->ready_first == NULL) {
            engine->ready_last = NULL;
        }
        job->next_ready = NULL;
        if (job->wait == WAIT_CAPACITY) {
            job->wait = WAIT_NONE;
            run_or_wait(engine, job, job->waiting_due, job->waiting_trigger);
        }
    }
}

// ---- a slot is due
// -------------------------------------------------------------------------------

static bool passes_throttle(const struct engine *engine, struct engine_job *job)
{
    int factor = job->throttle > 0 ? job->throttle : engine->all_throttle;
    if (factor < 2) {
        job->throttle_count = 0;
        return true;
    }
    if (job->throttle_count + 1 < factor) {
        job->throttle_count++;
        return false;
    }
    job->throttle_count = 0;
    return true;
}

// Goes through the slots that are to be missed, as many as fit into this batch.
static void miss_some(struct engine *engine, struct engine_job *job)
{
    do {
        bool paused = catchup_was_paused(engine, job, job->next_due);
        propose_passed_over(engine, job, job->next_due, paused ? DECIDE_SKIP : DECIDE_MISS,
                            paused ? REASON_PAUSED : job->miss_reason);
        job->cursor = job->next_due;
        job->next_due = schedule_next(&job->job->schedule, job->cursor);
    } while (!instant_is_none(job->next_due) && !instant_before(job->miss_until, job->next_due) &&
             !batch_is_full(engine));
}

static bool is_paused(const struct engine *engine, const struct engine_job *job)
{
    return job->paused || engine->all_paused;
}

static void decide_slot(struct engine *engine, struct engine_job *job, struct instant due,
                        enum run_trigger trigger)
{
    job->cursor = due;
    // A slot waits already (overlap: queue): the newer one takes its place.
    if (job->wait == WAIT_OVERLAP) {
        job->wait = WAIT_NONE;
        propose_passed_over(engine, job, job->waiting_due, DECIDE_SKIP, REASON_SUPERSEDED);
        if (job->running > 0) {
            wait_for(engine, job, due, trigger, WAIT_OVERLAP);
            return;
        }
    }
    bool made_up = trigger == TRIGGER_CATCHUP;
    if (is_paused(engine, job) || (made_up && catchup_was_paused(engine, job, due))) {
        propose_passed_over(engine, job, due, DECIDE_SKIP, REASON_PAUSED);
    } else if (!passes_throttle(engine, job)) {
        propose_passed_over(engine, job, due, DECIDE_SKIP, REASON_THROTTLED);
    } else {
        run_or_wait(engine, job, due, trigger);
    }
}

// The next slot is made out to be missed, made up, or simply due.
void decide_due(struct engine *engine, struct engine_job *job, struct instant now)
{
    CHECK(job->in_flight == 0 && job->wait != WAIT_CAPACITY);
    struct duration late = instant_since(now, job->wake);
    bool marked = !instant_before(job->catchup_until, job->next_due) ||
                  !instant_before(job->miss_until, job->next_due);
    if (!marked && late.us > LATE_LIMIT.us && job->wait == WAIT_NONE) {
        catchup_plan(engine, job, now);
    }
    if (!instant_before(job->miss_until, job->next_due)) {
        miss_some(engine, job);
        return;
    }
    bool made_up = !instant_before(job->catchup_until, job->next_due);
    decide_slot(engine, job, job->next_due, made_up ? TRIGGER_CATCHUP : TRIGGER_SCHEDULE);
}

// The job has left the configuration: its open slot keeps the outcome of the last attempt.
static void retry_give_up(struct engine *engine, struct engine_retry *retry)
{
    struct store_slot slot = {.job_id = retry->job->job_id,
                              .due_at = retry->due_at,
                              .decision = DECIDE_SKIP,
                              .trigger = TRIGGER_RETRY,
                              .attempt = retry->attempt,
                              .reason = REASON_REMOVED};
    propose(engine, &(struct proposal){.job = retry->job, .retry = retry}, &slot);
}

void decide_retry(struct engine *engine, struct engine_retry *retry, struct instant now)
{
    struct engine_job *job = retry->job;
    if (job->removed) {
        retry_give_up(engine, retry);
        return;
    }
    bool blocked = engine->draining || job->in_flight > 0 || overlaps(job) ||
                   is_paused(engine, job) || !decide_has_capacity(engine) ||
                   !store_is_asked(engine);
    if (blocked) {
        retry->retry_at = instant_add(now, DURATION_S(1));
        heap_push(&engine->retries, &retry->planned);
        return;
    }
    bool dry = decide_is_dry(engine, job);
    struct store_slot slot = {.job_id = job->job_id,
                              .due_at = retry->due_at,
                              .decision = dry ? DECIDE_DRY_RUN : DECIDE_RUN,
                              .trigger = TRIGGER_RETRY,
                              .attempt = retry->attempt,
                              .run_id = new_id(engine),
                              .forbid_overlap = job->job->overlap != JOB_OVERLAP_ALLOW,
                              .throttle_count = job->throttle_count};
    planner_unplan(engine, job);
    propose(engine, &(struct proposal){.job = job, .retry = retry, .for_claim = !dry}, &slot);
}

void decide_manual(struct engine *engine, struct engine_job *job, struct engine_manual *manual,
                   bool dry_run)
{
    bool dry = dry_run || decide_is_dry(engine, job);
    struct store_slot slot = {.job_id = job->job_id,
                              .due_at = clock_now(engine->options.clock),
                              .decision = dry ? DECIDE_DRY_RUN : DECIDE_RUN,
                              .trigger = TRIGGER_MANUAL,
                              .attempt = 1,
                              .run_id = new_id(engine),
                              .forbid_overlap = job->job->overlap != JOB_OVERLAP_ALLOW,
                              .throttle_count = job->throttle_count};
    decide_flush(engine); // the actor is the operation's, so a manual run goes by itself
    planner_unplan(engine, job);
    propose(engine, &(struct proposal){.job = job, .manual = manual, .for_claim = !dry}, &slot);
    engine->batch->decide.actor = manual->actor;
    decide_flush(engine);
}

// ---- verdicts
// ------------------------------------------------------------------------------------

// What the verdict on one proposal leads to; the caller has taken it out of the counts.
static void verdict_claimed(struct engine *engine, const struct proposal *p,
                            const struct store_slot *slot)
{
    struct engine_run_live *run = run_claimed(engine, p->job, slot);
    if (p->manual != NULL) {
        char id[UUID_TEXT_SIZE];
        uuid_format(slot->run_id, id);
        control_answer(engine, p->manual->intent_id, INTENT_DONE, slot->run_id, id);
    }
    run_start(run, p->manual == NULL ? NULL : p->manual->params);
}

static void verdict_written(struct engine *engine, const struct proposal *p,
                            const struct store_slot *slot)
{
    const struct engine_events *events = engine->options.events;
    const struct job *job = p->job->job;
    if (slot->decision == DECIDE_DRY_RUN) {
        struct engine_run facts = {.job = job,
                                   .run_id = slot->run_id,
                                   .due_at = slot->due_at,
                                   .attempt = slot->attempt,
                                   .trigger = slot->trigger,
                                   .started_at = slot->started_at};
        events->on_ended(events->context, &facts, RUN_DRY_RUN, FAILURE_NONE, DURATION_S(0), NULL);
        if (p->manual != NULL) {
            control_answer(engine, p->manual->intent_id, INTENT_DONE, slot->run_id, "dry-run");
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
        control_answer(engine, p->manual->intent_id, INTENT_REFUSED, (struct uuid){{0}},
                       "a run of this job is going on and its overlap policy forbids a second one");
    } else if (p->retry != NULL) {
        retry_add(engine, job, slot->due_at, slot->attempt,
                  instant_add(clock_now(engine->options.clock), DURATION_S(1)));
    } else if (slot->skip_on_overlap) {
        events->on_passed_over(events->context, job->job, slot->due_at, SLOT_SKIPPED,
                               REASON_OVERLAP);
    } else {
        wait_for(engine, job, slot->due_at, slot->trigger, WAIT_OVERLAP);
    }
}

static void verdict_taken(struct engine *engine, const struct proposal *p)
{
    if (p->manual != NULL) {
        control_answer(engine, p->manual->intent_id, INTENT_REFUSED, (struct uuid){{0}},
                       "the store refused the run");
    }
}

static void proposal_close(struct engine *engine, const struct proposal *p)
{
    p->job->in_flight--;
    engine->claims -= p->for_claim;
    if (p->retry != NULL) {
        retry_free(engine, p->retry);
    }
    manual_free(p->manual);
}

static void proposal_judge(struct engine *engine, const struct proposal *p,
                           const struct store_slot *slot)
{
    static const enum engine_lock_result locks[] = {[VERDICT_CLAIMED] = LOCK_WON,
                                                    [VERDICT_TAKEN] = LOCK_TAKEN,
                                                    [VERDICT_OVERLAP] = LOCK_OVERLAP};
    const struct engine_events *events = engine->options.events;
    if (slot->decision == DECIDE_RUN) {
        events->on_lock(events->context, p->job->job, locks[slot->verdict]);
    }
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
        verdict_taken(engine, p);
        break;
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
        control_answer(engine, p->manual->intent_id, INTENT_REFUSED, (struct uuid){{0}},
                       op->err.text);
    } else if (p->retry != NULL) {
        retry_add(engine, job, slot->due_at, slot->attempt,
                  instant_add(clock_now(engine->options.clock), DURATION_S(1)));
    } else if (!instant_before(job->cursor, slot->due_at)) {
        // The first of the job's items of this batch is the earliest: it sets the cursor back.
        job->cursor = instant_add(slot->due_at, DURATION_US(-1));
        if (job->wait == WAIT_OVERLAP) {
            job->wait = WAIT_NONE;
        }
    }
}

// Once nothing of the job is in the store any more its next slot is planned, or the waiting one
// tried.
static void job_go_on(struct engine *engine, struct engine_job *job)
{
    if (job->in_flight > 0) {
        return;
    }
    if (job->removed) {
        return; // swept at the end of the turn
    }
    if (job->wait == WAIT_NONE ||
        (job->wait == WAIT_OVERLAP && job->waiting_trigger == TRIGGER_SCHEDULE)) {
        planner_plan(engine, job);
    }
    decide_waiting(engine, job);
}

static void decide_on_done(struct store_op *op)
{
    struct decide_batch *batch = CONTAINER_OF(op, struct decide_batch, decide.op);
    struct engine *engine = batch->engine;
    engine->busy = true;
    engine->operations--;
    store_answered(engine, op);
    if (op->result == STORE_UNKNOWN) {
        // Settled by submitting the very same once more: it conflicts with what may have been done.
        engine->operations++;
        store_hold(engine, op);
        return;
    }
    size_t count = batch->decide.slot_count;
    engine->unsealed = engine->unsealed || op->result == STORE_OK;
    for (size_t i = count; i-- > 0 && op->result != STORE_OK;) {
        proposal_undo(engine, &batch->proposals[i], &batch->decide.slots[i], op);
    }
    for (size_t i = 0; i < count && op->result == STORE_OK; i++) {
        proposal_judge(engine, &batch->proposals[i], &batch->decide.slots[i]);
    }
    for (size_t i = 0; i < count; i++) {
        proposal_close(engine, &batch->proposals[i]);
    }
    for (size_t i = 0; i < count; i++) {
        // A job with several items goes on once, at its last one.
        if (i + 1 == count || batch->proposals[i + 1].job != batch->proposals[i].job) {
            job_go_on(engine, batch->proposals[i].job);
        }
    }
    batch_free(batch);
}
