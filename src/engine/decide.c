// SPDX-License-Identifier: MIT
// What becomes of a due slot. Policy turns it into a proposal (run, skip, miss, dry-run); the
// proposals of one turn go to the store as one operation; its verdicts become runs. While a job has
// a proposal in the store nothing else is proposed for it, so that its slots are decided in order.
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

struct decide_batch *decide_batch_new(struct engine *engine)
{
    struct decide_batch *batch = alloc_zero(1, sizeof *batch);
    batch->decide.op.kind = STORE_DECIDE;
    batch->decide.op.done = verdict_on_done;
    batch->decide.node = engine->options.node;
    batch->decide.version = engine->set->set.version;
    return batch;
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
        engine->batch = decide_batch_new(engine);
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
    engine->in_flight++;
    engine->claims += proposal->for_claim;
}

void decide_flush(struct engine *engine)
{
    struct decide_batch *batch = engine->batch;
    if (batch == NULL) {
        return;
    }
    engine->batch = NULL;
    link_submit(engine, &batch->decide.op);
}

#define ID_NUMBER_MAX 4095
// In the twelve bits after the millisecond the ids of one turn rise with the runs in hand, so that
// what is claimed together lies together, in order, in the store's indexes.
static struct uuid new_id(const struct engine *engine)
{
    uint8_t bytes[10];
    int number = engine->claims < ID_NUMBER_MAX ? engine->claims : ID_NUMBER_MAX;
    engine->options.random(bytes, sizeof bytes);
    bytes[0] = (uint8_t)(number >> 8);
    bytes[1] = (uint8_t)number;
    return uuid_v7(instant_ms(engine_now(engine)), bytes);
}

bool decide_has_capacity(const struct engine *engine)
{
    return engine->claims < engine->options.max_running;
}

bool decide_is_dry(const struct engine *engine, const struct engine_job *job)
{
    return engine_is_dry_run(engine) || job->dry_run;
}

// ---- proposals ----------------------------------------------------------------------------------

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

// The slot is written as waiting; after.c takes it up from there.
static void propose_wait(struct engine *engine, struct engine_job *job, struct instant due,
                         enum run_trigger trigger)
{
    struct instant from = trigger == TRIGGER_CATCHUP ? engine_now(engine)
                                                     : instant_add(due, job_jitter(job->job, due));
    struct store_slot slot = {.job_id = job->job_id,
                              .due_at = due,
                              .decision = DECIDE_WAIT,
                              .trigger = trigger,
                              .attempt = 1,
                              .wait_until = instant_add(from, job->job->after_within),
                              .throttle_count = job->throttle_count};
    propose(engine, &(struct proposal){.job = job}, &slot);
}

void decide_awaited(struct engine *engine, struct engine_after *after, enum store_decision decision,
                    enum slot_reason reason)
{
    struct engine_job *job = after->job;
    bool runs = decision == DECIDE_RUN || decision == DECIDE_DRY_RUN;
    struct store_slot slot = {.job_id = job->job_id,
                              .due_at = after->due_at,
                              .decision = decision,
                              .trigger = after->trigger,
                              .attempt = 1,
                              .reason = reason,
                              .awaited = true,
                              .forbid_overlap = job->job->overlap != JOB_OVERLAP_ALLOW,
                              .throttle_count = job->throttle_count,
                              .detail = reason == REASON_AFTER ? after->detail : NULL};
    if (runs) {
        slot.run_id = new_id(engine);
    }
    planner_unplan(engine, job);
    propose(engine,
            &(struct proposal){.job = job, .after = after, .for_claim = decision == DECIDE_RUN},
            &slot);
}

// ---- waiting ------------------------------------------------------------------------------------

void decide_wait(struct engine *engine, struct engine_job *job, struct instant due,
                 enum run_trigger trigger, enum engine_wait wait)
{
    job->waiting_due = due;
    job->waiting_trigger = trigger;
    job->wait = wait;
    if (job->runs_elsewhere || job->waits_elsewhere) {
        marks_watch(engine, job);
    }
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

// A slot that waits for its next attempt is not over: it stands in the way like a running one.
bool decide_overlaps(const struct engine_job *job)
{
    return job->running + job->retries > 0 && job->job->overlap != JOB_OVERLAP_ALLOW;
}

bool decide_is_ending(const struct engine_job *job)
{
    const struct engine_run_live *run = job->runs;
    while (run != NULL && run->ended) {
        run = run->next;
    }
    return run == NULL && job->running > 0 && job->retries == 0;
}

// Also on other nodes, as far as is known here.
static bool overlaps_anywhere(const struct engine_job *job)
{
    bool elsewhere = job->runs_elsewhere || job->waits_elsewhere;
    return decide_overlaps(job) || (elsewhere && job->job->overlap != JOB_OVERLAP_ALLOW);
}

// The schedule stands behind a backfill's run, but neither loses a slot to it nor ends it.
bool decide_is_backfilling(const struct engine_job *job)
{
    for (const struct engine_run_live *run = job->runs; run != NULL; run = run->next) {
        if (run->facts.trigger == TRIGGER_BACKFILL) {
            return true;
        }
    }
    return false;
}

// A slot that policy lets run: now, or when it may.
static void run_or_wait(struct engine *engine, struct engine_job *job, struct instant due,
                        enum run_trigger trigger)
{
    bool dry = decide_is_dry(engine, job);
    bool behind = decide_is_backfilling(job);
    bool skips = job->job->overlap == JOB_OVERLAP_SKIP && trigger == TRIGGER_SCHEDULE && !behind;
    if (dry || !overlaps_anywhere(job)) {
        // A dry slot needs no place.
        if (dry || decide_has_capacity(engine)) {
            propose_run(engine, job, due, trigger);
        } else {
            decide_wait(engine, job, due, trigger, WAIT_CAPACITY);
        }
        return;
    }
    // What has ended stands in nobody's way: the slot waits for that to be written, in line.
    bool ending = decide_is_ending(job);
    if (skips && job->running == 0 && !job->runs_elsewhere) {
        propose_passed_over(engine, job, due, DECIDE_SKIP, REASON_OVERLAP);
        return;
    }
    if (skips && !ending) {
        propose_run(engine, job, due, trigger); // the store sees the running one, and skips
        return;
    }
    decide_wait(engine, job, due, trigger, WAIT_OVERLAP);
    if (job->job->overlap == JOB_OVERLAP_REPLACE && trigger == TRIGGER_SCHEDULE && !behind) {
        replace_older(engine, job);
    }
    // The next slot may supersede the waiting one, but what is made up waits in line.
    if (trigger == TRIGGER_SCHEDULE && !ending) {
        planner_plan(engine, job);
    }
}

bool decide_is_paused(const struct engine *engine, const struct engine_job *job)
{
    return job->paused || engine->all_paused;
}

// A slot that waited has its turn, unless the job was paused meanwhile.
static void waited(struct engine *engine, struct engine_job *job)
{
    job->wait = WAIT_NONE;
    planner_unplan(engine, job);
    if (decide_is_paused(engine, job)) {
        propose_passed_over(engine, job, job->waiting_due, DECIDE_SKIP, REASON_PAUSED);
    } else {
        run_or_wait(engine, job, job->waiting_due, job->waiting_trigger);
    }
}

// The run before has ended.
void decide_waiting(struct engine *engine, struct engine_job *job)
{
    if (job->wait != WAIT_OVERLAP || job->in_flight > 0 || overlaps_anywhere(job) ||
        engine_rests(engine) || job->removed) {
        return;
    }
    if (engine_may_decide(engine)) {
        waited(engine, job);
    } else { // it has its turn among those that wait for a place
        planner_unplan(engine, job);
        decide_wait(engine, job, job->waiting_due, job->waiting_trigger, WAIT_CAPACITY);
    }
}

void decide_ready(struct engine *engine)
{
    while (engine->ready_first != NULL && decide_has_capacity(engine) && !engine_rests(engine)) {
        struct engine_job *job = engine->ready_first;
        engine->ready_first = job->next_ready;
        if (engine->ready_first == NULL) {
            engine->ready_last = NULL;
        }
        job->next_ready = NULL;
        if (job->wait == WAIT_CAPACITY) {
            waited(engine, job);
        }
    }
}

// ---- a slot is due ------------------------------------------------------------------------------

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
        bool paused = pauses_cover(&engine->pauses, job->job->name, job->next_due);
        propose_passed_over(engine, job, job->next_due, paused ? DECIDE_SKIP : DECIDE_MISS,
                            paused ? REASON_PAUSED : catchup_miss_reason(job, job->next_due));
        job->cursor = job->next_due;
        job->next_due = schedule_next(&job->job->schedule, job->cursor);
    } while (!instant_is_none(job->next_due) && !instant_before(job->miss_until, job->next_due) &&
             !batch_is_full(engine));
}

static void decide_slot(struct engine *engine, struct engine_job *job, struct instant due,
                        enum run_trigger trigger)
{
    job->cursor = due;
    // A slot waits already (overlap: queue): the newer one takes its place.
    if (job->wait == WAIT_OVERLAP) {
        job->wait = WAIT_NONE;
        propose_passed_over(engine, job, job->waiting_due, DECIDE_SKIP, REASON_SUPERSEDED);
        if (overlaps_anywhere(job)) {
            decide_wait(engine, job, due, trigger, WAIT_OVERLAP);
            return;
        }
    }
    bool made_up = trigger == TRIGGER_CATCHUP;
    if (decide_is_paused(engine, job) ||
        (made_up && pauses_cover(&engine->pauses, job->job->name, due))) {
        propose_passed_over(engine, job, due, DECIDE_SKIP, REASON_PAUSED);
    } else if (!passes_throttle(engine, job)) {
        propose_passed_over(engine, job, due, DECIDE_SKIP, REASON_THROTTLED);
    } else if (job->job->after != NULL) {
        propose_wait(engine, job, due, trigger);
    } else {
        run_or_wait(engine, job, due, trigger);
    }
}

// The next slot is made out to be missed, made up, or simply due.
void decide_due(struct engine *engine, struct engine_job *job, struct instant now)
{
    CHECK(job->in_flight == 0 && job->wait != WAIT_CAPACITY);
    struct duration late = instant_since(now, planner_due(job));
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

// No further attempt: the job has left the configuration, or a newer slot takes its place.
static void retry_give_up(struct engine *engine, struct engine_retry *retry)
{
    struct store_slot slot = {.job_id = retry->job->job_id,
                              .due_at = retry->due_at,
                              .decision = DECIDE_SKIP,
                              .trigger = TRIGGER_RETRY,
                              .attempt = retry->attempt,
                              .reason = retry->job->removed ? REASON_REMOVED : REASON_SUPERSEDED};
    planner_unplan(engine, retry->job); // until the answer has come
    propose(engine, &(struct proposal){.job = retry->job, .retry = retry}, &slot);
}

void decide_retry(struct engine *engine, struct engine_retry *retry, struct instant now)
{
    struct engine_job *job = retry->job;
    if (job->removed || retry->abandoned) {
        retry_give_up(engine, retry);
        return;
    }
    bool runs = job->running > 0 && job->job->overlap != JOB_OVERLAP_ALLOW;
    bool blocked = engine_rests(engine) || job->in_flight > 0 || runs ||
                   decide_is_paused(engine, job) || !decide_has_capacity(engine) ||
                   !link_is_open(engine);
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
    bool again = manual->attempt > 0;
    // The run bears the intent's id: when a node dies between the claim and the answer to the
    // intent, the next one finds that it was carried out, and does not do so again.
    struct store_slot slot = {.job_id = job->job_id,
                              .due_at = again ? manual->due_at : engine_now(engine),
                              .decision = dry ? DECIDE_DRY_RUN : DECIDE_RUN,
                              .trigger = again ? TRIGGER_RETRY : TRIGGER_MANUAL,
                              .attempt = again ? manual->attempt : 1,
                              .by_hand = again,
                              .run_id = manual->intent_id,
                              .forbid_overlap = job->job->overlap != JOB_OVERLAP_ALLOW,
                              .throttle_count = job->throttle_count,
                              .detail = manual->detail};
    decide_flush(engine); // the actor is the operation's, so a manual run goes by itself
    planner_unplan(engine, job);
    propose(engine, &(struct proposal){.job = job, .manual = manual, .for_claim = !dry}, &slot);
    engine->batch->decide.actor = manual->actor;
    decide_flush(engine);
}

void decide_backfill(struct engine *engine, struct engine_job *job,
                     const struct engine_backfill_run *run)
{
    bool dry = run->dry_run || decide_is_dry(engine, job);
    struct store_slot slot = {.job_id = job->job_id,
                              .due_at = run->due_at,
                              .decision = dry ? DECIDE_DRY_RUN : DECIDE_RUN,
                              .trigger = TRIGGER_BACKFILL,
                              .attempt = run->attempt,
                              .run_id = run->run_id,
                              .forbid_overlap = job->job->overlap != JOB_OVERLAP_ALLOW,
                              .throttle_count = job->throttle_count};
    decide_flush(engine); // who wanted it stands with the operation
    planner_unplan(engine, job);
    propose(engine, &(struct proposal){.job = job, .backfill = run->backfill, .for_claim = !dry},
            &slot);
    engine->batch->decide.actor = run->actor;
    decide_flush(engine);
}
