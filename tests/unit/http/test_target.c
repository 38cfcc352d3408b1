// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/json_body.h"
#include "http/target.h"

// "path|a=b|c=d", or the words of the refusal.
static void describe(const char *raw, char *out, size_t size)
{
    struct http_target target;
    struct error err = ERROR_INIT;
    if (!http_target_parse(&target, raw, &err)) {
        snprintf(out, size, "%s", err.text);
        return;
    }
    size_t used = (size_t)snprintf(out, size, "%s", target.path);
    for (size_t i = 0; i < target.query_count; i++) {
        used += (size_t)snprintf(out + used, size - used, "|%s=%s", target.query[i].name,
                                 target.query[i].value);
    }
    http_target_release(&target);
}

static void takes_targets_apart(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *expected;
    } cases[] = {
        {"/", "/"},
        {"/?", "/"},
        {"/a%20b", "/a b"},
        {"/a?b=c&d=e", "/a|b=c|d=e"},
        {"/a?b=c&", "/a|b=c"},
        {"/a?b", "/a|b="},
        {"/a?b=c=d", "/a|b=c=d"},
        {"/a?since=2026-11-24T03:00:00+01:00", "/a|since=2026-11-24T03:00:00+01:00"},
        {"/a?b=%26%3D%2f", "/a|b=&=/"},
        {"/a?b=c?d", "/a|b=c?d"},
        {"/%c3%a4", "/\xc3\xa4"},
        {"*", "*"},
        {"", ""},
        {"/%", "The request's target has a % without two hexadecimal digits behind it."},
        {"/%4", "The request's target has a % without two hexadecimal digits behind it."},
        {"/?a=%zz", "The request's target has a % without two hexadecimal digits behind it."},
        {"/%2F", "The request's target has an encoded slash in its path."},
        {"/%00", "The request's target has a control character."},
        {"/a?b=%0a", "The request's target has a control character."},
        {"/\xff", "The request's target is not UTF-8."},
        {"/?a=%ff", "The request's target is not UTF-8."},
        {"/?=b", "The request's target has a parameter without a name."},
        {"/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x&y&z&0&1&2&3&4&5&6",
         "The request's target has more than 32 parameters."},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char got[4096];
        describe(cases[i].raw, got, sizeof got);
        if (strcmp(got, cases[i].expected) != 0) {
            fail_msg("%s: %s", cases[i].raw, got);
        }
    }
}

static void a_long_target_is_refused(void **state)
{
    (void)state;
    char raw[HTTP_TARGET_MAX + 2];
    char got[200];
    memset(raw, 'a', sizeof raw);
    raw[sizeof raw - 1] = '\0';
    describe(raw, got, sizeof got);
    assert_non_null(strstr(got, "longer than 8192"));
}

static void reads_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error; // NULL: fine
    } cases[] = {
        {"", NULL},
        {"{}", NULL},
        {" {\"a\": [1, \"]]]]]]]]]]]]]]]]]]]]]]\"]}\n", NULL},
        {"{\"a\":{\"b\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[\"}}", NULL},
        {"[]", "must be a JSON object"},
        {"1", "is not JSON"},
        {"{", "line 1, column"},
        {"{\"a\":1,\"a\":2}", "duplicate"},
        {"{} x", "is not JSON"},
        {"{\"a\":\"\xff\"}", "is not JSON"},
        {"[[[[[[[[[[[[[[[[[", "deeper than 16"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        json_t *body = NULL;
        struct error err = ERROR_INIT;
        bool ok = http_json_body(cases[i].text, strlen(cases[i].text), &body, &err);
        if (ok != (cases[i].error == NULL) || (!ok && strstr(err.text, cases[i].error) == NULL)) {
            fail_msg("%s: %s", cases[i].text, err.text);
        }
        json_decref(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_targets_apart),
        cmocka_unit_test(a_long_target_is_refused),
        cmocka_unit_test(reads_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
