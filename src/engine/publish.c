// SPDX-License-Identifier: MIT
// Definitions come into force: at the start and at a reload. First everything that the schedules
// before demanded up to now is decided, then the new ones are recorded as in force from now on, so
// that the ledger has neither gap nor overlap at the border.
#include "engine/engine_private.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

void set_release(struct engine_set *set)
{
    if (set == NULL || --set->references > 0) {
        return;
    }
    if (set->set.release != NULL) {
        set->set.release(set->set.owner);
    }
    free(set);
}

static struct engine_set *set_new(const struct job_set *set)
{
    struct engine_set *held = alloc_zero(1, sizeof *held);
    held->set = *set;
    held->references = 1;
    return held;
}

static struct map definitions_of(const struct job_set *set)
{
    struct map definitions;
    map_init(&definitions);
    for (size_t i = 0; i < set->count; i++) {
        map_put(&definitions, set->jobs[i].name, (void *)(uintptr_t)&set->jobs[i]);
    }
    return definitions;
}

// ---- slots of a schedule that goes out of force
// ---------------------------------------------------

struct closing { // one job's remaining slots
    struct engine *engine;
    int64_t job_id;
    enum store_decision decision;
    enum slot_reason reason;
    struct store_slot *slots;
    size_t count;
};

static bool closing_flush(struct closing *closing, struct error *err)
{
    if (closing->count == 0) {
        return true;
    }
    struct store_op_decide decide = {.op = {.kind = STORE_DECIDE},
                                     .node = closing->engine->options.node,
                                     .slots = closing->slots,
                                     .slot_count = closing->count};
    closing->count = 0;
    bool done = store_call(closing->engine->options.store, &decide.op, err);
    if (done) {
        store_op_release(&decide.op);
    }
    return done;
}

static bool closing_add(struct closing *closing, struct instant due, struct error *err)
{
    closing->slots[closing->count++] = (struct store_slot){.job_id = closing->job_id,
                                                           .due_at = due,
                                                           .attempt = 1,
                                                           .decision = closing->decision,
                                                           .reason = closing->reason,
                                                           .trigger = TRIGGER_SCHEDULE};
    return closing->count < STORE_BATCH_MAX || closing_flush(closing, err);
}

static bool closing_run(struct closing *closing, const struct schedule *schedule,
                        struct instant after, struct instant until, struct error *err)
{
    if (schedule->kind == SCHEDULE_REBOOT) {
        return true;
    }
    for (struct instant t = schedule_next(schedule, after);
         !instant_is_none(t) && !instant_before(until, t); t = schedule_next(schedule, t)) {
        if (!closing_add(closing, t, err)) {
            return false;
        }
    }
    return closing_flush(closing, err);
}

// Reads a schedule that was recorded as in force. One that this machine can't read any more (its
// zone is gone) is left as it is: `audit verify` will name it.
static bool spec_read(const char *spec, const char *name, struct zone_cache *zones,
                      struct schedule *schedule_out)
{
    const char *text;
    const char *zone_text;
    const char *dst;
    struct error ignored = ERROR_INIT;
    const struct zone *zone;
    json_t *json = json_loads(spec, 0, NULL);
    bool read =
        json != NULL &&
        json_unpack(json, "{s:s, s:s, s:s}", "schedule", &text, "timezone", &zone_text, "dst",
                    &dst) == 0 &&
        zone_cache_get(zones, zone_text, &zone, &ignored) &&
        schedule_parse(text, zone, strcmp(dst, "skip") == 0 ? SCHEDULE_DST_SKIP : SCHEDULE_DST_RUN,
                       name, schedule_out, &ignored);
    json_decref(json);
    return read;
}

// ---- publishing
// ----------------------------------------------------------------------------------

struct publication {
    struct store_op_publish publish;
    struct arena arena;
    struct map old;   // name → store_job in force before
    struct map names; // of the new set
    size_t added, changed, removed;
};

static void publication_item(struct publication *p, const char *name, const char *spec)
{
    p->publish.items[p->publish.item_count++] =
        (struct store_publish_item){.name = name, .spec = spec};
}

static void publication_fill(struct publication *p, const struct job_set *set,
                             const struct store_op_load *load)
{
    map_init(&p->old);
    map_init(&p->names);
    arena_init(&p->arena, (size_t)2 << 30);
    for (size_t i = 0; i < load->job_count; i++) {
        map_put(&p->old, load->jobs[i].name, &load->jobs[i]);
    }
    p->publish.items =
        arena_alloc(&p->arena, set->count + load->job_count + 1, sizeof *p->publish.items);
    for (size_t i = 0; i < set->count; i++) {
        char *spec = job_schedule_spec(&set->jobs[i]);
        publication_item(p, set->jobs[i].name, arena_string(&p->arena, spec));
        free(spec);
        map_put(&p->names, set->jobs[i].name, (void *)(uintptr_t)&set->jobs[i]);
        const struct store_job *old = map_get(&p->old, set->jobs[i].name);
        bool in_force = old != NULL && old->spec != NULL;
        p->added += !in_force;
        p->changed +=
            in_force && strcmp(old->spec, p->publish.items[p->publish.item_count - 1].spec) != 0;
    }
    for (size_t i = 0; i < load->job_count; i++) {
        const struct store_job *old = &load->jobs[i];
        if (old->spec != NULL && map_get(&p->names, old->name) == NULL) {
            publication_item(p, old->name, NULL);
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
    struct closing closing = {.engine = engine, .decision = DECIDE_MISS};
    closing.slots = arena_alloc(&p->arena, STORE_BATCH_MAX, sizeof *closing.slots);
    for (size_t i = 0; i < p->publish.item_count; i++) {
        const struct store_publish_item *item = &p->publish.items[i];
        const struct store_job *old = map_get(&p->old, item->name);
        bool ends = old != NULL && old->spec != NULL &&
                    (item->spec == NULL || strcmp(item->spec, old->spec) != 0);
        struct schedule schedule;
        if (!ends || !spec_read(old->spec, old->name, set->zones, &schedule)) {
            continue;
        }
        closing.job_id = old->job_id;
        bool gone = item->spec == NULL;
        closing.decision = engine->live && !gone ? DECIDE_SKIP : DECIDE_MISS;
        closing.reason = gone ? REASON_REMOVED : engine->live ? REASON_CHANGED : REASON_DOWNTIME;
        if (!closing_run(&closing, &schedule, old->high_water, at, err)) {
            return error_wrap(err, "closing the slots of job %s under its old schedule", old->name);
        }
    }
    return true;
}

static bool publication_submit(struct engine *engine, struct publication *p, const char *hash,
                               struct instant at, struct error *err)
{
    char detail[256];
    snprintf(detail, sizeof detail,
             "{\"added\":%zu,\"changed\":%zu,\"hash\":\"%s\",\"removed\":%zu}", p->added,
             p->changed, hash == NULL ? "" : hash, p->removed);
    p->publish.op.kind = STORE_PUBLISH;
    p->publish.node = engine->options.node;
    p->publish.actor = engine->options.actor;
    p->publish.detail = detail;
    p->publish.at = at;
    if (!store_call(engine->options.store, &p->publish.op, err)) {
        return error_wrap(err, "publishing the job definitions");
    }
    engine->unsealed = true;
    return true;
}

// ---- the engine's own jobs
// -----------------------------------------------------------------------

static struct engine_job *job_put(struct engine *engine, const struct job *definition)
{
    struct engine_job *job = map_get(&engine->jobs, definition->name);
    if (job == NULL) {
        job = alloc_zero(1, sizeof *job);
        job->serial = ++engine->serial;
        job->last_success = INSTANT_NONE;
        job->next_due = INSTANT_NONE;
        job->cursor = INSTANT_NONE;
    } else if (job->removed) {
        job->removed = false;
        engine->removed--;
        set_release(job->kept);
        job->kept = NULL;
    }
    job->job = definition;
    map_remove(&engine->jobs, definition->name); // the key must be the new definition's
    map_put(&engine->jobs, definition->name, job);
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
    ready_remove(engine, job);
    planner_unplan(engine, job);
    job->wait = WAIT_NONE;
    job->cursor = cursor;
    job->miss_until = job->catchup_until = (struct instant){0};
}

// Takes over what the store says of the jobs, and plans them.
static void jobs_adopt(struct engine *engine, struct publication *p, const struct job_set *set,
                       struct instant at)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct store_publish_item *item = &p->publish.items[i];
        const struct store_job *old = map_get(&p->old, item->name);
        bool same = old != NULL && old->spec != NULL && strcmp(old->spec, item->spec) == 0;
        bool known = map_get(&engine->jobs, item->name) != NULL;
        struct engine_job *job = job_put(engine, &set->jobs[i]);
        job->job_id = item->job_id;
        if (!known && old != NULL) {
            job->last_success = old->last_success;
            job->throttle_count = old->throttle_count;
        }
        if (same && known) {
            if (heap_contains(&job->planned)) {
                planner_plan(engine, job); // jitter, or the rules of its zone, may be new
            }
            continue;
        }
        job_begin(engine, job, same ? old->high_water : at);
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
    engine->removed++;
}

void publish_sweep(struct engine *engine)
{
    for (size_t i = 0; engine->removed > 0 && i < engine->jobs.count; i++) {
        struct engine_job *job = engine->jobs.entries[i].value;
        bool idle = engine->jobs.entries[i].key != NULL && job->removed && job->running == 0 &&
                    job->in_flight == 0 && job->retries == 0;
        if (idle) {
            map_remove(&engine->jobs, job->job->name);
            set_release(job->kept);
            free(job);
            engine->removed--;
        }
    }
}

// ---- at the start
// --------------------------------------------------------------------------------

// Slots whose attempts were under way when the last node ended.
static void retries_adopt(struct engine *engine, const struct store_op_load *load)
{
    for (size_t i = 0; i < load->retry_count; i++) {
        const struct store_retry *waiting = &load->retries[i];
        for (size_t j = 0; j < engine->jobs.count; j++) {
            struct engine_job *job = engine->jobs.entries[j].value;
            if (engine->jobs.entries[j].key != NULL && job->job_id == waiting->job_id) {
                retry_add(engine, job, waiting->due_at, waiting->attempt, waiting->retry_at);
                break;
            }
        }
    }
}

// Runs of nodes that died are counted here. Whether they are tried again is asked by the store
// within the commit that ends them; the attempts to come are among the retries that it loads.
static void lost_adopt(struct engine *engine, const struct store_op_join *join)
{
    const struct engine_events *events = engine->options.events;
    for (size_t i = 0; i < join->lost_count; i++) {
        const struct store_lost *lost = &join->lost[i];
        const struct engine_job *job = map_get(&engine->jobs, lost->job);
        if (job == NULL) {
            continue;
        }
        struct engine_run facts = {.job = job->job,
                                   .run_id = lost->run_id,
                                   .due_at = lost->due_at,
                                   .attempt = lost->attempt,
                                   .trigger = lost->trigger};
        events->on_ended(events->context, &facts, RUN_LOST, FAILURE_LOST, DURATION_S(0),
                         "its node died");
    }
}

static struct instant lost_retry(void *context, const struct store_lost *lost, struct instant now)
{
    const struct map *definitions = context;
    const struct job *job = map_get(definitions, lost->job);
    bool again = job != NULL && job->on_lost == JOB_LOST_RETRY && lost->attempt < ATTEMPTS_MAX;
    return again ? now : INSTANT_NONE;
}

struct boot_search {
    const char *boot_id;
    bool found;
};

static bool boot_row(void *context, const struct store_audit_row *row)
{
    struct boot_search *search = context;
    search->found = row->detail != NULL && strstr(row->detail, search->boot_id) != NULL &&
                    strstr(row->detail, "\"schedules\":true") != NULL;
    return !search->found;
}

// @reboot is due once a boot of the host, however often the node starts: has a node of this boot
// been here?
static bool boot_is_known(const struct engine *engine, bool *known_out, struct error *err)
{
    struct boot_search search = {.boot_id = engine->options.boot_id};
    struct store_audit_filter filter = {.event = "NODE_STARTED",
                                        .since = INSTANT_NONE,
                                        .until = INSTANT_NONE,
                                        .newest_first = true,
                                        .limit = 100};
    struct store *store = engine->options.store;
    if (search.boot_id != NULL && !store->ops->read_audit(store, &filter, boot_row, &search, err)) {
        return error_wrap(err, "looking for earlier nodes of this boot");
    }
    *known_out = search.boot_id == NULL || search.found;
    return true;
}

static bool join(struct engine *engine, struct map *definitions, struct store_op_join *join_out,
                 struct error *err)
{
    char detail[512];
    snprintf(
        detail, sizeof detail,
        "{\"boot_id\":\"%s\",\"dry_run\":%s,\"host\":\"%s\",\"schedules\":%s,\"version\":\"%s\"}",
        engine->options.boot_id == NULL ? "" : engine->options.boot_id,
        engine->options.dry_run ? "true" : "false", engine->options.host,
        engine->options.schedules ? "true" : "false", engine->options.version);
    *join_out = (struct store_op_join){.op = {.kind = STORE_JOIN},
                                       .node = engine->options.node,
                                       .host = engine->options.host,
                                       .version = engine->options.version,
                                       .detail = detail,
                                       .lost_retry = lost_retry,
                                       .lost_context = definitions};
    if (!store_call(engine->options.store, &join_out->op, err)) {
        return error_wrap(err, "joining the store");
    }
    return true;
}

// A node that only carries out intents leaves the schedules alone: it needs the jobs and their ids.
static void jobs_adopt_only(struct engine *engine, const struct job_set *set,
                            const struct store_op_load *load)
{
    struct map known;
    map_init(&known);
    for (size_t i = 0; i < load->job_count; i++) {
        map_put(&known, load->jobs[i].name, &load->jobs[i]);
    }
    for (size_t i = 0; i < set->count; i++) {
        const struct store_job *row = map_get(&known, set->jobs[i].name);
        struct engine_job *job = job_put(engine, &set->jobs[i]);
        job->job_id = row == NULL ? 0 : row->job_id;
    }
    map_release(&known);
}

static bool publish_all(struct engine *engine, const struct job_set *set,
                        const struct store_op_load *load, struct instant at, struct error *err)
{
    struct publication p = {0};
    publication_fill(&p, set, load);
    bool done = publication_close_old(engine, &p, set, at, err) &&
                publication_submit(engine, &p, set->hash, at, err);
    if (done) {
        jobs_adopt(engine, &p, set, at);
    }
    publication_release(&p);
    return done;
}

static bool register_items(struct engine *engine, struct store_publish_item *items, size_t count,
                           struct instant at, struct error *err)
{
    struct store_op_publish publish = {.op = {.kind = STORE_PUBLISH},
                                       .node = engine->options.node,
                                       .actor = engine->options.actor,
                                       .detail = "{}",
                                       .at = at,
                                       .items = items,
                                       .item_count = count};
    bool done = store_call(engine->options.store, &publish.op, err);
    if (done) {
        store_op_release(&publish.op);
    }
    return done;
}

// A job that a short-lived node is to run may never have been published: it gets its id by coming
// into force and going out again at the same instant, so that no slot becomes due by it.
static bool register_jobs(struct engine *engine, struct instant at, struct error *err)
{
    struct arena arena;
    arena_init(&arena, (size_t)1 << 30);
    struct store_publish_item *items = arena_alloc(&arena, engine->jobs.count, sizeof *items);
    size_t count = 0;
    for (size_t i = 0; i < engine->jobs.count; i++) {
        const struct engine_job *job = engine->jobs.entries[i].value;
        if (engine->jobs.entries[i].key != NULL && job->job_id == 0) {
            char *spec = job_schedule_spec(job->job);
            items[count].name = job->job->name;
            items[count++].spec = arena_string(&arena, spec);
            free(spec);
        }
    }
    bool done = count == 0 || register_items(engine, items, count, at, err);
    for (size_t i = 0; i < count && done; i++) {
        struct engine_job *job = map_get(&engine->jobs, items[i].name);
        job->job_id = items[i].job_id;
        items[i].spec = NULL;
    }
    done = done && (count == 0 || register_items(engine, items, count, at, err));
    arena_release(&arena);
    return done;
}

static bool start_with(struct engine *engine, const struct store_op_join *joined, bool boot_known,
                       struct error *err)
{
    struct store_op_load load = {.op = {.kind = STORE_LOAD}};
    if (!store_call(engine->options.store, &load.op, err)) {
        return error_wrap(err, "loading the store");
    }
    const struct job_set *set = &engine->set->set;
    bool done = true;
    if (boot_known) {
        engine->options.booted_at = INSTANT_NONE;
    }
    if (engine->options.schedules) {
        done = publish_all(engine, set, &load, joined->now, err);
    } else {
        jobs_adopt_only(engine, set, &load);
        done = register_jobs(engine, joined->now, err);
    }
    if (done) {
        lost_adopt(engine, joined);
    }
    if (done && engine->options.schedules) {
        retries_adopt(engine, &load);
    }
    store_op_release(&load.op);
    return done;
}

bool publish_start(struct engine *engine, struct job_set *set, struct error *err)
{
    engine->set = set_new(set);
    bool boot_known = false;
    struct store_op_join joined;
    AUTO(map_release) struct map definitions = definitions_of(set);
    if (!boot_is_known(engine, &boot_known, err) || !join(engine, &definitions, &joined, err)) {
        return false;
    }
    engine->unsealed = true;
    bool done = start_with(engine, &joined, boot_known, err) && control_load(engine, err);
    store_op_release(&joined.op);
    return done;
}

// ---- at a reload
// ---------------------------------------------------------------------------------

// The store's answers to what is under way come first, so that no slot is decided twice.
static bool settle(struct engine *engine, struct error *err)
{
    decide_flush(engine);
    while (store_pump(engine->options.store)) {
        continue;
    }
    if (engine->store_down || engine->held_count > 0) {
        return error_set(err, ERROR_UNAVAILABLE,
                         "the store does not answer; the old configuration stays in force");
    }
    return true;
}

static bool reload_publish(struct engine *engine, const struct job_set *set, struct error *err)
{
    struct store_op_load load = {.op = {.kind = STORE_LOAD}};
    if (!store_call(engine->options.store, &load.op, err)) {
        return error_wrap(err, "loading the store");
    }
    AUTO(map_release) struct map names = definitions_of(set);
    struct instant at = clock_now(engine->options.clock);
    bool done = publish_all(engine, set, &load, at, err);
    for (size_t i = 0; done && i < engine->jobs.count; i++) {
        struct engine_job *job = engine->jobs.entries[i].value;
        bool gone = engine->jobs.entries[i].key != NULL && !job->removed &&
                    map_get(&names, job->job->name) == NULL;
        if (gone) {
            job_leave(engine, job);
        }
    }
    store_op_release(&load.op);
    return done;
}

bool publish_reload(struct engine *engine, struct job_set *set, struct error *err)
{
    struct engine_set *fresh = set_new(set);
    if (!settle(engine, err) || !reload_publish(engine, &fresh->set, err)) {
        set_release(fresh);
        return false;
    }
    set_release(engine->set); // runs under way hold it on
    engine->set = fresh;
    engine->store_changed = true; // controls name jobs: apply them to the new ones
    return true;
}
