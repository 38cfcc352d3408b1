// SPDX-License-Identifier: MIT
// @reboot is due once a boot of the host, however often a node starts there. What an earlier node
// of this boot has decided is over; what it left undecided, since it was cut off, killed or told to
// drain before its turn came, is due still. Slots say nothing of boots, but who decided them does.
#include "engine/engine_private.h"

#include <jansson.h>
#include <string.h>

// How far the time of the boot may be off: it is the clock less what has passed; clocks are set.
#define BOOT_SLACK DURATION_S(86400)
// So long after the first node of a boot nothing is looked for any more: history goes.
#define LEFT_WITHIN DURATION_S(86400)
#define NODES_MOST  100

struct boot_look {
    const struct engine *engine;
    struct uuid nodes[NODES_MOST]; // the earlier ones, newest first
    size_t count;
    struct instant first; // when the first of them started
    bool found;           // what is looked for
};

static bool waits_for_boot(const struct job_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->jobs[i].schedule.kind == SCHEDULE_REBOOT) {
            return true;
        }
    }
    return false;
}

// ---- who was there ------------------------------------------------------------------------------

static bool is_of_boot(const char *detail_text, const char *boot_id)
{
    json_t *detail = detail_text == NULL ? NULL : json_loads(detail_text, 0, NULL);
    const char *of = json_string_value(json_object_get(detail, "boot_id"));
    bool same = of != NULL && strcmp(of, boot_id) == 0 &&
                json_is_true(json_object_get(detail, "schedules"));
    json_decref(detail);
    return same;
}

static bool node_row(void *context, const struct store_audit_row *row)
{
    struct boot_look *look = context;
    const struct engine_options *options = &look->engine->options;
    if (!uuid_equal(row->node, options->node) && is_of_boot(row->detail, options->boot_id)) {
        look->nodes[look->count++] = row->node;
        look->first = row->at;
    }
    return look->count < NODES_MOST;
}

// The log may be long, so that it is asked no further back than the boot.
static bool find_nodes(struct engine *engine, struct boot_look *look, struct error *err)
{
    struct instant boot = engine->options.booted_at;
    struct store_audit_filter filter = {.event = "NODE_STARTED",
                                        .since = instant_add(boot, DURATION_US(-BOOT_SLACK.us)),
                                        .until = INSTANT_NONE,
                                        .newest_first = true};
    struct store *store = engine->options.store;
    return store->ops->read_audit(store, &filter, node_row, look, err) ||
           error_wrap(err, "looking for earlier nodes of this boot");
}

// ---- what they decided --------------------------------------------------------------------------

static bool is_among(const struct boot_look *look, struct uuid node)
{
    for (size_t i = 0; i < look->count; i++) {
        if (uuid_equal(look->nodes[i], node)) {
            return true;
        }
    }
    return false;
}

static bool run_row(void *context, const struct store_run_row *row)
{
    struct boot_look *look = context;
    bool due = row->trigger == TRIGGER_SCHEDULE || row->trigger == TRIGGER_CATCHUP;
    look->found = look->found || (due && is_among(look, row->node));
    return !look->found;
}

static bool passed_over_row(void *context, const struct store_audit_row *row)
{
    struct boot_look *look = context;
    bool over = strcmp(row->event, "SKIPPED") == 0 || strcmp(row->event, "MISSED") == 0;
    look->found = look->found || (over && is_among(look, row->node));
    return !look->found;
}

static bool force_row(void *context, const struct store_force_row *row)
{
    struct boot_look *look = context;
    look->found = instant_is_none(row->to) && !instant_before(look->first, row->from);
    return true;
}

// Of a job that came after the first node of this boot no slot is due.
static bool is_left(struct store *store, const char *job, struct boot_look *look, bool *left_out,
                    struct error *err)
{
    struct store_run_filter runs = {.job = job, .since = look->first, .until = INSTANT_NONE};
    struct store_audit_filter audit = {
        .job = job, .since = look->first, .until = INSTANT_NONE, .newest_first = true};
    look->found = false;
    if (!store->ops->read_force(store, job, force_row, look, err)) {
        return false;
    }
    bool was_there = look->found;
    look->found = false;
    bool read =
        !was_there ||
        (store->ops->read_runs(store, &runs, run_row, look, err) &&
         (look->found || store->ops->read_audit(store, &audit, passed_over_row, look, err)));
    *left_out = was_there && !look->found;
    return read;
}

static bool is_long_ago(const struct engine *engine, const struct boot_look *look)
{
    struct duration within = LEFT_WITHIN;
    struct duration kept = engine->options.history.runs;
    if (kept.us > 0 && kept.us / 2 < within.us) {
        within.us = kept.us / 2;
    }
    return instant_since(engine->joined_at, look->first).us > within.us;
}

// ---- what is left -------------------------------------------------------------------------------

bool boots_look(struct engine *engine, struct error *err)
{
    const struct job_set *set = &engine->set->set;
    struct boot_look look = {.engine = engine};
    bool asks = engine->options.boot_id != NULL && !instant_is_none(engine->options.booted_at);
    if (!asks || !waits_for_boot(set)) {
        engine->boot_known = true;
        return true;
    }
    if (!find_nodes(engine, &look, err)) {
        return false;
    }
    engine->boot_known = look.count > 0;
    bool looks = look.count > 0 && look.count < NODES_MOST && !is_long_ago(engine, &look);
    for (size_t i = 0; i < set->count && looks; i++) {
        const struct job *job = &set->jobs[i];
        bool left = false;
        if (job->schedule.kind == SCHEDULE_REBOOT &&
            !is_left(engine->options.store, job->name, &look, &left, err)) {
            return error_wrap(err, "looking for what is due since the boot of this host");
        }
        if (left) {
            map_put(&engine->boot_left, job->name, (void *)(uintptr_t)job);
        }
    }
    return true;
}

bool boots_is_over(const struct engine *engine, const char *job)
{
    return engine->boot_known && map_get(&engine->boot_left, job) == NULL;
}
