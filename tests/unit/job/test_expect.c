// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/attributes.h"
#include "job/expect.h"

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int first, last; // 0 = refused
    } cases[] = {
        {"2xx", 200, 299},     {"4XX", 400, 499}, {"5xx", 500, 599},     {"200", 200, 200},
        {"200-204", 200, 204}, {"599", 599, 599}, {"200-200", 200, 200}, {"1xx", 0, 0},
        {"100", 0, 0},         {"199", 0, 0},     {"600", 0, 0},         {"6xx", 0, 0},
        {"204-200", 0, 0},     {"", 0, 0},        {"2", 0, 0},           {"20", 0, 0},
        {"2000", 0, 0},        {"2x", 0, 0},      {"2xxx", 0, 0},        {"xxx", 0, 0},
        {"200-", 0, 0},        {"200-20", 0, 0},  {"200-2044", 0, 0},    {"200 ", 0, 0},
        {" 200", 0, 0},        {"-200", 0, 0},    {"200,204", 0, 0},     {"200--204", 0, 0},
        {"ok", 0, 0},          {"0xx", 0, 0},     {"100-200", 0, 0},     {"200-600", 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct job_status_range range = {0, 0};
        struct error err = ERROR_INIT;
        bool fine = expect_parse(cases[i].text, &range, &err);
        if (fine != (cases[i].first != 0) || range.first != cases[i].first ||
            range.last != cases[i].last || fine == (err.text[0] != '\0')) {
            fail_msg("\"%s\" gave %d to %d: %s", cases[i].text, range.first, range.last, err.text);
        }
    }
}

static void test_list(void **state)
{
    (void)state;
    const struct job_http http = {.expect = {{200, 299}, {404, 404}, {300, 304}},
                                  .expect_count = 3};
    AUTO(buf_release) struct buf text;
    buf_init(&text, 100);
    expect_describe(&http, &text);
    assert_string_equal(buf_string(&text), "2xx, 404, 300-304");
    assert_true(expect_matches(&http, 200) && expect_matches(&http, 299));
    assert_true(expect_matches(&http, 404) && expect_matches(&http, 304));
    assert_false(expect_matches(&http, 199) || expect_matches(&http, 305));
    assert_false(expect_matches(&http, 403) || expect_matches(&http, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
