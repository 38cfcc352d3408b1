// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/problem.h"
#include "http/route.h"

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
        {HTTP_GET, "/a", say_get},
        {HTTP_GET, "/both", say_get},
        {HTTP_POST, "/both", say_post},
        {HTTP_POST, "/post", say_post},
    };
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
        http_route(routes, ARRAY_LENGTH(routes), (void *)(uintptr_t) "got", &request, &response);
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
        cmocka_unit_test(problems_are_json),
        cmocka_unit_test(a_problem_frees_the_stream_it_replaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
