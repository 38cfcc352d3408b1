// SPDX-License-Identifier: MIT
// What nodes that died leave: their runs become LOST, and what waited on them (attempts to come,
// slots that wait for other jobs) is taken over. Alone, all of that happens at the start; in a
// fleet it is the first of those that live who does it, and the next one where it does not.
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/alloc.h"

// Until it is done once more, where something is left all the same.
#define FENCE_PAUSE  DURATION_S(2)
#define FENCE_SELDOM DURATION_S(15)

// ---- what waits ---------------------------------------------------------------------------------

static int compare_ids(const void *a, const void *b)
{
    int64_t left = (*(struct engine_job *const *)a)->job_id;
    int64_t right = (*(struct engine_job *const *)b)->job_id;
    return (left > right) - (left < right);
}

static struct engine_job *job_of_id(struct engine_job **by_id, size_t count, int64_t job_id)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_id[middle]->job_id < job_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && by_id[low]->job_id == job_id ? by_id[low] : NULL;
}

struct left { // what nobody will try again, because its job has left the configuration
    struct store_op_decide decide; // first
    struct store_slot slot;
};

static void left_on_done(struct store_op *op)
{
    const struct left *left = CONTAINER_OF(op, struct left, decide.op);
    if (op->result == STORE_OK && left->slot.verdict == VERDICT_LOCKED) {
        link_answered(op);
        link_hold_back(op);
    } else if (link_settled(op)) {
        link_free(op);
    }
}

static void close_left(struct engine *engine, const struct store_retry *waiting)
{
    struct left *left = alloc_zero(1, sizeof *left);
    left->slot = (struct store_slot){.job_id = waiting->job_id,
                                     .due_at = waiting->due_at,
                                     .decision = DECIDE_SKIP,
                                     .trigger = TRIGGER_RETRY,
                                     .attempt = waiting->attempt,
                                     .reason = REASON_REMOVED};
    left->decide = (struct store_op_decide){.op = {.kind = STORE_DECIDE, .done = left_on_done},
                                            .node = engine->options.node,
                                            .version = engine->set->set.version,
                                            .slots = &left->slot,
                                            .slot_count = 1};
    link_submit(engine, &left->decide.op);
}

static bool is_known(const struct engine *engine, const struct engine_job *job,
                     const struct store_retry *waiting)
{
    for (size_t i = 0; job->retries > 0 && i < engine->retries.count; i++) {
        const struct engine_retry *retry =
            CONTAINER_OF(engine->retries.nodes[i], const struct engine_retry, planned);
        if (retry->job == job && instant_equal(retry->due_at, waiting->due_at)) {
            return true;
        }
    }
    const struct engine_after *after = job->afters > 0 ? engine->afters : NULL;
    while (after != NULL && (after->job != job || !instant_equal(after->due_at, waiting->due_at))) {
        after = after->next;
    }
    return after != NULL;
}

static void adopt(struct engine *engine, struct engine_job *job, const struct store_retry *waiting)
{
    if (is_known(engine, job, waiting)) {
        return;
    }
    if (waiting->attempt == 1) {
        after_add(engine, job, waiting->due_at, waiting->retry_at, TRIGGER_SCHEDULE);
    } else {
        retry_add(engine, job, waiting->due_at, waiting->attempt, waiting->retry_at);
    }
}

// One that is just being proposed may come twice: then the store passes the second one over.
void fence_adopt(struct engine *engine, const struct store_retry *waiting, size_t waiting_count)
{
    if (waiting_count == 0) {
        return;
    }
    struct engine_job **by_id = alloc_zero(engine->jobs.live + 1, sizeof *by_id);
    size_t count = 0;
    size_t at = 0;
    for (struct engine_job *job; (job = map_next(&engine->jobs, &at)) != NULL;) {
        by_id[count++] = job;
    }
    qsort(by_id, count, sizeof *by_id, compare_ids);
    for (size_t i = 0; i < waiting_count; i++) {
        struct engine_job *job = job_of_id(by_id, count, waiting[i].job_id);
        if (job != NULL) {
            adopt(engine, job, &waiting[i]);
        } else if (!fleet_is_outdated(engine)) {
            close_left(engine, &waiting[i]);
        } else {
            engine->fleet.fence_wanted = true; // the new definitions may know it
        }
    }
    free(by_id);
    engine->busy = true;
}

// ---- runs of the dead ---------------------------------------------------------------------------

// They are counted here. Whether they are tried again is asked by the store within the commit that
// ends them.
void fence_lost(struct engine *engine, const struct store_lost *lost, size_t count)
{
    const struct engine_events *events = engine->options.events;
    for (size_t i = 0; i < count; i++) {
        const struct engine_job *job = map_get(&engine->jobs, lost[i].job);
        if (job == NULL) {
            continue;
        }
        struct engine_run facts = {.job = job->job,
                                   .run_id = lost[i].run_id,
                                   .due_at = lost[i].due_at,
                                   .attempt = lost[i].attempt,
                                   .trigger = lost[i].trigger};
        events->on_ended(events->context, &facts, RUN_LOST, FAILURE_LOST, DURATION_S(0),
                         "its node died");
    }
}

struct instant fence_lost_retry(const struct job *job, const struct store_lost *lost,
                                struct instant now)
{
    bool again = job != NULL && job->on_lost == JOB_LOST_RETRY && lost->attempt < ATTEMPTS_MAX;
    return again ? now : INSTANT_NONE;
}

static struct instant lost_retry(void *context, const struct store_lost *lost, struct instant now)
{
    const struct engine *engine = context;
    const struct engine_job *job = map_get(&engine->jobs, lost->job);
    return fence_lost_retry(job == NULL || job->removed ? NULL : job->job, lost, now);
}

// ---- sessions of the dead in the databases of jobs ----------------------------------------------

void fence_left(struct engine *engine, const struct uuid *nodes, size_t count)
{
    struct fleet *fleet = &engine->fleet;
    free(fleet->left);
    fleet->left = alloc_zero(count + 1, sizeof *fleet->left);
    fleet->left_count = count;
    fleet->left_ended = false;
    for (size_t i = 0; i < count; i++) {
        fleet->left[i] = nodes[i];
    }
}

size_t engine_left(const struct engine *engine, const struct uuid **nodes_out)
{
    *nodes_out = engine->fleet.left;
    return engine->fleet.left_count;
}

void engine_left_ended(struct engine *engine)
{
    struct fleet *fleet = &engine->fleet;
    if (!fleet->left_ended && !fleet->fencing) { // else more may come with the answer
        fleet->left_ended = true;
        fleet->fence_wanted = true;
    }
}

// ---- fencing ------------------------------------------------------------------------------------

struct fencing {
    struct store_op_fence fence; // first
    int64_t *except;
};

// Jobs that are for other nodes: those take over what waits of them.
static void fence_except(struct engine *engine, struct fencing *fencing)
{
    size_t at = 0;
    size_t count = 0;
    size_t capacity = 0;
    for (const struct engine_job *job; (job = map_next(&engine->jobs, &at)) != NULL;) {
        if (!fleet_may_run(engine, job->job)) {
            ARRAY_RESERVE(fencing->except, count, capacity);
            fencing->except[count++] = job->job_id;
        }
    }
    fencing->fence.except = fencing->except;
    fencing->fence.except_count = count;
}

static void fence_on_done(struct store_op *op)
{
    struct fencing *fencing = CONTAINER_OF(op, struct fencing, fence.op);
    struct engine *engine = op->context;
    const struct engine_events *events = engine->options.events;
    engine->fleet.fencing = false;
    link_answered(op);
    if (op->result == STORE_OK) {
        engine->fleet.fence_wanted = false;
        engine->fleet.fencing_id = (struct uuid){{0}};
        for (size_t i = 0; i < fencing->fence.fenced_count; i++) {
            events->on_fenced(events->context, fencing->fence.fenced[i]);
        }
        fence_left(engine, fencing->fence.left, fencing->fence.left_count);
        fence_lost(engine, fencing->fence.lost, fencing->fence.lost_count);
        fence_adopt(engine, fencing->fence.waiting, fencing->fence.waiting_count);
        if (fencing->fence.fenced_count + fencing->fence.lost_count == 0) {
            struct mono now = clock_mono(engine->options.clock);
            engine->fleet.fence_at = mono_add(now, FENCE_SELDOM); // what is left is for others
        }
    }
    free(fencing->except);
    fleet_tell(engine); // who is there now? Or is it this node that was fenced?
    link_free(op);
}

// The same until it has been answered, so that what was done at the first time is not missed.
static struct uuid fencing_id(struct engine *engine)
{
    struct uuid *id = &engine->fleet.fencing_id;
    if (uuid_is_nil(*id)) {
        uint8_t bytes[10];
        engine->options.random(bytes, sizeof bytes);
        *id = uuid_v7(instant_ms(engine_now(engine)), bytes);
    }
    return *id;
}

static void fence_submit(struct engine *engine)
{
    struct fencing *fencing = alloc_zero(1, sizeof *fencing);
    fencing->fence = (struct store_op_fence){
        .op = {.kind = STORE_FENCE, .done = fence_on_done},
        .node = engine->options.node,
        .fencing_id = fencing_id(engine),
        .ended = engine->fleet.left,
        .ended_count = engine->fleet.left_ended ? engine->fleet.left_count : 0,
        .lost_retry = lost_retry,
        .lost_context = engine};
    fence_except(engine, fencing);
    engine->fleet.fencing = true;
    // What is done as soon as it is written may be lost on the way to us: it is asked for again.
    engine->fleet.fence_wanted = true;
    link_submit(engine, &fencing->fence.op);
}

// The dead one's id, or what stands for all that dead ones left, says who is to do it.
static int rank_of_case(const struct engine *engine, bool orphans)
{
    static const char word[] = "orphans";
    const struct fleet *fleet = &engine->fleet;
    int rank = orphans ? fleet_rank_of(engine, word, sizeof word - 1) : -1;
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_member *member = &fleet->members[i];
        if (member->is_overdue) {
            int own = fleet_rank_of(engine, member->node.bytes, sizeof member->node.bytes);
            rank = rank < 0 || own < rank ? own : rank;
        }
    }
    return rank;
}

void fence_consider(struct engine *engine, bool orphans)
{
    struct fleet *fleet = &engine->fleet;
    int rank = rank_of_case(engine, orphans);
    if (rank >= 0 && !fleet->fence_due) {
        fleet->fence_at = mono_add(clock_mono(engine->options.clock), fleet_delay(rank));
    }
    fleet->fence_due = rank >= 0;
}

// Whoever drains leaves it to the others, but where there are none.
static bool may_fence(const struct engine *engine)
{
    bool rests = engine->draining || (engine->drain.on && fleet_has_node(engine, NULL));
    return !rests && !engine->fleet.fencing && fleet_may_act(engine) && link_is_open(engine);
}

void fence_turn(struct engine *engine, struct mono now)
{
    struct fleet *fleet = &engine->fleet;
    bool due = fleet->fence_due && !mono_before(now, fleet->fence_at);
    bool again = fleet->fence_wanted && !mono_before(now, fleet->fence_at);
    if ((due || again) && may_fence(engine)) {
        fleet->fence_at = mono_add(now, FENCE_PAUSE);
        fence_submit(engine);
    }
}
