// SPDX-License-Identifier: MIT
// Definitions come into force: at the start and at a reload. First everything that the schedules
// before demanded up to now is decided, then the new ones are recorded as in force from now on, so
// that the ledger has neither gap nor overlap at the border.
#include "engine/engine_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void engine_set_release(struct engine_set *set)
{
    if (set == NULL || --set->references > 0) {
        return;
    }
    if (set->set.release != NULL) {
        set->set.release(set->set.owner);
    }
    free(set);
}

struct engine_set *engine_set_new(const struct job_set *set)
{
    struct engine_set *held = alloc_zero(1, sizeof *held);
    held->set = *set;
    held->references = 1;
    return held;
}

struct map job_set_by_name(const struct job_set *set)
{
    struct map definitions;
    map_init(&definitions);
    for (size_t i = 0; i < set->count; i++) {
        map_put(&definitions, set->jobs[i].name, (void *)(uintptr_t)&set->jobs[i]);
    }
    return definitions;
}

// ---- publishing ---------------------------------------------------------------------------------

struct publication {
    struct store_op_publish publish;
    struct arena arena;
    struct map old;                // name → store_job in force before
    const struct store_job **olds; // of each item; NULL = new
    struct instant *marks;         // of each item, where it is not in force unchanged
    struct map names;              // of the new set
    size_t added, changed, removed;
};

static void publication_item(struct publication *p, const char *name, const char *spec,
                             const struct store_job *old)
{
    p->olds[p->publish.item_count] = old;
    p->publish.items[p->publish.item_count++] =
        (struct store_publish_item){.name = name, .spec = spec};
}

static void publication_fill(struct publication *p, const struct job_set *set,
                             const struct store_op_load *load)
{
    map_init(&p->old);
    p->names = job_set_by_name(set);
    arena_init(&p->arena, (size_t)2 << 30);
    for (size_t i = 0; i < load->job_count; i++) {
        map_put(&p->old, load->jobs[i].name, &load->jobs[i]);
    }
    size_t most = set->count + load->job_count + 1;
    p->publish.items = arena_alloc(&p->arena, most, sizeof *p->publish.items);
    p->olds = arena_alloc(&p->arena, most, sizeof *p->olds);
    for (size_t i = 0; i < set->count; i++) {
        char *spec = job_schedule_spec(&set->jobs[i]);
        const struct store_job *old = map_get(&p->old, set->jobs[i].name);
        bool in_force = old != NULL && old->spec != NULL;
        p->added += !in_force;
        p->changed += in_force && strcmp(old->spec, spec) != 0;
        publication_item(p, set->jobs[i].name, arena_string(&p->arena, spec), old);
        free(spec);
    }
    for (size_t i = 0; i < load->job_count; i++) {
        const struct store_job *old = &load->jobs[i];
        if (old->spec != NULL && map_get(&p->names, old->name) == NULL) {
            publication_item(p, old->name, NULL, old);
            p->removed++;
        }
    }
}

static void publication_release(struct publication *p)
{
    map_release(&p->old);
    map_release(&p->names);
    arena_release(&p->arena);
    store_op_release(&p->publish.op);
}

// All slots up to `at` of schedules that end there.
static bool publication_close_old(struct engine *engine, struct publication *p,
                                  const struct job_set *set, struct instant at, struct error *err)
{
    struct closing closing = {.engine = engine, .decision = DECIDE_MISS, .version = set->version};
    closing.slots = arena_alloc(&p->arena, STORE_BATCH_MAX, sizeof *closing.slots);
    for (size_t i = 0; i < p->publish.item_count; i++) {
        const struct store_publish_item *item = &p->publish.items[i];
        const struct store_job *old = p->olds[i];
        bool ends = old != NULL && old->spec != NULL &&
                    (item->spec == NULL || strcmp(item->spec, old->spec) != 0);
        struct schedule schedule;
        if (!ends || !closing_read_spec(old->spec, old->name, set->zones, &schedule)) {
            continue;
        }
        closing.job_id = old->job_id;
        closing.job = old->name;
        bool gone = item->spec == NULL;
        closing.decision = engine->live && !gone ? DECIDE_SKIP : DECIDE_MISS;
        closing.reason = gone ? REASON_REMOVED : engine->live ? REASON_CHANGED : REASON_DOWNTIME;
        if (!closing_run(&closing, &schedule, old->high_water, at, err)) {
            return error_wrap(err, "closing the slots of job %s under its old schedule", old->name);
        }
    }
    return true;
}

static bool publication_submit(struct engine *engine, struct publication *p,
                               const struct job_set *set, struct instant at, struct error *err)
{
    const char *hash = set->hash;
    char detail[256];
    snprintf(detail, sizeof detail,
             "{\"added\":%zu,\"changed\":%zu,\"hash\":\"%s\",\"removed\":%zu}", p->added,
             p->changed, hash == NULL ? "" : hash, p->removed);
    p->publish.op.kind = STORE_PUBLISH;
    p->publish.node = engine->options.node;
    p->publish.version = set->version;
    p->publish.actor = engine->options.actor;
    p->publish.detail = detail;
    p->publish.at = at;
    if (!store_call(engine->options.store, &p->publish.op, err)) {
        return error_wrap(err, "publishing the job definitions");
    }
    engine->unsealed = true;
    return true;
}

// ---- the engine's own jobs ----------------------------------------------------------------------

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

// From where on the slots of new and changed jobs are this node's to decide: another node may have
// published the same just before, and then they are in force since an earlier instant.
static bool publication_marks(struct engine *engine, struct publication *p, struct instant at,
                              struct error *err)
{
    bool asks = !engine->options.alone && p->added + p->changed > 0;
    struct store_op_load load = {.op = {.kind = STORE_LOAD}};
    if (asks && !store_call(engine->options.store, &load.op, err)) {
        return error_wrap(err, "loading the store");
    }
    AUTO(map_release) struct map jobs;
    map_init(&jobs);
    for (size_t i = 0; i < load.job_count; i++) {
        map_put(&jobs, load.jobs[i].name, &load.jobs[i]);
    }
    p->marks = arena_alloc(&p->arena, p->publish.item_count + 1, sizeof *p->marks);
    for (size_t i = 0; i < p->publish.item_count; i++) {
        const struct store_job *job = map_get(&jobs, p->publish.items[i].name);
        p->marks[i] = job == NULL ? at : job->high_water;
    }
    store_op_release(&load.op);
    return true;
}

// Takes over what the store says of the jobs, and plans them.
static void jobs_adopt(struct engine *engine, struct publication *p, const struct job_set *set)
{
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

void publish_sweep(struct engine *engine)
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

// Other definitions came into force meanwhile. A node that starts goes on with what it has, decides
// nothing by it, and wants the active ones (engine_wants_version).
static bool may_be_outdated(struct engine *engine, struct error *err)
{
    engine->fleet.outdated = true;
    fleet_tell(engine);
    return !engine->live ||
           error_set(err, ERROR_UNAVAILABLE,
                     "other definitions came into force meanwhile: this node goes on with those");
}

bool publish_all(struct engine *engine, const struct job_set *set, const struct store_op_load *load,
                 struct instant at, struct error *err)
{
    struct publication p = {0};
    publication_fill(&p, set, load);
    engine_feed(engine);
    bool done = publication_close_old(engine, &p, set, at, err) &&
                publication_submit(engine, &p, set, at, err) &&
                (!p.publish.outdated || may_be_outdated(engine, err)) &&
                publication_marks(engine, &p, at, err);
    engine_feed(engine);
    if (done) {
        jobs_adopt(engine, &p, set);
    }
    if (done && !p.publish.outdated) {
        engine->fleet.version = set->version; // what was told before is older
        engine->fleet.outdated = false;
    }
    publication_release(&p);
    return done;
}

// ---- at a reload --------------------------------------------------------------------------------

// The store's answers to what is under way come first, so that no slot is decided twice.
static bool settle(struct engine *engine, struct error *err)
{
    decide_flush(engine);
    store_settle(engine->options.store);
    if (engine->store_down || engine->held_count > 0) {
        return error_set(err, ERROR_UNAVAILABLE, "the store does not answer now");
    }
    return true;
}

static bool reload_publish(struct engine *engine, const struct job_set *set, struct error *err)
{
    struct store_op_load load = {.op = {.kind = STORE_LOAD}};
    if (!store_call(engine->options.store, &load.op, err)) {
        return error_wrap(err, "loading the store");
    }
    AUTO(map_release) struct map names = job_set_by_name(set);
    struct instant at = engine_now(engine);
    bool done = publish_all(engine, set, &load, at, err);
    size_t i = 0;
    for (struct engine_job *job; done && (job = map_next(&engine->jobs, &i)) != NULL;) {
        if (!job->removed && map_get(&names, job->job->name) == NULL) {
            job_leave(engine, job);
        }
    }
    store_op_release(&load.op);
    return done;
}

bool publish_reload(struct engine *engine, struct job_set *set, struct error *err)
{
    struct engine_set *fresh = engine_set_new(set);
    publish_sweep(engine); // else those that the last reload removed would be looked for one by one
    if (!settle(engine, err) || !reload_publish(engine, &fresh->set, err)) {
        engine_set_release(fresh);
        return false;
    }
    engine_set_release(engine->set); // runs under way hold it on
    engine->set = fresh;
    after_forget(engine);
    engine->store_changed = true; // controls name jobs: apply them to the new ones
    return true;
}
