// SPDX-License-Identifier: MIT
// Runs: newest first, page by page; one; its output. History has no index but the order of claims,
// so a page is read backwards in pieces, for a bounded time: a filter that matches seldom gives
// short pages, and the header Link says where to go on.
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/alloc.h"
#include "document/json.h"
#include "document/run_kept.h"
#include "document/run_more.h"
#include "http/problem.h"

#define PIECE 5000 // fences looked at in one go
#define CLOCK_SLACK                                                                                \
    DURATION_S(3600) // runs are in the order of claims, whose clock may have been set
#define OUTPUT_MAX ((size_t)1024 * 1024)

struct page {
    json_t *array;
    size_t limit;
    int64_t last; // fence of the last one taken
    struct cut_off nodes;
};

static bool take(void *context, const struct store_run_row *row)
{
    struct page *page = context;
    json_array_append_new(page->array, json_run(row, &page->nodes));
    page->last = row->fence;
    return true;
}

struct peek {
    int64_t fence; // 0 = none
    struct instant started_at;
};

static bool note(void *context, const struct store_run_row *row)
{
    *(struct peek *)context = (struct peek){row->fence, row->started_at};
    return false;
}

// The newest run below `before` (0 = of all).
static bool peek_below(struct store *store, int64_t before, struct peek *peek, struct error *err)
{
    struct store_run_filter filter = {.fence_before = before, .limit = 1};
    *peek = (struct peek){0};
    return store->ops->read_runs(store, &filter, note, peek, err);
}

static bool is_too_old(const struct store_run_filter *filter, const struct peek *peek)
{
    return filter->since.us > 0 &&
           instant_before(instant_add(peek->started_at, CLOCK_SLACK), filter->since);
}

// Fills the page; *before_out is where the next one goes on, 0 = nowhere.
static bool read_page(struct api *api, struct store_run_filter *filter, struct page *page,
                      int64_t *before_out, struct error *err)
{
    struct store *store = api->store;
    struct mono until = mono_add(clock_mono(api->clock), api->reading);
    int64_t before = filter->fence_before;
    struct peek peek;
    *before_out = 0;
    while (true) {
        if (!peek_below(store, before, &peek, err)) {
            return false;
        }
        if (peek.fence == 0 || is_too_old(filter, &peek)) {
            *before_out = 0;
            return true;
        }
        size_t taken = json_array_size(page->array);
        *before_out = peek.fence + 1;
        if (taken == page->limit || !mono_before(clock_mono(api->clock), until)) {
            return true;
        }
        filter->fence_before = peek.fence + 1;
        filter->fence_from = peek.fence >= PIECE ? peek.fence - PIECE + 1 : 0;
        filter->limit = page->limit - taken;
        if (!store->ops->read_runs(store, filter, take, page, err)) {
            return false;
        }
        before = json_array_size(page->array) == page->limit ? page->last
                 : filter->fence_from > 0                    ? filter->fence_from
                                                             : 1;
    }
}

static bool read_state(const struct http_request *request, struct store_run_filter *filter,
                       struct http_response *response)
{
    const char *text = http_request_query(request, "state");
    for (int state = 0; text != NULL && state < RUN_STATE_COUNT; state++) {
        if (strcasecmp(text, run_state_name((enum run_state)state)) == 0) {
            filter->by_state = true;
            filter->state = (enum run_state)state;
            return true;
        }
    }
    if (text != NULL) {
        http_problem(response, 400,
                     "There is no state \"%.40s\": STARTED, SUCCESS, FAILED, TIMED_OUT, LOST, "
                     "CANCELLED, DRY_RUN.",
                     text);
    }
    return text == NULL;
}

void api_get_runs(void *context, const struct http_request *request, struct http_response *response)
{
    struct api *api = context;
    struct error err = ERROR_INIT;
    struct page page = {0};
    struct store_run_filter filter = {.job = http_request_query(request, "job"),
                                      .fence_before = api_number(request, "after")};
    if (!api_limit(request, &page.limit, response) || !read_state(request, &filter, response) ||
        !api_time(api, request, "since", &filter.since, response) ||
        !api_time(api, request, "until", &filter.until, response)) {
        return;
    }
    int64_t before = 0;
    page.array = json_array();
    if (!api_gone(api, &page.nodes, &err) || !read_page(api, &filter, &page, &before, &err)) {
        json_decref(page.array);
        api_fail(response, &err);
        return;
    }
    api_send(response, 200, page.array);
    api_link_below(request, before, response);
}

// ---- one ----------------------------------------------------------------------------------------

// False: answered.
static bool find(struct api *api, const struct http_request *request, struct run_kept *kept,
                 struct http_response *response)
{
    struct error err = ERROR_INIT;
    struct uuid id;
    const char *text = http_request_path_param(request, "run");
    if (!uuid_parse(text, &id)) {
        http_problem(response, 400, "run must be a UUID.");
        return false;
    }
    if (!run_kept_read(kept, api->store, id, &err)) {
        api_fail(response, &err);
        return false;
    }
    if (!kept->is_there) {
        http_problem(response, 404,
                     "There is no run %.40s; it may have been pruned (history.runs). All runs: "
                     "/api/v1/runs",
                     text);
    }
    return kept->is_there;
}

void api_get_run(void *context, const struct http_request *request, struct http_response *response)
{
    struct api *api = context;
    struct error err = ERROR_INIT;
    struct run_kept kept;
    struct cut_off nodes;
    AUTO(run_more_release) struct run_more more = {0};
    if (!find(api, request, &kept, response)) {
        return;
    }
    if (api_gone(api, &nodes, &err) &&
        run_more_load(&more, api->store, &kept.row, api->clock, api->reading, &err)) {
        more.nodes = &nodes;
        api_send(response, 200, json_run_in_full(&more, config_zone(api->config)));
    } else {
        api_fail(response, &err);
    }
}

// A piece of what the run has printed, as it was printed. The next one begins where it ends.
void api_get_output(void *context, const struct http_request *request,
                    struct http_response *response)
{
    struct api *api = context;
    struct run_kept kept;
    struct error err = ERROR_INIT;
    size_t length = 0;
    if (!find(api, request, &kept, response)) {
        return;
    }
    char *bytes = alloc_zero(OUTPUT_MAX, 1);
    if (api->store->ops->read_output(api->store, kept.row.run_id, api_number(request, "offset"),
                                     bytes, OUTPUT_MAX, &length, &err)) {
        buf_add(&response->body, bytes, length);
    } else {
        api_fail(response, &err);
    }
    free(bytes);
}
