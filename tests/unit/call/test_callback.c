// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/attributes.h"
#include "call/callback.h"

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int64_t fence;
        bool success;
        const char *error, *output;
    } cases[] = {
        {"{\"fence\":7,\"state\":\"SUCCESS\"}", 7, true, NULL, NULL},
        {" {\"state\":\"FAILED\",\"fence\":9007199254740993} \n", 9007199254740993, false, NULL,
         NULL},
        {"{\"fence\":1,\"state\":\"FAILED\",\"error\":\"disk\\nis\\tfull\",\"output\":\"a\\nb\"}",
         1, false, "disk is full", "a\nb"},
        {"{\"fence\":1,\"state\":\"SUCCESS\",\"error\":null,\"output\":null}", 1, true, NULL, NULL},
        {"{\"fence\":1,\"state\":\"FAILED\",\"error\":\"\"}", 1, false, "", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct callback callback = {0};
        struct error err = ERROR_INIT;
        if (!callback_parse(cases[i].body, strlen(cases[i].body), &callback, &err)) {
            fail_msg("%s: %s", cases[i].body, err.text);
        }
        assert_int_equal(callback.fence, cases[i].fence);
        assert_int_equal(callback.success, cases[i].success);
        assert_int_equal(callback.error == NULL, cases[i].error == NULL);
        assert_true(callback.error == NULL || strcmp(callback.error, cases[i].error) == 0);
        assert_true(callback.output == NULL || strcmp(callback.output, cases[i].output) == 0);
        callback_release(&callback);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *body, *reason;
    } cases[] = {
        {"", "must be a JSON object"},
        {"x", "must be a JSON object"},
        {"[]", "must be a JSON object"},
        {"null", "must be a JSON object"},
        {"{\"fence\":7,\"state\":\"SUCCESS\"", "must be a JSON object"},
        {"{\"fence\":7,\"state\":\"SUCCESS\"} {}", "must be a JSON object"},
        {"{\"fence\":7,\"fence\":8,\"state\":\"SUCCESS\"}", "must be a JSON object"},
        {"{\"fence\":7,\"state\":\"SUCCESS\",\"x\xff\":1}", "must be a JSON object"},
        {"{}", "\"fence\" must be the number"},
        {"{\"state\":\"SUCCESS\"}", "\"fence\" must be the number"},
        {"{\"fence\":\"7\",\"state\":\"SUCCESS\"}", "\"fence\" must be the number"},
        {"{\"fence\":7.0,\"state\":\"SUCCESS\"}", "\"fence\" must be the number"},
        {"{\"fence\":0,\"state\":\"SUCCESS\"}", "\"fence\" must be the number"},
        {"{\"fence\":-7,\"state\":\"SUCCESS\"}", "\"fence\" must be the number"},
        {"{\"fence\":99999999999999999999,\"state\":\"SUCCESS\"}", "must be a JSON object"},
        {"{\"fence\":7}", "\"state\" must be"},
        {"{\"fence\":7,\"state\":\"success\"}", "\"state\" must be"},
        {"{\"fence\":7,\"state\":\"LOST\"}", "\"state\" must be"},
        {"{\"fence\":7,\"state\":true}", "\"state\" must be"},
        {"{\"fence\":7,\"state\":\"FAILED\",\"error\":1}", "\"error\" must be a text"},
        {"{\"fence\":7,\"state\":\"FAILED\",\"output\":{}}", "\"output\" must be a text"},
        {"{\"fence\":7,\"state\":\"SUCCESS\",\"error\":\"x\"}", "has no \"error\""},
        {"{\"fence\":7,\"state\":\"FAILED\",\"eror\":\"x\"}", "\"eror\" is not a member"},
        {"{\"fence\":7,\"state\":\"SUCCESS\",\"output\":\"a\\u0000b\"}", "must be a JSON object"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct callback callback = {0};
        struct error err = ERROR_INIT;
        if (callback_parse(cases[i].body, strlen(cases[i].body), &callback, &err) ||
            strstr(err.text, cases[i].reason) == NULL || callback.error != NULL) {
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].body, err.text, cases[i].reason);
        }
    }
}

static void test_limits(void **state)
{
    (void)state;
    char *body = alloc_zero(CALLBACK_BODY_MAX + 2, 1);
    struct callback callback = {0};
    struct error err = ERROR_INIT;
    memset(body, ' ', CALLBACK_BODY_MAX + 1);
    assert_false(callback_parse(body, CALLBACK_BODY_MAX + 1, &callback, &err));
    assert_non_null(strstr(err.text, "larger than 64 KB"));
    static const char head[] = "{\"fence\":1,\"state\":\"FAILED\",\"error\":\"";
    memset(body, 'x', CALLBACK_BODY_MAX);
    memcpy(body, head, sizeof head - 1);
    memcpy(body + CALLBACK_BODY_MAX - 2, "\"}", 2);
    assert_true(callback_parse(body, CALLBACK_BODY_MAX, &callback, &err));
    assert_int_equal(strlen(callback.error), CALLBACK_ERROR_MAX);
    callback_release(&callback);
    memset(body, '[', CALLBACK_BODY_MAX); // deep, and no crash
    assert_false(callback_parse(body, CALLBACK_BODY_MAX, &callback, &err));
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
