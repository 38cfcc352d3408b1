// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "call/request.h"
#include "call/signature.h"

#define NOW instant_from_unix(1700000000)

static struct job_http http = {.method = "POST", .url = "http://a/", .shown_url = "http://a/"};
static const struct job job = {.name = "warm-cache", .kind = JOB_HTTP, .http = &http};
static const struct uuid id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static struct runner_start start_of(const struct job_variable *params)
{
    return (struct runner_start){.job = &job,
                                 .run_id = id,
                                 .due_at = instant_from_unix(1699999980),
                                 .attempt = 2,
                                 .trigger = TRIGGER_RETRY,
                                 .fence = 42,
                                 .params = params};
}

static int setup(void **state)
{
    (void)state;
    http = (struct job_http){.method = "POST", .url = "http://a/", .shown_url = "http://a/"};
    return 0;
}

static bool has(const struct request *request, const char *line)
{
    for (const struct curl_slist *header = request->headers; header != NULL;
         header = header->next) {
        if (strcmp(header->data, line) == 0) {
            return true;
        }
    }
    return false;
}

static void assert_has(const struct request *request, const char *line)
{
    if (!has(request, line)) {
        fail_msg("no header \"%s\"", line);
    }
}

static void build(struct request *request, const struct runner_start *start)
{
    struct error err = ERROR_INIT;
    if (!request_build(request, start, NOW, &err)) {
        fail_msg("%s", err.text);
    }
}

static void test_facts(void **state)
{
    (void)state;
    struct runner_start start = start_of(NULL);
    struct request request;
    build(&request, &start);
    assert_has(&request, "X-Ironcron-Job: warm-cache");
    assert_has(&request, "X-Ironcron-Run-Id: 01020304-0506-0708-090a-0b0c0d0e0f10");
    assert_has(&request, "X-Ironcron-Due-At: 2023-11-14T22:13:00.000Z");
    assert_has(&request, "X-Ironcron-Attempt: 2");
    assert_has(&request, "X-Ironcron-Fence: 42");
    assert_has(&request, "Idempotency-Key: warm-cache/2023-11-14T22:13:00.000Z");
    assert_has(&request, "User-Agent: ironcron/" IRONCRON_VERSION);
    assert_has(&request, "Content-Type: application/json");
    assert_string_equal(
        buf_string(&request.body),
        "{\"job\":\"warm-cache\",\"run_id\":\"01020304-0506-0708-090a-0b0c0d0e0f10\",\"due_at\":"
        "\"2023-11-14T22:13:00.000Z\",\"attempt\":2,\"fence\":42,\"trigger\":\"retry\","
        "\"params\":{}}");
    request_release(&request);
}

static void test_manual_key(void **state)
{
    (void)state;
    struct runner_start start = start_of(NULL);
    struct request request;
    start.trigger = TRIGGER_MANUAL;
    build(&request, &start);
    assert_has(&request, "Idempotency-Key: 01020304-0506-0708-090a-0b0c0d0e0f10");
    request_release(&request);
}

static void test_params(void **state)
{
    (void)state;
    const struct job_variable params[] = {
        {"day", "2026-01-02"}, {"dry_run", ""}, {"name", "caf\xc3\xa9 \"x\""}, {NULL, NULL}};
    struct runner_start start = start_of(params);
    struct request request;
    build(&request, &start);
    assert_has(&request, "X-Ironcron-Param-day: 2026-01-02");
    assert_has(&request, "X-Ironcron-Param-dry-run;"); // how libcurl is told of an empty one
    assert_has(&request, "X-Ironcron-Param-name: caf\xc3\xa9 \"x\"");
    assert_non_null(strstr(buf_string(&request.body), "\"dry_run\":\"\""));
    assert_non_null(strstr(buf_string(&request.body), "caf\xc3\xa9 \\\"x\\\""));
    request_release(&request);
}

static void test_bad_params(void **state)
{
    (void)state;
    char *large = malloc(70000);
    memset(large, 'x', 69999);
    large[69999] = '\0';
    const struct {
        const char *value, *reason;
    } cases[] = {{"a\r\nX-Evil: 1", "line break"},
                 {"a\nb", "line break"},
                 {"\x7f", "control byte"},
                 {large, "over 64 KB"}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct job_variable params[] = {{"day", cases[i].value}, {NULL, NULL}};
        struct runner_start start = start_of(params);
        struct request request;
        struct error err = ERROR_INIT;
        assert_false(request_build(&request, &start, NOW, &err));
        assert_non_null(strstr(err.text, cases[i].reason));
        assert_null(strstr(err.text, "Evil"));
    }
    free(large);
}

static void test_configured(void **state)
{
    (void)state;
    const struct job_variable headers[] = {
        {"content-type", "text/x"}, {"USER-AGENT", "me"}, {"X-Empty", ""}, {NULL, NULL}};
    http.headers = headers;
    http.body = "hello";
    http.secret = "s3cret";
    struct runner_start start = start_of(NULL);
    struct request request;
    char signature[SIGNATURE_SIZE];
    char line[SIGNATURE_SIZE + 32];
    build(&request, &start);
    assert_has(&request, "content-type: text/x");
    assert_has(&request, "USER-AGENT: me");
    assert_has(&request, "X-Empty;");
    assert_false(has(&request, "Content-Type: application/json"));
    assert_string_equal(buf_string(&request.body), "hello");
    signature_make("s3cret", NOW, "hello", 5, signature);
    snprintf(line, sizeof line, "X-Ironcron-Signature: %s", signature);
    assert_has(&request, line);
    request_release(&request);
}

static void test_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *method, *body;
        bool has_body;
        size_t length; // 0 = any
        const char *type;
    } cases[] = {
        {"GET", NULL, false, 0, "Content-Type:"},
        {"HEAD", NULL, false, 0, "Content-Type:"},
        {"DELETE", NULL, false, 0, "Content-Type:"},
        {"DELETE", "x", true, 1, "Content-Type: application/json"},
        {"POST", "", true, 0, "Content-Type:"},
        {"PUT", "xy", true, 2, "Content-Type: application/json"},
        {"PATCH", NULL, true, 163, "Content-Type: application/json"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        http.method = cases[i].method;
        http.body = cases[i].body;
        struct runner_start start = start_of(NULL);
        struct request request;
        build(&request, &start);
        assert_int_equal(request.has_body, cases[i].has_body);
        assert_int_equal(request.body.length > 0, cases[i].length > 0);
        assert_has(&request, cases[i].type);
        request_release(&request);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_facts, setup),
        cmocka_unit_test_setup(test_manual_key, setup),
        cmocka_unit_test_setup(test_params, setup),
        cmocka_unit_test_setup(test_bad_params, setup),
        cmocka_unit_test_setup(test_configured, setup),
        cmocka_unit_test_setup(test_bodies, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
