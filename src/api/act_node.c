// SPDX-License-Identifier: MIT
// Acting on one node: draining it, and letting it take jobs again.
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "http/problem.h"

struct search {
    const struct api *api;
    struct uuid node;
    bool is_known;
    char state[16];
    char host[256];
};

static bool note_if_meant(void *context, const struct store_node_row *row)
{
    struct search *search = context;
    search->is_known = uuid_equal(row->node, search->node);
    if (search->is_known) {
        snprintf(search->state, sizeof search->state, "%s", api_node_state(search->api, row));
        snprintf(search->host, sizeof search->host, "%s", row->host);
    }
    return !search->is_known;
}

// False: answered.
static bool find(struct api *api, const char *id, struct http_response *response)
{
    struct error err = ERROR_INIT;
    struct search search = {.api = api};
    if (!uuid_parse(id, &search.node)) {
        http_problem(response, 400, "node must be the UUID of a node.");
        return false;
    }
    if (!api->store->ops->read_nodes(api->store, note_if_meant, &search, &err)) {
        api_fail(response, &err);
        return false;
    }
    if (!search.is_known) {
        http_problem(response, 404, "There is no such node; GET /api/v1/nodes lists them.");
        return false;
    }
    if (strcmp(search.state, "live") != 0) {
        http_problem(response, 409,
                     "The node on %s is %s, and only one that is live can be told anything.",
                     search.host, search.state);
        return false;
    }
    return true;
}

static void give_order(struct api *api, const struct http_request *request,
                       enum store_intent_kind kind, struct http_response *response)
{
    char params[STORE_INTENT_NODE_SIZE];
    const char *id = http_request_path_param(request, "node");
    if (find(api, id, response)) {
        store_intent_for_node(id, params);
        struct store_intent intent = {.kind = kind, .params = params};
        api_carry_out(api, request, &intent, response);
    }
}

void api_post_drain_node(void *context, const struct http_request *request,
                         struct http_response *response)
{
    give_order(context, request, INTENT_DRAIN, response);
}

void api_post_resume_node(void *context, const struct http_request *request,
                          struct http_response *response)
{
    give_order(context, request, INTENT_RESUME, response);
}
