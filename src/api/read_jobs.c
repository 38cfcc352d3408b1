// SPDX-License-Identifier: MIT
// Jobs, by name: what is configured, with what the store knows of the page's jobs.
#include <string.h>

#include "api/api.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "document/job_view.h"
#include "document/json.h"
#include "document/slot_strip.h"
#include "http/problem.h"

#define ARENA_MAX  ((size_t)64 * 1024 * 1024)
#define NEXT_SHOWN 3
#define NEXT_MAX   100
// A page asks for all jobs at once where they are no more than so many times its own: on a server
// each question takes some milliseconds, however little it is about.
#define ALL_AT_ONCE 50

struct page {
    struct job_view *views; // in the arena
    size_t count;
    struct map by_name;
    struct arena *arena;
};

static bool note_job(void *context, const struct store_job *row)
{
    struct job_view *view = map_get(&((struct page *)context)->by_name, row->name);
    if (view != NULL && row->spec != NULL) {
        view->is_known = true;
        view->high_water = row->high_water;
        view->last_success = row->last_success;
    }
    return true;
}

static bool note_running(void *context, const struct store_run_row *row)
{
    struct job_view *view = map_get(&((struct page *)context)->by_name, row->job);
    if (view != NULL) {
        bool is_cut_off = cut_off_is(view->nodes, row);
        view->cut_off += is_cut_off;
        view->running += !is_cut_off;
    }
    return true;
}

static bool note_last(void *context, const struct store_run_row *row)
{
    struct page *page = context;
    struct job_view *view = map_get(&page->by_name, row->job);
    if (view != NULL) {
        struct store_run_row *last = arena_alloc(page->arena, 1, sizeof *last);
        *last = *row;
        last->job = view->job->name;
        last->error = row->error != NULL ? arena_string(page->arena, row->error) : NULL;
        view->last = last;
    }
    return true;
}

static void page_begin(struct page *page, struct arena *arena, size_t most)
{
    *page = (struct page){.arena = arena};
    page->views = arena_alloc(arena, most, sizeof *page->views);
    map_init(&page->by_name);
}

static void page_release(struct page *page)
{
    map_release(&page->by_name);
}

static void page_add(struct page *page, const struct job *job, const struct cut_off *nodes)
{
    struct job_view *view = &page->views[page->count++];
    *view = (struct job_view){.job = job,
                              .high_water = INSTANT_NONE,
                              .next_due = INSTANT_NONE,
                              .late_since = INSTANT_NONE,
                              .last_success = INSTANT_NONE,
                              .nodes = nodes};
    map_put(&page->by_name, job->name, view);
}

// What the store knows of one job, or of all at once (NULL).
static bool ask(struct page *page, struct store *store, const char *job, struct error *err)
{
    struct store_run_filter running = {.job = job, .by_state = true, .state = RUN_STARTED};
    struct store_run_filter last = {.job = job, .last_of_each_job = true};
    return store->ops->read_jobs(store, job, note_job, page, err) &&
           store->ops->read_runs(store, &running, note_running, page, err) &&
           store->ops->read_runs(store, &last, note_last, page, err);
}

static bool page_load(struct page *page, struct api *api, const struct control_set *controls,
                      struct error *err)
{
    bool at_once = page->count > 1 && api->config->job_count / page->count <= ALL_AT_ONCE;
    for (size_t i = 0; i < (at_once ? 1 : page->count); i++) {
        if (!ask(page, api->store, at_once ? NULL : page->views[i].job->name, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < page->count; i++) {
        job_view_judge(&page->views[i], controls, clock_now(api->clock));
    }
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

// False: answered.
static bool read_state(const struct http_request *request, const char **state_out,
                       struct http_response *response)
{
    AUTO(buf_release) struct buf words;
    const char *state = http_request_query(request, "state");
    buf_init(&words, 1024);
    *state_out = state;
    for (size_t i = 0; job_view_state_words[i] != NULL; i++) {
        if (state == NULL || strcmp(state, job_view_state_words[i]) == 0) {
            return true;
        }
        buf_printf(&words, "%s%s", i == 0 ? "" : ", ", job_view_state_words[i]);
    }
    http_problem(response, 400, "There is no state \"%.40s\" of jobs: %s.", state,
                 buf_string(&words));
    return false;
}

static bool list(struct api *api, size_t from, size_t to, const char *state, json_t *array,
                 struct error *err)
{
    AUTO(control_set_release) struct control_set controls = {0};
    AUTO(arena_release) struct arena arena;
    AUTO(page_release) struct page page;
    struct cut_off nodes;
    arena_init(&arena, ARENA_MAX);
    page_begin(&page, &arena, to - from);
    for (size_t i = from; i < to; i++) {
        page_add(&page, &api->config->jobs[api->config->by_name[i]], &nodes);
    }
    if (!control_set_load(&controls, api->store, err) || !api_gone(api, &nodes, err) ||
        !page_load(&page, api, &controls, err)) {
        return false;
    }
    for (size_t i = 0; i < page.count; i++) {
        if (state == NULL || job_view_has_state(&page.views[i], state)) {
            json_array_append_new(array, json_job(&page.views[i]));
        }
    }
    return true;
}

void api_get_jobs(void *context, const struct http_request *request, struct http_response *response)
{
    struct api *api = context;
    struct error err = ERROR_INIT;
    size_t limit;
    const char *state;
    if (!api_limit(request, &limit, response) || !read_state(request, &state, response)) {
        return;
    }
    const struct config *config = api->config;
    size_t from = begin_behind(config, http_request_query(request, "after"));
    size_t to = config->job_count - from > limit ? from + limit : config->job_count;
    json_t *array = json_array();
    if (!list(api, from, to, state, array, &err)) {
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
    AUTO(page_release) struct page page;
    struct cut_off nodes;
    arena_init(&arena, ARENA_MAX);
    page_begin(&page, &arena, 1);
    page_add(&page, job, &nodes);
    if (!control_set_load(&controls, api->store, &err) || !api_gone(api, &nodes, &err) ||
        !page_load(&page, api, &controls, &err)) {
        api_fail(response, &err);
        return;
    }
    struct job_view *view = &page.views[0];
    AUTO(slot_strip_release) struct slot_strip strip = {0};
    struct instant now = clock_now(api->clock);
    if (!slot_strip_load(&strip, api->store, api->config->zones, view, now, api->clock,
                         api->reading, &err)) {
        api_fail(response, &err);
        return;
    }
    view->waiting = waiting_of(job, &strip);
    api_send(response, 200, json_job_in_full(view, &strip, now, (size_t)count));
}
