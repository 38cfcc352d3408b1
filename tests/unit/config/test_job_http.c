// SPDX-License-Identifier: MIT
// Jobs of kind http: what they become, and what each mistake gets.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "job/expect.h"

#define JOB     "jobs:\n  - name: a\n    schedule: \"@daily\"\n"
#define URL     "url: \"http://a/x\""
#define TOKENS  "http:\n  tokens: [{name: t, role: "
#define TOKENS_ ", token: abcdefgh}]\n"

static const struct job_http *only(const struct fixture *fixture)
{
    assert_int_equal(fixture->config->job_count, 1);
    assert_int_equal(fixture->config->jobs[0].kind, JOB_HTTP);
    assert_non_null(fixture->config->jobs[0].http);
    assert_null(fixture->config->jobs[0].command->argv);
    return fixture->config->jobs[0].http;
}

static void test_defaults(void **state)
{
    (void)state;
    struct fixture fixture = fixture_load_fine(JOB "    http: {" URL "}\n");
    const struct job_http *http = only(&fixture);
    assert_string_equal(http->method, "POST");
    assert_string_equal(http->url, "http://a/x");
    assert_string_equal(http->shown_url, "http://a/x");
    assert_null(http->headers);
    assert_null(http->body);
    assert_null(http->secret);
    assert_null(http->ca);
    assert_false(http->callback);
    assert_int_equal(http->expect_count, 1);
    assert_true(expect_matches(http, 299) && !expect_matches(http, 300));
    fixture_release(&fixture);
}

static void test_everything(void **state)
{
    (void)state;
    setenv("HTTP_JOB_SECRET", "0123456789abcdef", 1);
    struct fixture fixture = fixture_load_fine(
        JOB
        "    http: {method: PUT, url: \"https://a:1/x?key=abcdefghijk\", headers: {X-Team: data, "
        "X-Empty: \"\"}, body: \"{}\", secret: \"${HTTP_JOB_SECRET}\", expect: [2xx, 404], "
        "complete: callback, ca: ca.pem}\n");
    const struct job_http *http = only(&fixture);
    assert_string_equal(http->method, "PUT");
    assert_string_equal(http->url, "https://a:1/x?key=abcdefghijk");
    assert_string_equal(http->shown_url, "https://a:1/x");
    assert_string_equal(http->headers[0].name, "X-Team");
    assert_string_equal(http->headers[0].value, "data");
    assert_string_equal(http->headers[1].value, "");
    assert_null(http->headers[2].name);
    assert_string_equal(http->body, "{}");
    assert_string_equal(http->secret, "0123456789abcdef");
    assert_string_equal(http->ca, "/folder/ca.pem");
    assert_true(http->callback);
    assert_true(expect_matches(http, 404));
    char *masked = log_mask("a 0123456789abcdef b key=abcdefghijk c");
    assert_string_equal(masked, "a *** b *** c");
    free(masked);
    fixture_release(&fixture);
}

// What came from outside may be the secret itself: only the host of it is shown.
static void test_shown_url(void **state)
{
    (void)state;
    static const struct {
        const char *base, *url, *shown;
    } cases[] = {
        {"https://app", "${HTTP_JOB_BASE}/jobs/warm", "https://app/jobs/warm"},
        {"https://app/door", "${HTTP_JOB_BASE}/jobs/warm", "https://app/…/jobs/warm"},
        {"https://chat/hook/abcdefgh", "${HTTP_JOB_BASE}", "https://chat/…"},
        {"https://chat/hook?k=abcdefgh", "${HTTP_JOB_BASE}", "https://chat/…"},
        {"abcdefgh", "https://chat/hook/${HTTP_JOB_BASE}", "https://chat/…"},
        {"abcdefgh", "https://chat/hook?k=${HTTP_JOB_BASE}", "https://chat/…"},
        {"abcdefgh", "https://chat/${HTTP_JOB_BASE}/x?k=1", "https://chat/…/x"},
        {"abcdefgh", "https://chat/${HTTP_JOB_BASE}/x?k=${HTTP_JOB_BASE}", "https://chat/…/x"},
        {"abcdefgh?k=1", "https://chat/${HTTP_JOB_BASE}/x", "https://chat/…"},
        {"abcdefgh", "https://chat/${HTTP_JOB_BASE}/$$x", "https://chat/…"},
        {"app", "https://${HTTP_JOB_BASE}/x", "https://app/x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        setenv("HTTP_JOB_BASE", cases[i].base, 1);
        snprintf(text, sizeof text, JOB "    http: {url: \"%s\"}\n", cases[i].url);
        struct fixture fixture = fixture_load_fine(text);
        assert_string_equal(only(&fixture)->shown_url, cases[i].shown);
        fixture_release(&fixture);
    }
}

static const struct {
    const char *text;
    const char *expected; // a part of the only complaint
} mistakes[] = {
    {JOB "    http: {}\n", "\"url\" is missing in jobs[].http"},
    {JOB "    http: x\n", "jobs[].http: must be a map"},
    {JOB "    http: {url: \"ftp://a\"}\n", "url: must begin with http:// or https://"},
    {JOB "    http: {url: \"http://u:p@a\"}\n", "headers"},
    {JOB "    http: {" URL ", method: FETCH}\n", "method: "},
    {JOB "    http: {" URL ", metod: GET}\n", "did you mean \"method\"?"},
    {JOB "    http: {" URL ", method: GET, body: x}\n", "body: a GET has none"},
    {JOB "    http: {" URL ", headers: {Host: x}}\n", "\"Host\" belongs to the connection"},
    {JOB "    http: {" URL ", headers: {content-length: 1}}\n", "belongs to the connection"},
    {JOB "    http: {" URL ", headers: {x-ironcron-fence: 1}}\n", "is set by ironcron"},
    {JOB "    http: {" URL ", headers: {Idempotency-Key: 1}}\n", "is set by ironcron"},
    {JOB "    http: {" URL ", headers: {\"a b\": 1}}\n", "is not a name for a header"},
    {JOB "    http: {" URL ", headers: {\"a:\": 1}}\n", "is not a name for a header"},
    {JOB "    http: {" URL ", headers: {a: \"x\\r\\ny: z\"}}\n", "has a line break"},
    {JOB "    http: {" URL ", headers: {a: \"x\\e\"}}\n", "has a control byte"},
    {JOB "    http: {" URL ", headers: {A: 1, a: 2}}\n", "\"a\" is given twice"},
    {JOB "    http: {" URL ", headers: [a]}\n", "headers: must be a map"},
    {JOB "    http: {" URL ", expect: 1xx}\n", "expect: \"1xx\" is outside of 200 to 599"},
    {JOB "    http: {" URL ", expect: [200, ok]}\n", "expect: \"ok\" is no HTTP status"},
    {JOB "    http: {" URL ", expect: []}\n", "lets no run succeed"},
    {JOB "    http: {" URL ", expect: {a: b}}\n", "expect: must be a text or a list of texts"},
    {JOB "    http: {" URL ", secret: abc}\n", "secret: the text is shorter than 4"},
    {JOB "    http: {" URL ", secret: \"${HTTP_JOB_UNSET}\"}\n", "HTTP_JOB_UNSET is not set"},
    {JOB "    http: {" URL ", complete: later}\n", "complete: "},
    {JOB "    http: {" URL ", complete: callback}\n", "could prove that a callback is genuine"},
    {TOKENS "viewer" TOKENS_ JOB "    http: {" URL ", complete: callback}\n", "could prove"},
    {"http: {listen: off}\n" JOB "    http: {" URL ", complete: callback, secret: abcdefgh}\n",
     "no callback can arrive"},
    {JOB "    user: root\n    http: {" URL "}\n", "\"user\" is for a process"},
    {JOB "    env: {A: b}\n    http: {" URL "}\n", "\"env\" is for a process"},
    {JOB "    shell: x\n    http: {" URL "}\n", "this job has \"shell\" already"},
    {"defaults:\n  http: {}\n" JOB "    shell: x\n", "\"http\" cannot have a default"},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct fixture fixture = fixture_load(mistakes[i].text);
        if (fixture.problems.count != 1 ||
            strstr(buf_string(&fixture.text), mistakes[i].expected) == NULL) {
            fail_msg("%s\ngave %zu complaints:\n%s\nexpected one: %s", mistakes[i].text,
                     fixture.problems.count, buf_string(&fixture.text), mistakes[i].expected);
        }
        fixture_release(&fixture);
    }
}

static void test_callback_by_token(void **state)
{
    (void)state;
    struct fixture fixture = fixture_load_fine(TOKENS "operator" TOKENS_ JOB "    http: {" URL
                                                      ", complete: callback}\n");
    assert_true(only(&fixture)->callback);
    fixture_release(&fixture);
}

// Defaults for processes are for those jobs that have one.
static void test_defaults_for_processes(void **state)
{
    (void)state;
    struct fixture fixture =
        fixture_load_fine("defaults: {workdir: /, timeout: 5s}\n" JOB "    http: {" URL "}\n");
    assert_int_equal(fixture.config->jobs[0].timeout.us, 5000000);
    fixture_release(&fixture);
}

static void test_too_many(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf text;
    buf_init(&text, 65536);
    buf_add_string(&text, JOB "    http:\n      " URL "\n      headers:\n");
    for (int i = 0; i < 65; i++) {
        buf_printf(&text, "        X-%d: y\n", i);
    }
    struct fixture fixture = fixture_load(buf_string(&text));
    assert_non_null(strstr(buf_string(&fixture.text), "headers: more than 64"));
    fixture_release(&fixture);
    buf_clear(&text);
    buf_add_string(&text, JOB "    http: {" URL ", headers: {X: \"");
    for (int i = 0; i < 8193; i++) {
        buf_add_char(&text, 'y');
    }
    buf_add_string(&text, "\"}}\n");
    fixture = fixture_load(buf_string(&text));
    assert_non_null(strstr(buf_string(&fixture.text), "more than 8,192 bytes"));
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),          cmocka_unit_test(test_everything),
        cmocka_unit_test(test_shown_url),         cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_callback_by_token), cmocka_unit_test(test_defaults_for_processes),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
