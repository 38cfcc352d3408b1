// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/problem.h"
#include "http/route.h"
#include "http/target.h"

static void say_get(void *context, const struct http_request *request,
                    struct http_response *response)
{
    (void)request;
    buf_add_string(&response->body, context);
}

static void say_post(void *context, const struct http_request *request,
                     struct http_response *response)
{
    (void)context;
    buf_add(&response->body, request->body, request->body_length);
}

static void finds_the_handler(void **state)
{
    (void)state;
    static const struct http_route routes[] = {
        {HTTP_GET, "/a", say_get, HTTP_ANYBODY, NULL, NULL, NULL},
        {HTTP_GET, "/both", say_get, HTTP_ANYBODY, NULL, NULL, NULL},
        {HTTP_POST, "/both", say_post, HTTP_ANYBODY, NULL, NULL, NULL},
        {HTTP_POST, "/post", say_post, HTTP_ANYBODY, NULL, NULL, NULL},
    };
    static const struct http_router router = {routes, ARRAY_LENGTH(routes), NULL, NULL};
    static const struct {
        const char *method, *path;
        int status;
        const char *body; // the beginning of it
        const char *allow;
    } cases[] = {
        {"GET", "/a", 200, "got", NULL},
        {"HEAD", "/a", 200, "got", NULL},
        {"POST", "/a", 405, "{\"type\":\"about:blank\",\"title\":\"Method Not Allowed\"",
         "GET, HEAD"},
        {"get", "/a", 405, "{", "GET, HEAD"},
        {"GET", "/a/", 404, "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,",
         NULL},
        {"GET", "", 404, "{", NULL},
        {"GET", "/A", 404, "{", NULL},
        {"POST", "/nowhere", 404, "{", NULL},
        {"POST", "/both", 200, "sent", NULL},
        {"DELETE", "/both", 405, "{", "GET, HEAD, POST"},
        {"GET", "/post", 405, "{", "POST"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct http_request request = {
            .method = cases[i].method, .path = cases[i].path, .body = "sent", .body_length = 4};
        struct http_response response;
        http_response_init(&response);
        http_route(&router, (void *)(uintptr_t) "got", &request, &response);
        const char *allow = response.allow == NULL ? "-" : response.allow;
        if (response.status != cases[i].status ||
            strncmp(buf_string(&response.body), cases[i].body, strlen(cases[i].body)) != 0 ||
            strcmp(allow, cases[i].allow == NULL ? "-" : cases[i].allow) != 0) {
            fail_msg("%s %s: %d, Allow %s, %s", cases[i].method, cases[i].path, response.status,
                     allow, buf_string(&response.body));
        }
        http_response_release(&response);
    }
}

// ---- patterns, parameters -----------------------------------------------------------------------

static void say_all(void *context, const struct http_request *request,
                    struct http_response *response)
{
    (void)context;
    const char *id = http_request_path_param(request, "id");
    const char *limit = http_request_query(request, "limit");
    const char *reason = http_request_text(request, "reason");
    buf_printf(&response->body, "id=%s limit=%s reason=%s", id == NULL ? "-" : id,
               limit == NULL ? "-" : limit, reason == NULL ? "-" : reason);
}

static bool admit_all_but_admins(void *context, const struct http_route *route,
                                 const struct http_request *request, struct http_response *response)
{
    (void)context;
    (void)request;
    if (route->access == HTTP_ADMIN) {
        http_problem(response, 401, "no");
        return false;
    }
    return true;
}

static const struct http_parameter list_parameters[] = {
    {"limit", HTTP_IN_QUERY, HTTP_INTEGER, false, "how many"},
    {"live", HTTP_IN_QUERY, HTTP_BOOLEAN, false, "only those"},
    {"after", HTTP_IN_QUERY, HTTP_UUID, false, "the last one seen"},
    {NULL, HTTP_IN_QUERY, HTTP_TEXT, false, NULL},
};
static const struct http_parameter act_parameters[] = {
    {"id", HTTP_IN_PATH, HTTP_UUID, true, "which"},
    {"reason", HTTP_IN_BODY, HTTP_TEXT, false, "why"},
    {"fence", HTTP_IN_BODY, HTTP_INTEGER, true, "the number"},
    {"params", HTTP_IN_BODY, HTTP_OBJECT, false, "more"},
    {NULL, HTTP_IN_BODY, HTTP_TEXT, false, NULL},
};
static const struct http_route rich_routes[] = {
    {HTTP_GET, "/items", say_all, HTTP_VIEWER, list_parameters, "", ""},
    {HTTP_GET, "/items/{id}", say_all, HTTP_VIEWER, NULL, "", ""},
    {HTTP_POST, "/items/{id}/end", say_all, HTTP_OPERATOR, act_parameters, "", ""},
    {HTTP_DELETE, "/items/{id}", say_all, HTTP_ADMIN, NULL, "", ""},
};

#define ID "0190a1b2-0000-7000-8000-000000000000"

struct question {
    const char *method, *target, *type, *body;
    const char *header, *value; // one more
    int status;
    const char *part; // of the answer
};

static void ask_rich(const struct question *q)
{
    static const struct http_router router = {rich_routes, ARRAY_LENGTH(rich_routes),
                                              admit_all_but_admins, NULL};
    struct http_target target;
    struct error err = ERROR_INIT;
    assert_true(http_target_parse(&target, q->target, &err));
    const struct http_header headers[] = {
        {"Host", "localhost:8321"},
        {"Content-Type", q->type == NULL ? "" : q->type},
        {q->header == NULL ? "X-None" : q->header, q->value},
    };
    const struct http_request request = {
        .method = q->method,
        .path = target.path,
        .query = target.query,
        .query_count = target.query_count,
        .headers = headers,
        .header_count = ARRAY_LENGTH(headers),
        .body = q->body,
        .body_length = q->body == NULL ? 0 : strlen(q->body),
    };
    struct http_response response;
    http_response_init(&response);
    http_route(&router, NULL, &request, &response);
    if (response.status != q->status || strstr(buf_string(&response.body), q->part) == NULL) {
        fail_msg("%s %s %s: %d %s", q->method, q->target, q->body == NULL ? "" : q->body,
                 response.status, buf_string(&response.body));
    }
    http_response_release(&response);
    http_target_release(&target);
}

static void patterns_and_parameters_are_checked(void **state)
{
    (void)state;
    static const char json[] = "application/json";
    static const char end[] = "/items/" ID "/end";
    static const struct question questions[] = {
        {"GET", "/items?limit=10", NULL, NULL, NULL, NULL, 200, "limit=10"},
        {"GET", "/items?live=true&after=" ID, NULL, NULL, NULL, NULL, 200, "limit=-"},
        {"GET", "/items?limit=-1", NULL, NULL, NULL, NULL, 400, "whole number"},
        {"GET", "/items?limit=", NULL, NULL, NULL, NULL, 400, "whole number"},
        {"GET", "/items?limit=1&limit=2", NULL, NULL, NULL, NULL, 400, "twice"},
        {"GET", "/items?live=yes", NULL, NULL, NULL, NULL, 400, "true or false"},
        {"GET", "/items?after=x", NULL, NULL, NULL, NULL, 400, "UUID"},
        {"GET", "/items?Limit=1", NULL, NULL, NULL, NULL, 400, "known here: limit, live, after"},
        {"GET", "/items/a%20b", NULL, NULL, NULL, NULL, 200, "id=a b"},
        {"GET", "/items/a?anything=goes", NULL, NULL, NULL, NULL, 200, "id=a"},
        {"GET", "/items/", NULL, NULL, NULL, NULL, 404, "nothing at"},
        {"GET", "/items/a/b", NULL, NULL, NULL, NULL, 404, "nothing at"},
        {"PUT", "/items/a", NULL, NULL, NULL, NULL, 405, "GET, HEAD, DELETE"},
        {"DELETE", "/items/a", NULL, NULL, NULL, NULL, 401, "no"},
        {"POST", end, json, "{\"fence\":1,\"reason\":\"x\"}", NULL, NULL, 200, "reason=x"},
        {"POST", end, "Application/JSON; charset=utf-8", "{\"fence\":1}", NULL, NULL, 200, ID},
        {"POST", end, json, "{\"fence\":1,\"reason\":null}", NULL, NULL, 200, "reason=-"},
        {"POST", end, json, "{}", NULL, NULL, 400, "fence is missing"},
        {"POST", end, json, "{\"fence\":null}", NULL, NULL, 400, "fence must be"},
        {"POST", end, json, "{\"fence\":\"1\"}", NULL, NULL, 400, "whole number"},
        {"POST", end, json, "{\"fence\":1,\"params\":[]}", NULL, NULL, 400, "an object"},
        {"POST", end, json, "{\"fence\":1,\"more\":1}", NULL, NULL, 400, "unknown member more"},
        {"POST", end, json, "{\"fence\":1", NULL, NULL, 400, "not JSON"},
        {"POST", end, "text/plain", "{\"fence\":1}", NULL, NULL, 415, "application/json"},
        {"POST", end, "application/jsonx", "{\"fence\":1}", NULL, NULL, 415, "application/json"},
        {"POST", end, NULL, "{\"fence\":1}", NULL, NULL, 415, "application/json"},
        {"POST", "/items/x/end", json, "{\"fence\":1}", NULL, NULL, 400, "UUID"},
        {"POST", end, json, "{\"fence\":1}", "Origin", "https://evil.example", 403, "another site"},
        {"POST", end, json, "{\"fence\":1}", "Origin", "null", 403, "another site"},
        {"POST", end, json, "{\"fence\":1}", "Origin", "http://localhost:8321", 200, ID},
        {"POST", end, json, "{\"fence\":1}", "Sec-Fetch-Site", "cross-site", 403, "another site"},
        {"POST", end, json, "{\"fence\":1}", "Sec-Fetch-Site", "same-origin", 200, ID},
        {"GET", "/items", NULL, NULL, "Origin", "https://evil.example", 200, "limit=-"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(questions); i++) {
        ask_rich(&questions[i]);
    }
}

static void problems_are_json(void **state)
{
    (void)state;
    struct http_response response;
    http_response_init(&response);
    buf_add_string(&response.body, "half an answer");
    http_problem(&response, 503, "no \"%s\" \\ here\xff\n", "store");
    assert_int_equal(response.status, 503);
    assert_string_equal(response.content_type, "application/problem+json");
    assert_string_equal(
        buf_string(&response.body),
        "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
        "\"detail\":\"no \\\"store\\\" \\\\ here?\\u000a\"}\n");
    http_response_release(&response);
}

static int freed;
static void count_free(void *context)
{
    (void)context;
    freed++;
}

static void a_problem_frees_the_stream_it_replaces(void **state)
{
    (void)state;
    struct http_response response;
    http_response_init(&response);
    freed = 0;
    response.stream = (struct http_stream){.free = count_free};
    http_problem(&response, 500, "no");
    assert_int_equal(freed, 1);
    assert_null(response.stream.free);
    http_response_release(&response);
    assert_int_equal(freed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_handler),
        cmocka_unit_test(patterns_and_parameters_are_checked),
        cmocka_unit_test(problems_are_json),
        cmocka_unit_test(a_problem_frees_the_stream_it_replaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
