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
    fence_left(engine, join_out->left, join_out->left_count);
    drain_as_before(engine, &join_out->drain);
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

static bool start_with(struct engine *engine, const struct store_op_join *joined, struct error *err)
{
    struct store_op_load load = {.op = {.kind = STORE_LOAD}};
    if (!store_call(engine->options.store, &load.op, err)) {
        return error_wrap(err, "loading the store");
    }
    const struct job_set *set = &engine->set->set;
    bool done = pauses_load(engine, &load, err) && boots_look(engine, err);
    if (done && engine->options.schedules) {
        done = publish_at_start(engine, &load, joined->now, err);
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
    map_release(&engine->boot_left); // its keys are of these definitions
    map_init(&engine->boot_left);
    return done;
}

bool start_node(struct engine *engine, struct job_set *set, struct error *err)
{
    engine->set = engine_set_new(set);
    struct store_op_join joined;
    AUTO(map_release) struct map definitions = job_set_by_name(set);
    if (!join(engine, &definitions, &joined, err)) {
        return false;
    }
    engine->unsealed = true;
    engine->turned_at = clock_mono(engine->options.clock);
    bool met = engine->options.alone || fleet_meet(engine, err);
    bool done = met && start_with(engine, &joined, err) && control_load(engine, err);
    store_op_release(&joined.op);
    return done;
}
