// SPDX-License-Identifier: MIT
// The audit log, the nodes, the controls in force, and what became of an intent.
#include <string.h>

#include "api/api.h"
#include "document/control_set.h"
#include "document/json.h"
#include "document/node_state.h"
#include "http/problem.h"

#define PIECE      5000 // rows looked at in one go
#define NODES_MAX  1000
#define ANSWER_MAX ((size_t)4 * 1024 * 1024)

// ---- audit --------------------------------------------------------------------------------------

struct page {
    json_t *array;
    size_t limit;
    int64_t last;
};

static bool take(void *context, const struct store_audit_row *row)
{
    struct page *page = context;
    if (row->seq == 0) {
        return true; // not sealed yet: it has no place so far
    }
    json_array_append_new(page->array, json_audit(row));
    page->last = row->seq;
    return json_array_size(page->array) < page->limit;
}

static bool note_seq(void *context, const struct store_audit_row *row)
{
    *(int64_t *)context = row->seq;
    return row->seq == 0;
}

// The newest sealed row below `before` (0 = of all); 0 = none.
static bool peek_below(struct store *store, int64_t before, int64_t *seq_out, struct error *err)
{
    struct store_audit_filter filter = {.seq_before = before, .newest_first = true};
    *seq_out = 0;
    return store->ops->read_audit(store, &filter, note_seq, seq_out, err);
}

static bool read_page(struct api *api, struct store_audit_filter *filter, struct page *page,
                      int64_t *before_out, struct error *err)
{
    struct store *store = api->store;
    struct mono until = mono_add(clock_mono(api->clock), api->reading);
    int64_t seq = 0;
    while (true) {
        if (!peek_below(store, filter->seq_before, &seq, err)) {
            return false;
        }
        *before_out = seq > 0 ? seq + 1 : 0;
        if (seq == 0 || json_array_size(page->array) == page->limit ||
            !mono_before(clock_mono(api->clock), until)) {
            return true;
        }
        filter->seq_before = seq + 1;
        filter->seq_from = seq >= PIECE ? seq - PIECE + 1 : 1;
        if (!store->ops->read_audit(store, filter, take, page, err)) {
            return false;
        }
        filter->seq_before =
            json_array_size(page->array) == page->limit ? page->last : filter->seq_from;
        if (filter->seq_before <= 1) {
            *before_out = 0;
            return true;
        }
    }
}

void api_get_audit(void *context, const struct http_request *request,
                   struct http_response *response)
{
    struct api *api = context;
    struct error err = ERROR_INIT;
    struct page page = {0};
    struct store_audit_filter filter = {.job = http_request_query(request, "job"),
                                        .event = http_request_query(request, "event"),
                                        .seq_before = api_number(request, "after"),
                                        .newest_first = true};
    if (!api_limit(request, &page.limit, response) ||
        !api_time(api, request, "since", &filter.since, response) ||
        !api_time(api, request, "until", &filter.until, response)) {
        return;
    }
    int64_t before = 0;
    page.array = json_array();
    if (!read_page(api, &filter, &page, &before, &err)) {
        json_decref(page.array);
        api_fail(response, &err);
        return;
    }
    api_send(response, 200, page.array);
    api_link_below(request, before, response);
}

// ---- nodes, controls, intents -------------------------------------------------------------------

struct nodes {
    const struct api *api;
    json_t *array;
};

const char *api_node_state(const struct api *api, const struct store_node_row *row)
{
    bool is_this = uuid_equal(row->node, api->node);
    return is_this ? row->state : node_state_of(row, clock_now(api->clock));
}

static bool lives(const void *context, const struct store_node_row *row)
{
    return strcmp(api_node_state(context, row), "live") == 0;
}

bool api_gone(const struct api *api, struct cut_off *nodes, struct error *err)
{
    return cut_off_load(nodes, api->store, lives, api, err);
}

static bool list_node(void *context, const struct store_node_row *row)
{
    struct nodes *nodes = context;
    json_array_append_new(nodes->array, json_node_row(row, api_node_state(nodes->api, row)));
    return json_array_size(nodes->array) < NODES_MAX;
}

void api_get_nodes(void *context, const struct http_request *request,
                   struct http_response *response)
{
    (void)request;
    struct api *api = context;
    struct error err = ERROR_INIT;
    struct nodes nodes = {api, json_array()};
    if (!api->store->ops->read_nodes(api->store, list_node, &nodes, &err)) {
        json_decref(nodes.array);
        api_fail(response, &err);
        return;
    }
    api_send(response, 200, nodes.array);
}

void api_get_controls(void *context, const struct http_request *request,
                      struct http_response *response)
{
    (void)request;
    struct api *api = context;
    struct error err = ERROR_INIT;
    AUTO(control_set_release) struct control_set controls = {0};
    if (!control_set_load(&controls, api->store, &err)) {
        api_fail(response, &err);
        return;
    }
    json_t *array = json_array();
    for (size_t i = 0; i < controls.count; i++) {
        if (controls.rows[i].value != 0) {
            json_array_append_new(array, json_control(&controls.rows[i]));
        }
    }
    api_send(response, 200, array);
}

void api_get_intent(void *context, const struct http_request *request,
                    struct http_response *response)
{
    struct api *api = context;
    struct error err = ERROR_INIT;
    struct uuid id;
    struct store_intent intent = {0};
    AUTO(arena_release) struct arena arena;
    arena_init(&arena, ANSWER_MAX);
    if (!uuid_parse(http_request_path_param(request, "intent"), &id)) {
        http_problem(response, 400, "intent must be a UUID.");
    } else if (!api->store->ops->read_intent(api->store, id, &arena, &intent, &err)) {
        api_fail(response, &err);
    } else {
        api_send(response, 200, json_intent(&intent));
    }
}
