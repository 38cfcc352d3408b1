// SPDX-License-Identifier: MIT
// When is what due: a heap of the next slot of each job. The store is asked only when one has come.
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

static const struct engine_job *job_of(const struct heap_node *node)
{
    return CONTAINER_OF(node, const struct engine_job, planned);
}

static bool wakes_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct engine_job *x = job_of(a);
    const struct engine_job *y = job_of(b);
    return x->wake.us != y->wake.us ? x->wake.us < y->wake.us : x->serial < y->serial;
}

void planner_init(struct engine *engine)
{
    heap_init(&engine->planner, wakes_before);
}

// Each host has boots of its own, but the job has one mark: where it lies after this boot, another
// host's slot has been decided, and ours is due at the next instant.
static struct instant boot_slot(const struct engine *engine, const struct engine_job *job)
{
    struct instant boot = engine->options.booted_at;
    if (instant_is_none(boot) || job->wait != WAIT_NONE) {
        return INSTANT_NONE; // there is none, or it waits for its turn
    }
    bool passed = !instant_before(job->cursor, boot);
    if (engine->options.alone || job->booted) {
        return passed || job->booted ? INSTANT_NONE : boot;
    }
    return passed ? instant_from_ms(instant_ms(job->cursor) + 1) : boot;
}

// @reboot has one slot a boot, @once at most one; all others follow their schedule.
static struct instant next_slot(const struct engine *engine, const struct engine_job *job)
{
    bool boots = job->job->schedule.kind == SCHEDULE_REBOOT;
    return boots ? boot_slot(engine, job) : schedule_next(&job->job->schedule, job->cursor);
}

struct instant planner_due(const struct engine_job *job)
{
    return instant_add(job->next_due, job_jitter(job->job, job->next_due));
}

void planner_plan(struct engine *engine, struct engine_job *job)
{
    heap_remove(&engine->planner, &job->planned);
    bool mine = fleet_may_run(engine, job->job);
    bool plans = engine->options.schedules && !job->removed && (mine || !engine->options.alone);
    job->next_due = plans ? next_slot(engine, job) : INSTANT_NONE;
    if (instant_is_none(job->next_due)) {
        return;
    }
    CHECK(instant_before(job->cursor, job->next_due));
    if (job->job->schedule.kind == SCHEDULE_REBOOT && !mine) {
        return; // boots of other hosts; of other slots it is looked at what becomes of them
    }
    struct instant due = planner_due(job);
    job->wake = instant_before(due, job->not_before) ? job->not_before : due;
    heap_push(&engine->planner, &job->planned);
}

void planner_postpone(struct engine *engine, struct engine_job *job, struct instant wake)
{
    heap_remove(&engine->planner, &job->planned);
    job->wake = wake;
    heap_push(&engine->planner, &job->planned);
}

// Those that leave their due slot to another node for a moment: it may have gone.
void planner_look_again(struct engine *engine, struct instant now)
{
    const struct heap *heap = &engine->planner;
    struct engine_job **due = alloc_zero(heap->count + 1, sizeof *due);
    size_t count = 0;
    for (size_t i = 0; i < heap->count; i++) {
        struct engine_job *job = CONTAINER_OF(heap->nodes[i], struct engine_job, planned);
        if (!instant_before(now, job->next_due) && instant_before(now, job->wake)) {
            due[count++] = job;
        }
    }
    for (size_t i = 0; i < count; i++) {
        planner_postpone(engine, due[i], planner_due(due[i]));
    }
    free(due);
}

void planner_unplan(struct engine *engine, struct engine_job *job)
{
    heap_remove(&engine->planner, &job->planned);
}

// Each due job is taken out, and put back by whoever decides on its slot. Where a great many are
// due at once the rest waits for the next turn, so that the owner's loop is not held up.
void planner_turn(struct engine *engine, struct instant now)
{
    int taken = 0;
    for (struct heap_node *top; (top = heap_top(&engine->planner)) != NULL;) {
        struct engine_job *job = CONTAINER_OF(top, struct engine_job, planned);
        if (instant_before(now, job->wake)) {
            return;
        }
        if (taken++ == TURN_MAX) {
            engine->busy = true;
            return;
        }
        heap_remove(&engine->planner, &job->planned);
        if (marks_may_decide(engine, job, now)) {
            decide_due(engine, job, now);
        }
    }
}

struct instant planner_wake(const struct engine *engine)
{
    const struct heap_node *top = heap_top(&engine->planner);
    return top == NULL ? INSTANT_NONE : job_of(top)->wake;
}
