// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "schedules.h"

#define RUN SCHEDULE_DST_RUN

static void plain_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *from, *expected;
    } cases[] = {
        {"* * * * *", "2026-01-01", "2026-01-01T00:01 2026-01-01T00:02 2026-01-01T00:03"},
        {"*/59 * * * *", "2026-01-01", "2026-01-01T00:59 2026-01-01T01:00 2026-01-01T01:59"},
        {"*/7 * * * *", "2026-01-01T00:50", "2026-01-01T00:56 2026-01-01T01:00 2026-01-01T01:07"},
        {"0 0 * * 0", "2026-01-01", "2026-01-04 2026-01-11 2026-01-18 2026-01-25"},
        {"0 0 * * 5-7", "2026-01-01", "2026-01-02 2026-01-03 2026-01-04 2026-01-09"},
        {"0 0 * * 7", "2026-01-01", "2026-01-04 2026-01-11 2026-01-18 2026-01-25"},
        {"0 0 */2 * 1", "2026-01-01", "2026-01-05 2026-01-19 2026-02-09 2026-02-23"},
        {"0 0 1 1 *", "2037-12-31", "2038-01-01 2039-01-01 2040-01-01 2041-01-01"},
        {"0 0 1-7 * 1", "2026-01-01", "2026-01-02 2026-01-03 2026-01-04 2026-01-05"},
        {"0 0 13 * 5", "2026-01-01", "2026-01-02 2026-01-09 2026-01-13 2026-01-16"},
        {"0 0 29 2 *", "2026-01-01", "2028-02-29 2032-02-29"},
        {"0 0 29 2 *", "2096-03-01", "2104-02-29"},
        {"0 0 30 2 *", "2026-01-01", "NONE"},
        {"0 0 31 * *", "2026-01-01", "2026-01-31 2026-03-31 2026-05-31 2026-07-31"},
        {"0 0 31 4 *", "2026-01-01", "NONE"},
        {"0 12 19 1 *", "2038-01-18", "2038-01-19T12:00 2039-01-19T12:00 2040-01-19T12:00"},
        {"5/15 * * * *", "2026-01-01",
         "2026-01-01T00:05 2026-01-01T00:20 2026-01-01T00:35 2026-01-01T00:50 2026-01-01T01:05"},
        {"59 23 31 12 *", "2026-12-31T23:59", "2027-12-31T23:59 2028-12-31T23:59"},
        {"*/10 * * * * *", "2026-01-01", "2026-01-01T00:00:10 2026-01-01T00:00:20"},
        {"59 59 23 * * *", "2026-01-01", "2026-01-01T23:59:59 2026-01-02T23:59:59"},
        {"0 0 L * *", "2026-01-31", "2026-02-28 2026-03-31 2026-04-30"},
        {"0 0 L-3 * *", "2026-01-01", "2026-01-28 2026-02-25"},
        {"0 0 L-30 * *", "2026-01-02", "2026-03-01 2026-05-01"},
        {"0 0 LW * *", "2026-01-01", "2026-01-30 2026-02-27 2026-03-31 2026-04-30 2026-05-29"},
        {"0 0 15W * *", "2026-01-01", "2026-01-15 2026-02-16 2026-03-16 2026-04-15"},
        {"0 0 1W * *", "2026-08-01", "2026-08-03 2026-09-01"}, // Saturday the 1st: Monday the 3rd
        {"0 0 31W * *", "2026-01-01", "2026-01-30 2026-03-31 2026-05-29"},
        {"0 0 29W 2 *", "2026-01-01", "2028-02-29 2032-02-27"}, // a Sunday, the month's last
        {"0 0 * 2 MON#5", "2026-01-01", "2044-02-29 2072-02-29 2112-02-29"},
        {"0 0 * * 5L", "2026-01-01", "2026-01-30 2026-02-27"},
        {"0 0 * * sunL,mon#1", "2026-01-01", "2026-01-05 2026-01-25 2026-02-02 2026-02-22"},
        {"0 0 ? * mon", "2026-01-01", "2026-01-05 2026-01-12"},
        {"0 0 1 * ?", "2026-01-02", "2026-02-01"},
        {"0 0 * * sat-sun", "2026-01-01", "2026-01-03 2026-01-04 2026-01-10"},
        {"0 0 1 1 *", "1900-06-01", "1901-01-01"},
        {"* * * * *", "1969-12-31T23:58", "1969-12-31T23:59 1970-01-01T00:00"},
        {"0 0 * * *", "9999-12-30", "9999-12-31 NONE"},
        {"* * * * *", "9999-12-31T23:58", "9999-12-31T23:59 NONE"},
        {"0 0 1 1 *", "0001-01-01", "0002-01-01"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        schedules_expect(cases[i].text, "UTC", RUN, cases[i].from, cases[i].expected);
    }
}

static void words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *from, *expected;
    } cases[] = {
        {"@hourly", "2026-01-01T00:30", "2026-01-01T01:00 2026-01-01T02:00"},
        {"@daily", "2026-01-01T00:30", "2026-01-02 2026-01-03"},
        {"@midnight", "2026-01-01T00:30", "2026-01-02 2026-01-03"},
        {"@weekly", "2026-01-01", "2026-01-04 2026-01-11"},
        {"@Monthly", "2026-01-01", "2026-02-01 2026-03-01"},
        {"@yearly", "2026-01-01", "2027-01-01"},
        {" @annually ", "2026-01-01", "2027-01-01"},
        {"@every 90s", "1970-01-01", "1970-01-01T00:01:30 1970-01-01T00:03"},
        {"@every 7d", "2026-01-01", "2026-01-08 2026-01-15"}, // Thursdays, as the epoch was
        {"@every 1h", "1969-12-31T22:30", "1969-12-31T23:00 1970-01-01T00:00"},
        {"@every 366d", "1970-01-01", "1971-01-02"},
        {"@every 1s", "9999-12-31T23:59:58", "9999-12-31T23:59:59 NONE"},
        {"@once 2026-12-01T10:00:00+01:00", "2026-01-01", "2026-12-01T09:00 NONE"},
        {"@once 2026-12-01T10:00:00+01:00", "2026-12-01T09:00", "NONE"},
        {"@once 1960-01-01", "1950-01-01", "1960-01-01 NONE"},
        {"@reboot", "2026-01-01", "NONE"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        schedules_expect(cases[i].text, "UTC", RUN, cases[i].from, cases[i].expected);
    }
}

static void wrong_words_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"@fortnightly", "no schedule"},
        {"@every", "character 1"},
        {"@every 0s", "from 1s to 366d"},
        {"@every 999ms", "from 1s to 366d"},
        {"@every 1500ms", "whole seconds"},
        {"@every 367d", "from 1s to 366d"},
        {"@every 5", "unit is missing"},
        {"@every -5m", "character 1"},
        {"@every5m", "no schedule"},
        {"@once", "character 1"},
        {"@once tomorrow", "character 1"},
        {"@once -2h", "write the time itself"},
        {"@once 2026-12-01T10:00:00.5Z", "whole seconds"},
        {"", "0 fields"},
        {"   ", "0 fields"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct schedule schedule;
        struct error err = ERROR_INIT;
        if (schedule_parse(cases[i].text, schedules_zone("UTC"), RUN, "a-job", &schedule, &err) ||
            err.code != ERROR_CONFIG || strstr(err.text, cases[i].part) == NULL) {
            fail_msg("'%s' should be refused with '%s' but: %s", cases[i].text, cases[i].part,
                     err.text);
        }
    }
}

static void what_never_fires_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *zone;
        enum schedule_dst dst;
        bool fires;
    } cases[] = {
        {"* * * * *", "UTC", RUN, true},
        {"0 0 30 2 *", "UTC", RUN, false},
        {"0 * 30 2 *", "America/New_York", RUN, false},
        {"30 2 30 2 *", "Europe/Berlin", RUN, false},
        {"0 0 31 4,6,9,11 *", "UTC", RUN, false},
        {"0 0 29 2 *", "UTC", RUN, true},
        {"0 0 30W 2 *", "UTC", RUN, false},
        {"0 0 L-29 2 *", "UTC", RUN, false},
        {"0 0 L-28 2 *", "UTC", RUN, true},
        {"0 0 ? 2 mon#5", "UTC", RUN, true},
        {"@reboot", "UTC", RUN, true},
        {"@once 1960-01-01", "UTC", RUN, true},
        // The last Sunday of March at half past two does not exist in Berlin, in no year.
        {"30 2 ? 3 0L", "Europe/Berlin", SCHEDULE_DST_SKIP, false},
        {"30 2 ? 3 0L", "Europe/Berlin", RUN, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct schedule schedule = schedules_parse(cases[i].text, cases[i].zone, cases[i].dst);
        if (schedule_ever_fires(&schedule, schedules_time("2026-01-01")) != cases[i].fires) {
            fail_msg("'%s' in %s", cases[i].text, cases[i].zone);
        }
    }
}

static void instants_between_seconds(void **state)
{
    (void)state;
    struct schedule schedule = schedules_parse("* * * * * *", "UTC", RUN);
    static const struct {
        int64_t us, next;
    } cases[] = {{0, 1}, {1, 1}, {999999, 1}, {1000000, 2}, {-1, 0}, {-1000000, 0}, {-1000001, -1}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct instant next = schedule_next(&schedule, (struct instant){cases[i].us});
        assert_int_equal(next.us, cases[i].next * 1000000);
    }
}

static void far_instants(void **state)
{
    (void)state;
    struct schedule schedule = schedules_parse("0 3 * * *", "Europe/Berlin", RUN);
    assert_true(instant_is_none(schedule_next(&schedule, (struct instant){INT64_MAX})));
    assert_false(instant_is_none(schedule_next(&schedule, (struct instant){INT64_MIN + 1})));
}

// A process may hold a million of them.
static void schedules_are_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct cron) <= 48);
    assert_true(sizeof(struct schedule) <= 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_vectors),
        cmocka_unit_test(words),
        cmocka_unit_test(wrong_words_are_refused),
        cmocka_unit_test(what_never_fires_is_told),
        cmocka_unit_test(instants_between_seconds),
        cmocka_unit_test(far_instants),
        cmocka_unit_test(schedules_are_small),
    };
    return cmocka_run_group_tests(tests, schedules_setup, schedules_teardown);
}
