// SPDX-License-Identifier: MIT
#include "cli/overview.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "document/recorded.h"

#define OVERVIEW_MAX ((size_t)4 * 1024 * 1024 * 1024)
#define RECENT_NODES 8

struct loading {
    struct overview *overview;
    struct map by_name;
};

static bool note_job(void *context, const struct store_job *row)
{
    struct loading *loading = context;
    struct job_view *view = map_get(&loading->by_name, row->name);
    if (view != NULL && row->spec != NULL) {
        view->is_known = true;
        view->high_water = row->high_water;
        view->last_success = row->last_success;
    }
    return true;
}

static bool note_running(void *context, const struct store_run_row *row)
{
    struct loading *loading = context;
    struct job_view *view = map_get(&loading->by_name, row->job);
    if (view != NULL && node_list_cut_off(&loading->overview->fleet, row)) {
        view->cut_off++;
    } else if (view != NULL) {
        view->running++;
    }
    return true;
}

static bool note_last(void *context, const struct store_run_row *row)
{
    struct loading *loading = context;
    struct job_view *view = map_get(&loading->by_name, row->job);
    if (view == NULL) {
        return true;
    }
    struct arena *arena = &loading->overview->arena;
    struct store_run_row *last = arena_alloc(arena, 1, sizeof *last);
    *last = *row;
    last->job = view->job->name;
    last->error = row->error != NULL ? arena_string(arena, row->error) : NULL;
    view->last = last;
    return true;
}

static bool read_runs(struct loading *loading, struct store *store, struct error *err)
{
    struct store_run_filter running = {
        .by_state = true, .state = RUN_STARTED, .since = INSTANT_NONE, .until = INSTANT_NONE};
    struct store_run_filter last = {
        .last_of_each_job = true, .since = INSTANT_NONE, .until = INSTANT_NONE};
    return store->ops->read_runs(store, &running, note_running, loading, err) &&
           store->ops->read_runs(store, &last, note_last, loading, err);
}

// What the node said of itself when it started.
struct node_search {
    struct overview *overview;
    const char *node;
};

static bool note_node(void *context, const struct store_audit_row *row)
{
    struct node_search *search = context;
    char node[UUID_TEXT_SIZE];
    uuid_format(row->node, node);
    if (strcmp(node, search->node) != 0) {
        return true;
    }
    json_t *detail = row->detail != NULL ? json_loads(row->detail, 0, NULL) : NULL;
    search->overview->node_is_dry_run = json_is_true(json_object_get(detail, "dry_run"));
    json_decref(detail);
    return false;
}

static bool read_node(struct overview *overview, const struct session *session, struct error *err)
{
    if (session->config->store_url != NULL) {
        overview->node_is_dry_run = overview->fleet.dry_run > 0;
        return true;
    }
    struct node_search search = {overview, session->node.node};
    struct store_audit_filter filter = {.event = "NODE_STARTED",
                                        .since = INSTANT_NONE,
                                        .until = INSTANT_NONE,
                                        .limit = RECENT_NODES,
                                        .newest_first = true};
    return !session->has_node ||
           session->store->ops->read_audit(session->store, &filter, note_node, &search, err);
}

static bool read_store(struct loading *loading, const struct session *session, struct error *err)
{
    struct store *store = session->store;
    return store == NULL ||
           (store->ops->read_jobs(store, NULL, note_job, loading, err) &&
            node_list_load(&loading->overview->fleet, session, err) &&
            read_runs(loading, store, err) && read_node(loading->overview, session, err));
}

// ---- the jobs -----------------------------------------------------------------------------------

struct recording {
    struct overview *overview;
    struct zone_cache *zones;
    size_t capacity; // 0: they are only counted
    struct error *err;
    bool failed;
};

static bool take_recorded(void *context, const struct store_job *row)
{
    struct recording *recording = context;
    struct overview *overview = recording->overview;
    if (row->spec == NULL) {
        return true;
    }
    if (recording->capacity > 0) {
        const struct job *job =
            recorded_job(row->name, row->spec, recording->zones, &overview->arena, recording->err);
        recording->failed = job == NULL;
        if (job == NULL || overview->count == recording->capacity) {
            return false;
        }
        overview->views[overview->count] = (struct job_view){.job = job, .is_recorded = true};
    }
    overview->count++;
    return true;
}

static bool take_from_store(struct overview *overview, const struct session *session,
                            struct error *err)
{
    struct recording recording = {
        .overview = overview, .zones = session->config->zones, .err = err};
    const struct store_ops *ops = session->store->ops;
    if (!ops->read_jobs(session->store, NULL, take_recorded, &recording, err)) {
        return false;
    }
    recording.capacity = overview->count + 1;
    overview->views = arena_alloc(&overview->arena, recording.capacity, sizeof *overview->views);
    overview->count = 0;
    return ops->read_jobs(session->store, NULL, take_recorded, &recording, err) &&
           !recording.failed;
}

// Slots that wait for other jobs: asked for only where a job comes after others.
static bool read_waiting(struct loading *loading, const struct session *session, struct error *err)
{
    struct overview *overview = loading->overview;
    bool any = false;
    for (size_t i = 0; i < overview->count && !any; i++) {
        any = overview->views[i].job->after != NULL;
    }
    if (!any || session->store == NULL) {
        return true;
    }
    struct store_op_load load = {.op = {.kind = STORE_LOAD}};
    if (!store_call(session->store, &load.op, err)) {
        return false;
    }
    for (size_t i = 0; i < load.retry_count; i++) {
        const struct store_retry *slot = &load.retries[i];
        for (size_t j = 0; slot->attempt == 1 && j < load.job_count; j++) {
            struct job_view *view = load.jobs[j].job_id == slot->job_id
                                        ? map_get(&loading->by_name, load.jobs[j].name)
                                        : NULL;
            if (view != NULL) {
                view->waiting++;
            }
        }
    }
    store_op_release(&load.op);
    return true;
}

static bool make_views(struct overview *overview, const struct session *session, struct error *err)
{
    const struct config *config = session->config;
    if (config->is_faulty && session->store != NULL) {
        if (!take_from_store(overview, session, err)) {
            return false;
        }
    } else {
        overview->count = config->job_count;
        overview->views =
            arena_alloc(&overview->arena, config->job_count + 1, sizeof *overview->views);
        for (size_t i = 0; i < config->job_count; i++) {
            overview->views[i].job = &config->jobs[i];
        }
    }
    for (size_t i = 0; i < overview->count; i++) {
        struct job_view *view = &overview->views[i];
        view->high_water = view->next_due = INSTANT_NONE;
        view->late_since = view->last_success = INSTANT_NONE;
        view->nodes = &overview->fleet.gone;
    }
    return true;
}

bool overview_load(struct overview *overview, const struct session *session, struct error *err)
{
    *overview = (struct overview){.now = session_now(session)};
    arena_init(&overview->arena, OVERVIEW_MAX);
    if (!control_set_load(&overview->controls, session->store, err)) {
        return false;
    }
    struct loading loading = {.overview = overview};
    map_init(&loading.by_name);
    bool ok = make_views(overview, session, err);
    for (size_t i = 0; i < overview->count; i++) {
        map_put(&loading.by_name, overview->views[i].job->name, &overview->views[i]);
    }
    ok = ok && read_store(&loading, session, err) && read_waiting(&loading, session, err);
    map_release(&loading.by_name);
    for (size_t i = 0; ok && i < overview->count; i++) {
        job_view_judge(&overview->views[i], &overview->controls, overview->now);
    }
    return ok;
}

void overview_release(struct overview *overview)
{
    control_set_release(&overview->controls);
    node_list_release(&overview->fleet);
    arena_release(&overview->arena);
    *overview = (struct overview){0};
}

const struct job_view *overview_job(const struct overview *overview, const char *name)
{
    for (size_t i = 0; i < overview->count; i++) {
        if (strcmp(overview->views[i].job->name, name) == 0) {
            return &overview->views[i];
        }
    }
    return NULL;
}

enum colour job_view_colour(const struct job_view *view)
{
    if (job_view_is_failing(view)) {
        return COLOUR_BAD;
    }
    if (view->pause != NULL || view->dry_run != NULL || view->throttle != NULL) {
        return COLOUR_WARN;
    }
    return view->running > 0 ? COLOUR_BOLD : view->last == NULL ? COLOUR_DIM : COLOUR_GOOD;
}
