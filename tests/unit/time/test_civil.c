// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "time/civil.h"

static void known_days(void **state)
{
    (void)state;
    static const struct {
        int year, month, day;
        int64_t days;
        int weekday;
    } cases[] = {
        {1970, 1, 1, 0, 4},         {1969, 12, 31, -1, 3},   {2000, 2, 29, 11016, 2},
        {2000, 3, 1, 11017, 3},     {1900, 3, 1, -25508, 4}, {1, 1, 1, -719162, 1},
        {9999, 12, 31, 2932896, 5}, {2038, 1, 19, 24855, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (civil_days(cases[i].year, cases[i].month, cases[i].day) != cases[i].days ||
            civil_weekday(cases[i].year, cases[i].month, cases[i].day) != cases[i].weekday) {
            fail_msg("%04d-%02d-%02d", cases[i].year, cases[i].month, cases[i].day);
        }
    }
}

static void leap_years(void **state)
{
    (void)state;
    assert_true(civil_is_leap(2000));
    assert_true(civil_is_leap(2024));
    assert_false(civil_is_leap(1900));
    assert_false(civil_is_leap(2100));
    assert_int_equal(civil_month_days(2024, 2), 29);
    assert_int_equal(civil_month_days(2100, 2), 28);
    assert_int_equal(civil_month_days(2100, 12), 31);
}

// Each day of four hundred years and more, against the C library.
static void agrees_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t day = -146097; day < 146097; day++) {
        time_t seconds = (time_t)(day * 86400 + 45296);
        struct tm expected;
        assert_non_null(gmtime_r(&seconds, &expected));
        struct civil civil = civil_from_seconds(seconds);
        if (civil.year != expected.tm_year + 1900 || civil.month != expected.tm_mon + 1 ||
            civil.day != expected.tm_mday || civil.hour != 12 || civil.minute != 34 ||
            civil.second != 56 || civil_seconds(&civil) != seconds ||
            civil_weekday(civil.year, civil.month, civil.day) != expected.tm_wday) {
            fail_msg("day %lld", (long long)day);
        }
    }
}

static void the_ends_do_not_overflow(void **state)
{
    (void)state;
    assert_int_equal(civil_from_seconds(INT64_MAX).year, civil_from_seconds(INT64_MAX - 1).year);
    assert_true(civil_from_seconds(INT64_MIN).year < -1000000);
    struct civil before = civil_from_seconds(-1);
    assert_int_equal(before.year, 1969);
    assert_int_equal(before.second, 59);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_days),
        cmocka_unit_test(leap_years),
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(the_ends_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
