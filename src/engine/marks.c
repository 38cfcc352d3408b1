// SPDX-License-Identifier: MIT
// In a fleet a slot is first of all the matter of the node that goes first for its job. The others
// come a little later, at moments that all jobs share so that one operation asks for all of them,
// ask the store what it knows of those jobs (STORE_MARKS), and decide, one node after the other,
// the slots that nobody did. Who goes first asks as well where it has not since the members
// changed: an attempt may wait on another node, and a throttle may have been counted there.
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/alloc.h"

#define LOOKS_AT    3              // seconds: at multiples of it
#define LAST_WORD   DURATION_S(10) // a node that may not run a job looks so long after the others
#define BLOCKED     DURATION_S(5)  // until it is looked again whether somebody else's run is over
#define FOLLOW_MOST DURATION_S(60)
#define WATCH_EVERY DURATION_MS(900) // with each pulse

struct marks_batch {
    struct store_op_marks marks; // first
    struct engine_job **jobs;
};

static struct instant next_look(struct instant t)
{
    int64_t seconds = instant_unix(instant_add(t, DURATION_US(999999)));
    return instant_from_unix((seconds + LOOKS_AT - 1) / LOOKS_AT * LOOKS_AT);
}

// When a node may come for a slot that it does not go first for: all the others look at once …
static struct instant first_look(struct instant due, int rank)
{
    return rank == 0 ? due : next_look(instant_add(due, rank < 0 ? LAST_WORD : fleet_delay(1)));
}

// … and decide what they found undecided one after the other.
static struct instant turn_of(struct instant due, int rank, struct instant now)
{
    struct instant look = first_look(due, rank);
    bool looked = rank > 1 && !instant_before(now, look);
    return looked ? instant_add(look, fleet_delay(rank - 1)) : look;
}

// When a slot that nobody has decided yet may be decided here, as far as is known now.
static struct instant own_turn(const struct engine_job *job, int rank, struct instant now)
{
    enum job_overlap overlap = job->job->overlap;
    bool elsewhere = job->runs_elsewhere || job->waits_elsewhere;
    bool stands = overlap == JOB_OVERLAP_QUEUE || overlap == JOB_OVERLAP_REPLACE;
    if (rank < 0) {
        return next_look(instant_add(now, LAST_WORD));
    }
    return rank > 0 && elsewhere && stands ? next_look(instant_add(now, BLOCKED))
                                           : turn_of(planner_due(job), rank, now);
}

// ---- what the store knows -----------------------------------------------------------------------

static struct instant later(struct instant a, struct instant b)
{
    return instant_is_none(a) || (!instant_is_none(b) && instant_before(a, b)) ? b : a;
}

static void take_over(struct engine *engine, struct engine_job *job, const struct store_mark *mark)
{
    bool decided = job->wait == WAIT_OVERLAP && !instant_is_none(mark->high_water) &&
                   !instant_before(mark->high_water, job->waiting_due);
    if (decided) {
        job->wait = WAIT_NONE; // somebody else has taken the slot that waited here
    }
    if (!instant_is_none(mark->high_water)) {
        job->cursor = later(job->cursor, mark->high_water);
    }
    if (job->in_flight == 0 && job->wait == WAIT_NONE) {
        job->throttle_count = mark->throttle_count;
    }
    job->last_success = later(job->last_success, mark->last_success);
    job->runs_elsewhere = mark->running && job->running == 0;
    job->waits_elsewhere = mark->waiting && job->retries == 0 && job->job->after == NULL;
    // As long as something goes on elsewhere it has to be asked for again.
    bool settled = !job->runs_elsewhere && !job->waits_elsewhere;
    job->known = settled ? engine->fleet.epoch : 0;
}

// The run of another node is followed to its end, ever more seldom, to know its last success.
static void follow(struct engine *engine, struct engine_job *job, struct instant now)
{
    int64_t since = instant_since(now, job->cursor).us;
    since = since < BLOCKED.us ? BLOCKED.us : since > FOLLOW_MOST.us ? FOLLOW_MOST.us : since;
    struct instant again = next_look(instant_add(now, (struct duration){since}));
    if (heap_contains(&job->planned) && instant_before(again, job->wake)) {
        planner_postpone(engine, job, again);
    }
}

static void understand(struct engine *engine, struct engine_job *job, const struct store_mark *mark)
{
    struct instant now = engine_now(engine);
    take_over(engine, job, mark);
    verdict_go_on(engine, job);
    replace_again(engine, job);
    if (!heap_contains(&job->planned)) {
        return; // it waits for something here, or something of it is in the store
    }
    bool elsewhere = job->runs_elsewhere || job->waits_elsewhere;
    bool due = !instant_before(now, job->wake);
    struct instant turn = due ? own_turn(job, fleet_rank(engine, job->job), now) : INSTANT_NONE;
    if (!due && elsewhere && job->wait == WAIT_NONE) {
        follow(engine, job, now);
    } else if (due && instant_before(now, turn)) {
        planner_postpone(engine, job, turn);
    } else if (due) {
        job->open_due = job->next_due;
    }
}

static void marks_on_done(struct store_op *op)
{
    struct marks_batch *batch = CONTAINER_OF(op, struct marks_batch, marks.op);
    struct engine *engine = op->context;
    engine->busy = true;
    link_answered(op);
    for (size_t i = 0; i < batch->marks.mark_count; i++) {
        struct engine_job *job = batch->jobs[i];
        job->in_flight--;
        engine->in_flight--;
        if (op->result == STORE_OK && !job->removed) {
            understand(engine, job, &batch->marks.marks[i]);
        } else {
            verdict_go_on(engine, job);
        }
    }
    free(batch->marks.marks);
    free(batch->jobs);
    link_free(op);
}

// ---- asking -------------------------------------------------------------------------------------

static void flush(struct engine *engine)
{
    struct marks_batch *batch = engine->fleet.marks;
    if (batch != NULL) {
        engine->fleet.marks = NULL;
        link_submit(engine, &batch->marks.op);
    }
}

static struct marks_batch *batch_new(void)
{
    struct marks_batch *batch = alloc_zero(1, sizeof *batch);
    batch->marks.op.kind = STORE_MARKS;
    batch->marks.op.done = marks_on_done;
    batch->marks.marks = alloc_zero(STORE_BATCH_MAX, sizeof *batch->marks.marks);
    batch->jobs = alloc_zero(STORE_BATCH_MAX, sizeof *batch->jobs);
    return batch;
}

// Until the answer has come nothing of the job is decided.
static void ask(struct engine *engine, struct engine_job *job)
{
    struct fleet *fleet = &engine->fleet;
    if (fleet->marks != NULL && fleet->marks->marks.mark_count == STORE_BATCH_MAX) {
        flush(engine);
    }
    if (fleet->marks == NULL) {
        fleet->marks = batch_new();
    }
    struct marks_batch *batch = fleet->marks;
    batch->jobs[batch->marks.mark_count] = job;
    batch->marks.marks[batch->marks.mark_count++] = (struct store_mark){.job_id = job->job_id};
    planner_unplan(engine, job);
    job->in_flight++;
    engine->in_flight++;
}

bool marks_may_decide(struct engine *engine, struct engine_job *job, struct instant now)
{
    if (engine->options.alone) {
        return true;
    }
    bool boots = job->job->schedule.kind == SCHEDULE_REBOOT;
    struct instant due = planner_due(job);
    int rank = boots ? 0 : fleet_rank(engine, job->job);
    struct instant look = first_look(due, rank);
    if (!instant_before(now, due) && instant_before(now, look)) {
        planner_postpone(engine, job, look);
        return false;
    }
    bool passing = !instant_before(job->catchup_until, job->next_due) ||
                   !instant_before(job->miss_until, job->next_due);
    bool late = instant_since(now, due).us > LATE_LIMIT.us && !boots;
    bool known = rank == 0 && !late && job->known == engine->fleet.epoch;
    bool open = passing || known || instant_equal(job->open_due, job->next_due);
    if (rank >= 0 && open && !instant_before(now, due)) {
        return true;
    }
    ask(engine, job);
    return false;
}

// ---- waiting for another node's run -------------------------------------------------------------

void marks_watch(struct engine *engine, struct engine_job *job)
{
    struct fleet *fleet = &engine->fleet;
    if (job->watched) {
        return;
    }
    job->watched = true;
    ARRAY_RESERVE(fleet->watched, fleet->watched_count, fleet->watched_capacity);
    fleet->watched[fleet->watched_count++] = job;
}

void marks_turn(struct engine *engine)
{
    struct fleet *fleet = &engine->fleet;
    struct mono now = clock_mono(engine->options.clock);
    if (fleet->watched_count > 0 && mono_since(now, fleet->watched_at).us >= WATCH_EVERY.us) {
        size_t left = 0;
        fleet->watched_at = now;
        for (size_t i = 0; i < fleet->watched_count; i++) {
            struct engine_job *job = fleet->watched[i];
            job->watched = job->wait == WAIT_OVERLAP && !job->removed &&
                           (job->runs_elsewhere || job->waits_elsewhere);
            if (job->watched) {
                fleet->watched[left++] = job;
            }
            if (job->watched && job->in_flight == 0) {
                ask(engine, job);
            }
        }
        fleet->watched_count = left;
    }
    flush(engine);
}
