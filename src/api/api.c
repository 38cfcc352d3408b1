// SPDX-License-Identifier: MIT
#include "api/api.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/problem.h"
#include "time/format.h"

void api_init(struct api *api, struct endpoints *endpoints, struct clock *clock)
{
    *api = (struct api){.endpoints = endpoints, .clock = clock, .reading = API_READING};
    event_hub_init(&api->events, clock);
}

void api_release(struct api *api)
{
    event_hub_release(&api->events);
}

void api_answer(void *context, const struct http_request *request, struct http_response *response)
{
    http_route(api_router(), context, request, response);
}

// ---- answers ------------------------------------------------------------------------------------

void api_send(struct http_response *response, int status, json_t *document)
{
    CHECK(document != NULL);
    char *text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    CHECK(text != NULL);
    response->status = status;
    response->content_type = "application/json";
    buf_add_string(&response->body, text);
    buf_add_char(&response->body, '\n');
    free(text);
    if (response->body.overflow) {
        http_problem(response, 413,
                     "The answer is larger than %zu bytes: ask with a smaller limit.",
                     response->body.maximum);
    }
}

void api_fail(struct http_response *response, const struct error *err)
{
    int status = error_http_status(err->code);
    http_problem(response, status, "%s", err->text);
    response->retry_after = status == 503 ? 1 : 0;
}

// Everything but unreserved characters (RFC 3986 section 2.3) is encoded.
static void add_encoded(struct buf *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (isalnum((unsigned char)*p) || strchr("-._~", *p) != NULL) {
            buf_add_char(out, *p);
        } else {
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*p);
        }
    }
}

void api_link_next(const struct http_request *request, const char *after,
                   struct http_response *response)
{
    AUTO(buf_release) struct buf link;
    buf_init(&link, sizeof response->link - 1);
    buf_printf(&link, "<%s?", request->path);
    for (size_t i = 0; i < request->query_count; i++) {
        const struct http_param *param = &request->query[i];
        if (strcmp(param->name, "after") != 0) {
            buf_printf(&link, "%s=", param->name);
            add_encoded(&link, param->value);
            buf_add_char(&link, '&');
        }
    }
    buf_add_string(&link, "after=");
    add_encoded(&link, after);
    buf_add_string(&link, ">; rel=\"next\"");
    if (!link.overflow) {
        snprintf(response->link, sizeof response->link, "%s", buf_string(&link));
    }
}

void api_link_below(const struct http_request *request, int64_t before,
                    struct http_response *response)
{
    if (before > 1) {
        char after[24];
        snprintf(after, sizeof after, "%lld", (long long)before);
        api_link_next(request, after, response);
    }
}

// ---- questions ----------------------------------------------------------------------------------

bool api_time(struct api *api, const struct http_request *request, const char *name,
              struct instant *out, struct http_response *response)
{
    struct error err = ERROR_INIT;
    const char *text = http_request_query(request, name);
    *out = INSTANT_NONE;
    if (text == NULL || format_parse_time(text, clock_now(api->clock), out, &err)) {
        return true;
    }
    http_problem(response, 400, "%s: %s", name, err.text);
    return false;
}

int64_t api_number(const struct http_request *request, const char *name)
{
    const char *text = http_request_query(request, name);
    return text == NULL ? 0 : strtoll(text, NULL, 10);
}

bool api_limit(const struct http_request *request, size_t *limit_out,
               struct http_response *response)
{
    bool given = http_request_query(request, "limit") != NULL;
    int64_t limit = given ? api_number(request, "limit") : API_PAGE_DEFAULT;
    if (limit < 1 || limit > API_PAGE_MAX) {
        http_problem(response, 400, "limit must be 1 to %d; the header Link leads to what follows.",
                     API_PAGE_MAX);
        return false;
    }
    *limit_out = (size_t)limit;
    return true;
}

const struct job *api_job(struct api *api, const struct http_request *request,
                          struct http_response *response)
{
    const char *name = http_request_path_param(request, "job");
    const struct job *job = config_job(api->config, name);
    if (job == NULL) {
        const char *nearest = config_nearest_job(api->config, name);
        http_problem(response, 404, "There is no job \"%.128s\"%s%s%s. All jobs: /api/v1/jobs",
                     name, nearest != NULL ? "; did you mean \"" : "",
                     nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    }
    return job;
}
