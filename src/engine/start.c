// SPDX-License-Identifier: MIT
// A node comes to life: it joins the store, learns what its predecessor left, publishes the
// definitions, and takes over attempts that wait.
#include "engine/engine_private.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

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

// What nobody will try again, because its job has left the configuration.
static bool retry_close(struct engine *engine, const struct store_retry *waiting, struct error *err)
{
    struct store_slot slot = {.job_id = waiting->job_id,
                              .due_at = waiting->due_at,
                              .decision = DECIDE_SKIP,
                              .trigger = TRIGGER_RETRY,
                              .attempt = waiting->attempt,
                              .reason = REASON_REMOVED};
    struct store_op_decide decide = {.op = {.kind = STORE_DECIDE},
                                     .node = engine->options.node,
                                     .slots = &slot,
                                     .slot_count = 1};
    bool done = store_call(engine->options.store, &decide.op, err);
    if (done) {
        store_op_release(&decide.op);
    }
    return done;
}

// Slots whose attempts were under way when the last node ended, and those that wait for others.
static bool retries_adopt(struct engine *engine, const struct store_op_load *load,
                          struct error *err)
{
    if (load->retry_count == 0) {
        return true;
    }
    struct engine_job **by_id = alloc_zero(engine->jobs.live + 1, sizeof *by_id);
    size_t count = 0;
    size_t at = 0;
    for (struct engine_job *job; (job = map_next(&engine->jobs, &at)) != NULL;) {
        by_id[count++] = job;
    }
    qsort(by_id, count, sizeof *by_id, compare_ids);
    bool done = true;
    for (size_t i = 0; i < load->retry_count && done; i++) {
        const struct store_retry *waiting = &load->retries[i];
        struct engine_job *job = job_of_id(by_id, count, waiting->job_id);
        if (job == NULL) {
            done = retry_close(engine, waiting, err);
        } else if (waiting->attempt == 1) {
            after_add(engine, job, waiting->due_at, waiting->retry_at, TRIGGER_SCHEDULE);
        } else {
            retry_add(engine, job, waiting->due_at, waiting->attempt, waiting->retry_at);
        }
    }
    free(by_id);
    return done;
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
    json_t *facts = json_pack("{s:s*, s:b, s:s, s:b, s:s}", "boot_id", options->boot_id, "dry_run",
                              options->dry_run, "host", options->host, "schedules",
                              options->schedules, "version", options->version);
    char *detail = json_dumps(facts, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(facts);
    *join_out = (struct store_op_join){.op = {.kind = STORE_JOIN},
                                       .node = engine->options.node,
                                       .host = engine->options.host,
                                       .version = engine->options.version,
                                       .detail = detail,
                                       .alone = true,
                                       .lost_retry = lost_retry,
                                       .lost_context = definitions};
    bool joined = store_call(engine->options.store, &join_out->op, err);
    free(detail);
    return joined || error_wrap(err, "joining the store");
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
        lost_adopt(engine, joined);
    }
    if (done && engine->options.schedules) {
        done = retries_adopt(engine, &load, err);
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
    bool done = start_with(engine, &joined, boot_known, err) && control_load(engine, err);
    store_op_release(&joined.op);
    return done;
}
