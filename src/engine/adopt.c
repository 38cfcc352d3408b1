// SPDX-License-Identifier: MIT
// Definitions in force become the engine's own jobs: those that stay go on where they were, others
// begin, and those that are gone leave when their last run has ended.
#include "engine/publication.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static void job_comes_back(struct engine *engine, struct engine_job *job)
{
    size_t at = 0;
    while (engine->removed[at] != job) {
        at++;
    }
    engine->removed[at] = engine->removed[--engine->removed_count];
    job->removed = false;
}

struct engine_job *engine_job_put(struct engine *engine, const struct job *definition)
{
    struct engine_job *job = map_get(&engine->jobs, definition->name);
    struct engine_set *kept = NULL;
    if (job == NULL) {
        job = alloc_zero(1, sizeof *job);
        job->serial = ++engine->serial;
        job->last_success = job->open_due = INSTANT_NONE;
        job->next_due = INSTANT_NONE;
        job->cursor = INSTANT_NONE;
    } else if (job->removed) {
        job_comes_back(engine, job);
        kept = job->kept;
        job->kept = NULL;
    }
    job->job = definition;
    map_put(&engine->jobs, definition->name, job); // the key becomes the new definition's
    engine_set_release(kept);
    return job;
}

static void ready_remove(struct engine *engine, struct engine_job *job)
{
    struct engine_job **link = &engine->ready_first;
    engine->ready_last = NULL;
    while (*link != NULL) {
        if (*link == job) {
            *link = job->next_ready;
            job->next_ready = NULL;
            continue;
        }
        engine->ready_last = *link;
        link = &(*link)->next_ready;
    }
}

// Forgets what the job was about to do; its slots up to now have been closed.
static void job_begin(struct engine *engine, struct engine_job *job, struct instant cursor)
{
    if (job->wait == WAIT_CAPACITY) {
        ready_remove(engine, job); // a walk over all that wait: only for who is among them
    }
    planner_unplan(engine, job);
    job->wait = WAIT_NONE;
    job->cursor = cursor;
    job->miss_until = job->catchup_until = (struct instant){0};
}

static struct instant newer(struct instant a, struct instant b)
{
    return instant_before(a, b) ? b : a;
}

// What this node goes by may be older than what is in force: another node published it.
static bool goes_by(const struct engine *engine, const char *name, const char *spec)
{
    const struct engine_job *job = map_get(&engine->jobs, name);
    char *own = job == NULL ? NULL : job_schedule_spec(job->job);
    bool same = own != NULL && strcmp(own, spec) == 0;
    free(own);
    return same;
}

void adopt_jobs(const struct publication *p)
{
    struct engine *engine = p->engine;
    const struct job_set *set = &p->fresh->set;
    for (size_t i = 0; i < set->count; i++) {
        const struct store_publish_item *item = &p->publish.items[i];
        const struct store_job *old = p->olds[i];
        bool same = old != NULL && old->spec != NULL && strcmp(old->spec, item->spec) == 0;
        bool known = map_get(&engine->jobs, item->name) != NULL;
        bool kept = same && goes_by(engine, item->name, item->spec);
        struct engine_job *job = engine_job_put(engine, &set->jobs[i]);
        job->job_id = p->publish.outdated && old != NULL ? old->job_id : item->job_id;
        if (job->job->schedule.kind == SCHEDULE_REBOOT && !known) {
            // It was not there when the host booted, or a node of this boot has decided it.
            job->booted = engine->live || !same || boots_is_over(engine, item->name);
        }
        if (!known && old != NULL) {
            job->last_success = old->last_success;
            job->throttle_count = old->throttle_count;
        }
        if (kept) {
            if (heap_contains(&job->planned)) {
                job->cursor = newer(job->cursor, old->high_water); // what other nodes decided
                planner_plan(engine, job); // jitter, or the rules of its zone, may be new
            }
            continue;
        }
        job_begin(engine, job, same ? old->high_water : p->marks[i]);
        planner_plan(engine, job);
    }
}

static void job_leave(struct engine *engine, struct engine_job *job)
{
    job_begin(engine, job, job->cursor);
    job->next_due = INSTANT_NONE;
    job->removed = true;
    job->kept = engine->set; // of the definition it still points to
    job->kept->references++;
    ARRAY_RESERVE(engine->removed, engine->removed_count, engine->removed_capacity);
    engine->removed[engine->removed_count++] = job;
}

void adopt_leave(const struct publication *p)
{
    struct engine *engine = p->engine;
    size_t i = 0;
    for (struct engine_job *job; (job = map_next(&engine->jobs, &i)) != NULL;) {
        if (!job->removed && map_get(&p->names, job->job->name) == NULL) {
            job_leave(engine, job);
        }
    }
}

void adopt_sweep(struct engine *engine)
{
    size_t left = 0;
    for (size_t i = 0; i < engine->removed_count; i++) {
        struct engine_job *job = engine->removed[i];
        bool waits = job->retries > 0 || job->afters > 0 || job->backfills > 0 || job->watched;
        if (job->running > 0 || job->in_flight > 0 || waits) {
            engine->removed[left++] = job;
            continue;
        }
        map_remove(&engine->jobs, job->job->name);
        engine_set_release(job->kept);
        free(job);
    }
    engine->removed_count = left;
}
