// SPDX-License-Identifier: MIT
#include "observe/endpoints.h"

#include "http/accept.h"
#include "http/problem.h"
#include "http/route.h"

static void answer_index(void *context, const struct http_request *request,
                         struct http_response *response)
{
    (void)context;
    (void)request;
    buf_add_string(&response->body,
                   "ironcron " IRONCRON_VERSION "\n\n"
                   "/livez    200 while the scheduler's loop turns\n"
                   "/readyz   200 while it can start jobs; else 503 with each failing check\n"
                   "/metrics  for Prometheus\n"
                   "/api/v1   /api/v1/openapi.json describes it\n");
}

static bool wants_json(const struct http_request *request)
{
    const char *accept = http_request_header(request, "Accept");
    bool named = false;
    int json = http_accept_quality(accept, "application", "json", "", &named);
    return named && json > 0 && json >= http_accept_quality(accept, "text", "plain", "", NULL);
}

static void answer_livez(void *context, const struct http_request *request,
                         struct http_response *response)
{
    (void)request;
    struct endpoints *endpoints = context;
    if (health_is_live(endpoints->health)) {
        buf_add_string(&response->body, "ok\n");
        return;
    }
    response->status = 503;
    buf_printf(&response->body, "loop: %s\n", health_reason(endpoints->health, HEALTH_LOOP));
}

static void add_checks_json(struct health *health, struct buf *out)
{
    buf_add_string(out, "\"checks\":[");
    for (int i = 0; i < HEALTH_CHECK_COUNT; i++) {
        enum health_check check = (enum health_check)i;
        const char *reason = health_reason(health, check);
        buf_printf(out, "%s{\"name\":\"%s\",\"ok\":%s", i == 0 ? "" : ",", health_check_name(check),
                   reason == NULL ? "true" : "false");
        const char *note = health_noted(health, check);
        if (reason != NULL || note != NULL) {
            buf_add_string(out, reason != NULL ? ",\"reason\":" : ",\"note\":");
            http_json_string(out, reason != NULL ? reason : note);
        }
        buf_add_char(out, '}');
    }
    buf_add_string(out, "]}\n");
}

static void answer_readyz_json(struct health *health, struct http_response *response)
{
    if (health_is_ready(health)) {
        response->content_type = "application/json";
        buf_add_string(&response->body, "{\"status\":200,");
    } else {
        http_problem_open(response, 503, "This node is not ready; see checks.");
        buf_add_char(&response->body, ',');
    }
    add_checks_json(health, &response->body);
}

static void answer_readyz(void *context, const struct http_request *request,
                          struct http_response *response)
{
    struct endpoints *endpoints = context;
    struct health *health = endpoints->health;
    if (wants_json(request)) {
        answer_readyz_json(health, response);
        return;
    }
    bool ready = health_is_ready(health);
    response->status = ready ? 200 : 503;
    for (int i = 0; i < HEALTH_CHECK_COUNT; i++) {
        const char *name = health_check_name((enum health_check)i);
        const char *reason = health_reason(health, (enum health_check)i);
        const char *note = health_noted(health, (enum health_check)i);
        if (reason == NULL) {
            buf_printf(&response->body, "[+] %s ok%s%s\n", name, note == NULL ? "" : ": ",
                       note == NULL ? "" : note);
        } else {
            buf_printf(&response->body, "[-] %s failed: %s\n", name, reason);
        }
    }
    buf_add_string(&response->body, ready ? "ready\n" : "not ready\n");
}

static void answer_metrics(void *context, const struct http_request *request,
                           struct http_response *response)
{
    struct endpoints *endpoints = context;
    if (!endpoints->metrics_public &&
        !bearers_check(&endpoints->bearers, request, HTTP_VIEWER, NULL, response)) {
        return;
    }
    enum exposition_format format = exposition_negotiate(http_request_header(request, "Accept"));
    response->content_type = exposition_content_type(format);
    response->stream = metrics_stream(endpoints->metrics, format);
}

void endpoints_init(struct endpoints *endpoints, struct metrics *metrics, struct health *health)
{
    *endpoints = (struct endpoints){.metrics = metrics, .health = health};
    bearers_init(&endpoints->bearers);
}

void endpoints_release(struct endpoints *endpoints)
{
    bearers_release(&endpoints->bearers);
}

void endpoints_configure(struct endpoints *endpoints, const struct config_http *http)
{
    bearers_set(&endpoints->bearers, http->tokens, http->token_count);
    endpoints->metrics_public = http->metrics_public;
}

static bool admit(void *context, const struct http_route *route, const struct http_request *request,
                  struct http_response *response)
{
    struct endpoints *endpoints = context;
    return bearers_check(&endpoints->bearers, request, route->access, NULL, response);
}

void endpoints_answer(void *context, const struct http_request *request,
                      struct http_response *response)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/", answer_index, HTTP_ANYBODY, NULL, NULL, NULL},
        {HTTP_GET, "/livez", answer_livez, HTTP_ANYBODY, NULL, NULL, NULL},
        {HTTP_GET, "/readyz", answer_readyz, HTTP_ANYBODY, NULL, NULL, NULL},
        {HTTP_GET, "/metrics", answer_metrics, HTTP_ANYBODY, NULL, NULL, NULL},
    };
    static const struct http_router router = {routes, ARRAY_LENGTH(routes), admit, NULL};
    http_route(&router, context, request, response);
}
