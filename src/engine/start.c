// SPDX-License-Identifier: MIT
// A node comes to life: it joins the store, learns what its predecessor left, publishes the
// definitions, and takes over attempts that wait.
#include "engine/engine_private.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static struct instant lost_retry(void *context, const struct store_lost *lost, struct instant now)
{
    const struct map *definitions = context;
    return fence_lost_retry(map_get(definitions, lost->job), lost, now);
}

// How far the time of the boot may be off: it is the clock less what has passed; clocks are set.
#define BOOT_SLACK DURATION_S(86400)

struct boot_search {
    const char *boot_id;
    struct instant not_before; // nodes of this boot started later
    bool found;
};

static bool boot_row(void *context, const struct store_audit_row *row)
{
    struct boot_search *search = context;
    json_t *detail = row->detail == NULL ? NULL : json_loads(row->detail, 0, NULL);
    const char *boot_id = json_string_value(json_object_get(detail, "boot_id"));
    search->found = boot_id != NULL && strcmp(boot_id, search->boot_id) == 0 &&
                    json_is_true(json_object_get(detail, "schedules"));
    json_decref(detail);
    return !search->found && !instant_before(row->at, search->not_before);
}

static bool waits_for_boot(const struct job_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->jobs[i].schedule.kind == SCHEDULE_REBOOT) {
            return true;
        }
    }
    return false;
}

// @reboot is due once a boot of the host, however often the node starts: has a node of this boot
// been here? The log may be long, so that it is asked only where it matters, and no further back
// than the boot.
static bool boot_is_known(const struct engine *engine, bool *known_out, struct error *err)
{
    struct instant boot = engine->options.booted_at;
    struct boot_search search = {
        .boot_id = waits_for_boot(&engine->set->set) ? engine->options.boot_id : NULL,
        .not_before = instant_is_none(boot) ? (struct instant){INT64_MIN}
                                            : instant_add(boot, DURATION_US(-BOOT_SLACK.us))};
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
    const struct engine_options *options = &engine->options;
    struct mono sent = clock_mono(options->clock);
    json_t *facts = json_pack("{s:s*, s:b, s:s, s:b, s:s}", "boot_id", options->boot_id, "dry_run",
                              options->dry_run, "host", options->host, "schedules",
                              options->schedules, "version", options->version);
    char *detail = json_dumps(facts, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(facts);
    *join_out = (struct store_op_join){.op = {.kind = STORE_JOIN},
                                       .node = options->node,
                                       .host = options->host,
                                       .version = options->version,
                                       .detail = detail,
                                       .alone = options->alone,
                                       .dead = options->predecessor,
                                       .lease = options->lease,
                                       .grace = options->grace,
                                       .dry_run = options->dry_run,
                                       .max_running = options->max_running,
                                       .labels = options->labels,
                                       .lost_retry = lost_retry,
                                       .lost_context = definitions};
    bool joined = store_call(options->store, &join_out->op, err);
    free(detail);
    if (!joined) {
        return error_wrap(err, "joining the store");
    }
    engine->joined_at = join_out->now;
    fleet_joined(engine, sent, join_out->now);
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
        struct engine_job *job = engine_job_put(engine, &set->jobs[i]);
        job->job_id = row == NULL ? 0 : row->job_id;
    }
    map_release(&known);
}

static bool register_items(struct engine *engine, struct store_publish_item *items, size_t count,
                           struct instant at, struct error *err)
{
    struct store_op_publish publish = {.op = {.kind = STORE_PUBLISH},
                                       .node = engine->options.node,
                                       .version = engine->set->set.version,
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
    size_t next = 0;
    for (const struct engine_job *job; (job = map_next(&engine->jobs, &next)) != NULL;) {
        if (job->job_id == 0) {
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
    bool done = pauses_load(engine, &load, err);
    if (boot_known) {
        engine->options.booted_at = INSTANT_NONE;
    }
    if (done && engine->options.schedules) {
        done = publish_all(engine, set, &load, joined->now, err);
    } else if (done) {
        jobs_adopt_only(engine, set, &load);
        done = register_jobs(engine, joined->now, err);
    }
    if (done) {
        fence_lost(engine, joined->lost, joined->lost_count);
    }
    // In a fleet nothing waits on a new node, and what dead ones left is taken over by fencing.
    if (done && engine->options.schedules && engine->options.alone) {
        fence_adopt(engine, load.retries, load.retry_count);
    }
    store_op_release(&load.op);
    return done;
}

bool start_node(struct engine *engine, struct job_set *set, struct error *err)
{
    engine->set = engine_set_new(set);
    bool boot_known = false;
    struct store_op_join joined;
    AUTO(map_release) struct map definitions = job_set_by_name(set);
    if (!boot_is_known(engine, &boot_known, err) || !join(engine, &definitions, &joined, err)) {
        return false;
    }
    engine->unsealed = true;
    bool met = engine->options.alone || fleet_meet(engine, err);
    bool done = met && start_with(engine, &joined, boot_known, err) && control_load(engine, err);
    store_op_release(&joined.op);
    return done;
}
