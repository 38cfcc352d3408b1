// SPDX-License-Identifier: MIT
// Jobs, by name: what is configured, with what the store knows of the page's jobs.
#include <string.h>

#include "api/api.h"
#include "base/arena.h"
#include "document/job_view.h"
#include "document/json.h"
#include "document/slot_strip.h"
#include "http/problem.h"

#define ARENA_MAX  ((size_t)64 * 1024 * 1024)
#define NEXT_SHOWN 3
#define NEXT_MAX   100

struct looking {
    struct job_view view;
    struct arena *arena;
};

static bool note_job(void *context, const struct store_job *row)
{
    struct job_view *view = &((struct looking *)context)->view;
    if (row->spec != NULL) {
        view->is_known = true;
        view->high_water = row->high_water;
        view->last_success = row->last_success;
    }
    return false;
}

static bool note_running(void *context, const struct store_run_row *row)
{
    struct job_view *view = &((struct looking *)context)->view;
    bool is_cut_off = cut_off_is(view->nodes, row);
    view->cut_off += is_cut_off;
    view->running += !is_cut_off;
    return true;
}

static bool note_last(void *context, const struct store_run_row *row)
{
    struct looking *looking = context;
    struct store_run_row *last = arena_alloc(looking->arena, 1, sizeof *last);
    *last = *row;
    last->job = looking->view.job->name;
    last->error = row->error != NULL ? arena_string(looking->arena, row->error) : NULL;
    looking->view.last = last;
    return false;
}

static bool look(struct api *api, const struct job *job, const struct control_set *controls,
                 const struct cut_off *nodes, struct arena *arena, struct job_view *view_out,
                 struct error *err)
{
    struct looking looking = {.view = {.job = job,
                                       .high_water = INSTANT_NONE,
                                       .next_due = INSTANT_NONE,
                                       .late_since = INSTANT_NONE,
                                       .last_success = INSTANT_NONE,
                                       .nodes = nodes},
                              .arena = arena};
    const struct store_ops *ops = api->store->ops;
    struct store_run_filter running = {.job = job->name, .by_state = true, .state = RUN_STARTED};
    struct store_run_filter last = {.job = job->name, .last_of_each_job = true};
    if (!ops->read_jobs(api->store, job->name, note_job, &looking, err) ||
        !ops->read_runs(api->store, &running, note_running, &looking, err) ||
        !ops->read_runs(api->store, &last, note_last, &looking, err)) {
        return false;
    }
    job_view_judge(&looking.view, controls, clock_now(api->clock));
    *view_out = looking.view;
    return true;
}

// ---- the list -----------------------------------------------------------------------------------

// The index in the order of names of the first job behind `after`.
static size_t begin_behind(const struct config *config, const char *after)
{
    size_t low = 0;
    size_t high = config->job_count;
    while (after != NULL && low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(config->jobs[config->by_name[middle]].name, after) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool list(struct api *api, size_t from, size_t to, json_t *array, struct error *err)
{
    AUTO(control_set_release) struct control_set controls = {0};
    AUTO(arena_release) struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct cut_off nodes;
    if (!control_set_load(&controls, api->store, err) || !api_gone(api, &nodes, err)) {
        return false;
    }
    for (size_t i = from; i < to; i++) {
        struct job_view view;
        const struct job *job = &api->config->jobs[api->config->by_name[i]];
        if (!look(api, job, &controls, &nodes, &arena, &view, err)) {
            return false;
        }
        json_array_append_new(array, json_job(&view));
    }
    return true;
}

void api_get_jobs(void *context, const struct http_request *request, struct http_response *response)
{
    struct api *api = context;
    struct error err = ERROR_INIT;
    size_t limit;
    if (!api_limit(request, &limit, response)) {
        return;
    }
    const struct config *config = api->config;
    size_t from = begin_behind(config, http_request_query(request, "after"));
    size_t to = config->job_count - from > limit ? from + limit : config->job_count;
    json_t *array = json_array();
    if (!list(api, from, to, array, &err)) {
        json_decref(array);
        api_fail(response, &err);
        return;
    }
    api_send(response, 200, array);
    if (to < config->job_count) {
        api_link_next(request, config->jobs[config->by_name[to - 1]].name, response);
    }
}

// ---- one ----------------------------------------------------------------------------------------

// A job that comes after others waits while its slot is open without a run.
static int waiting_of(const struct job *job, const struct slot_strip *strip)
{
    int waiting = 0;
    for (size_t i = 0; job->after != NULL && i < strip->count; i++) {
        const struct slot_mark *mark = &strip->marks[i];
        waiting += mark->kind == MARK_WAITING && mark->run == NULL ? 1 : 0;
    }
    return waiting;
}

void api_get_job(void *context, const struct http_request *request, struct http_response *response)
{
    struct api *api = context;
    struct error err = ERROR_INIT;
    struct job_view view;
    const struct job *job = api_job(api, request, response);
    int64_t count =
        http_request_query(request, "next") == NULL ? NEXT_SHOWN : api_number(request, "next");
    if (job == NULL) {
        return;
    }
    if (count > NEXT_MAX) {
        http_problem(response, 400, "next must be at most %d.", NEXT_MAX);
        return;
    }
    AUTO(control_set_release) struct control_set controls = {0};
    AUTO(arena_release) struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct cut_off nodes;
    if (!control_set_load(&controls, api->store, &err) || !api_gone(api, &nodes, &err) ||
        !look(api, job, &controls, &nodes, &arena, &view, &err)) {
        api_fail(response, &err);
        return;
    }
    AUTO(slot_strip_release) struct slot_strip strip = {0};
    struct instant now = clock_now(api->clock);
    if (!slot_strip_load(&strip, api->store, api->config->zones, &view, now, api->clock, api->reading,
                         &err)) {
        api_fail(response, &err);
        return;
    }
    view.waiting = waiting_of(job, &strip);
    api_send(response, 200, json_job_in_full(&view, &strip, now, (size_t)count));
}
