// SPDX-License-Identifier: MIT
// What clock changes do to slots, case by case. Each case names the change that it is about, and
// the test first makes sure that the installed zone data has a change of that size at that instant.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schedules.h"

#define RUN  SCHEDULE_DST_RUN
#define SKIP SCHEDULE_DST_SKIP

struct dst_case {
    const char *zone;
    const char *change;
    int minutes;
    const char *text;
    enum schedule_dst dst;
    const char *from;
    const char *expected;
};

static const struct dst_case cases[] = {
    // New York, an hour skipped: 2 to 3 o'clock, 07:00Z.
    {"America/New_York", "2026-03-08T07:00", 60, "30 2 * * *", RUN, "2026-03-07T08:00",
     "2026-03-08T07:00 2026-03-09T06:30"},
    {"America/New_York", "2026-03-08T07:00", 60, "30 2 * * *", SKIP, "2026-03-07T08:00",
     "2026-03-09T06:30"},
    {"America/New_York", "2026-03-08T07:00", 60, "0,30 2 * * *", RUN, "2026-03-07T08:00",
     "2026-03-08T07:00 2026-03-09T06:00 2026-03-09T06:30"},
    {"America/New_York", "2026-03-08T07:00", 60, "30 1-5 * * *", RUN, "2026-03-08T06:00",
     "2026-03-08T06:30 2026-03-08T07:00 2026-03-08T07:30 2026-03-08T08:30 2026-03-08T09:30"},
    {"America/New_York", "2026-03-08T07:00", 60, "30 1-5 * * *", SKIP, "2026-03-08T06:00",
     "2026-03-08T06:30 2026-03-08T07:30 2026-03-08T08:30 2026-03-08T09:30"},
    {"America/New_York", "2026-03-08T07:00", 60, "*/20 2 * * *", RUN, "2026-03-07T08:00",
     "2026-03-08T07:00 2026-03-09T06:00 2026-03-09T06:20"},
    // 03:00 is a slot already: one run, not two.
    {"America/New_York", "2026-03-08T07:00", 60, "30 2 * * *", RUN, "2026-03-08T06:59:59",
     "2026-03-08T07:00 2026-03-09T06:30"},
    {"America/New_York", "2026-03-08T07:00", 60, "0,30 2,3 * * *", RUN, "2026-03-08T06:00",
     "2026-03-08T07:00 2026-03-08T07:30 2026-03-09T06:00"},
    {"America/New_York", "2026-03-08T07:00", 60, "0,30 2,3 * * *", SKIP, "2026-03-08T06:00",
     "2026-03-08T07:00 2026-03-08T07:30 2026-03-09T06:00"},
    {"America/New_York", "2026-03-08T07:00", 60, "0 * * * *", RUN, "2026-03-08T05:30",
     "2026-03-08T06:00 2026-03-08T07:00 2026-03-08T08:00"},
    {"America/New_York", "2026-03-08T07:00", 60, "30 0-23 * * *", RUN, "2026-03-08T06:00",
     "2026-03-08T06:30 2026-03-08T07:30"},
    {"America/New_York", "2026-03-08T07:00", 60, "59 59 2 * * *", RUN, "2026-03-08T06:00",
     "2026-03-08T07:00 2026-03-09T06:59:59"},
    // New York, an hour repeated: 1 to 2 o'clock, 05:00Z and 06:00Z.
    {"America/New_York", "2026-11-01T06:00", -60, "30 1 * * *", RUN, "2026-10-31T06:00",
     "2026-11-01T05:30 2026-11-02T06:30"},
    {"America/New_York", "2026-11-01T06:00", -60, "30 1 * * *", RUN, "2026-11-01T05:30",
     "2026-11-02T06:30"},
    {"America/New_York", "2026-11-01T06:00", -60, "30 1 * * *", RUN, "2026-11-01T06:10",
     "2026-11-02T06:30"},
    {"America/New_York", "2026-11-01T06:00", -60, "0 * * * *", RUN, "2026-11-01T03:30",
     "2026-11-01T04:00 2026-11-01T05:00 2026-11-01T06:00 2026-11-01T07:00 2026-11-01T08:00"},
    {"America/New_York", "2026-11-01T06:00", -60, "*/20 1 * * *", RUN, "2026-11-01T04:00",
     "2026-11-01T05:00 2026-11-01T05:20 2026-11-01T05:40 2026-11-02T06:00"},
    {"America/New_York", "2026-11-01T06:00", -60, "*/30 1,2 * * *", RUN, "2026-11-01T05:40",
     "2026-11-01T07:00 2026-11-01T07:30 2026-11-02T06:00"},
    {"Europe/Berlin", "2026-03-29T01:00", 60, "30 2 * * *", RUN, "2026-03-28T02:00",
     "2026-03-29T01:00 2026-03-30T00:30"},
    {"Europe/Berlin", "2026-10-25T01:00", -60, "30 2 * * *", RUN, "2026-10-24T02:00",
     "2026-10-25T00:30 2026-10-26T01:30"},
    // Dublin's winter time is the negative one.
    {"Europe/Dublin", "2026-03-29T01:00", 60, "30 1 * * *", RUN, "2026-03-28T02:00",
     "2026-03-29T01:00 2026-03-30T00:30"},
    {"Europe/Dublin", "2026-10-25T01:00", -60, "30 1 * * *", RUN, "2026-10-24T02:00",
     "2026-10-25T00:30 2026-10-26T01:30"},
    // Half an hour.
    {"Australia/Lord_Howe", "2026-10-03T15:30", 30, "15 2 * * *", RUN, "2026-10-03T00:00",
     "2026-10-03T15:30 2026-10-04T15:15"},
    {"Australia/Lord_Howe", "2026-04-04T15:00", -30, "45 1 * * *", RUN, "2026-04-04T00:00",
     "2026-04-04T14:45 2026-04-05T15:15"},
    // Midnight does not exist.
    {"Africa/Cairo", "2026-04-23T22:00", 60, "0 0 * * *", RUN, "2026-04-22T23:00",
     "2026-04-23T22:00 2026-04-24T21:00"},
    {"Africa/Cairo", "2026-10-29T21:00", -60, "30 23 * * *", RUN, "2026-10-29T00:00",
     "2026-10-29T20:30 2026-10-30T21:30"},
    {"America/Santiago", "2026-09-06T04:00", 60, "0 0 * * *", RUN, "2026-09-05T05:00",
     "2026-09-06T04:00 2026-09-07T03:00"},
    {"America/Santiago", "2026-04-05T03:00", -60, "30 23 * * *", RUN, "2026-04-04T12:00",
     "2026-04-05T02:30 2026-04-06T03:30"},
    // The gap ends at midnight.
    {"America/Nuuk", "2026-03-29T01:00", 60, "30 23 * * *", RUN, "2026-03-28T12:00",
     "2026-03-29T01:00 2026-03-30T00:30"},
    {"America/Nuuk", "2026-10-25T01:00", -60, "30 23 * * *", RUN, "2026-10-24T12:00",
     "2026-10-25T00:30 2026-10-26T01:30"},
    // Two hours.
    {"Antarctica/Troll", "2026-03-29T01:00", 120, "30 1 * * *", RUN, "2026-03-28T12:00",
     "2026-03-29T01:00 2026-03-29T23:30"},
    {"Antarctica/Troll", "2026-03-29T01:00", 120, "30 1,2 * * *", RUN, "2026-03-28T12:00",
     "2026-03-29T01:00 2026-03-29T23:30 2026-03-30T00:30"},
    {"Antarctica/Troll", "2026-10-25T01:00", -120, "30 2 * * *", RUN, "2026-10-24T12:00",
     "2026-10-25T00:30 2026-10-26T02:30"},
    // At Ramadan, not in spring and autumn.
    {"Africa/Casablanca", "2026-02-15T02:00", -60, "30 2 * * *", RUN, "2026-02-14T12:00",
     "2026-02-15T01:30 2026-02-16T02:30"},
    {"Africa/Casablanca", "2026-03-22T02:00", 60, "30 2 * * *", RUN, "2026-03-21T12:00",
     "2026-03-22T02:00 2026-03-23T01:30"},
    {"America/Sao_Paulo", "2018-11-04T03:00", 60, "0 0 * * *", RUN, "2018-11-03T12:00",
     "2018-11-04T03:00 2018-11-05T02:00"},
    // For good.
    {"America/Caracas", "2016-05-01T07:00", 30, "45 2 * * *", RUN, "2016-04-30T12:00",
     "2016-05-01T07:00 2016-05-02T06:45"},
    // A whole day that did not exist.
    {"Pacific/Apia", "2011-12-30T10:00", 1440, "0 12 30 12 *", RUN, "2011-01-01",
     "2011-12-30T10:00 2012-12-29T22:00"},
    {"Pacific/Apia", "2011-12-30T10:00", 1440, "0 12 30 12 *", SKIP, "2011-01-01",
     "2012-12-29T22:00"},
    {"Pacific/Apia", "2011-12-30T10:00", 1440, "0 0 31 12 *", RUN, "2011-01-01",
     "2011-12-30T10:00 2012-12-30T10:00"},
    // A date that came twice: Kwajalein crossed the date line westwards in 1969, and 30 September
    // was repeated.
    {"Pacific/Kwajalein", "1969-09-30T13:00", -1380, "0 12 * * *", RUN, "1969-09-29T02:00",
     "1969-09-30T01:00 1969-10-02T00:00"},
    // Beyond the recorded changes the rule goes on.
    {"Europe/Berlin", "2100-03-28T01:00", 60, "30 2 * * *", RUN, "2100-03-27T02:00",
     "2100-03-28T01:00 2100-03-29T00:30"},
    {"America/New_York", "2199-11-03T06:00", -60, "30 1 * * *", RUN, "2199-11-02T06:00",
     "2199-11-03T05:30 2199-11-04T06:30"},
};

static void each_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct dst_case *c = &cases[i];
        int64_t at = instant_unix(schedules_time(c->change));
        struct zone_change change;
        if (!zone_next_change(schedules_zone(c->zone), at - 1, &change) || change.at != at ||
            change.offset_after - change.offset_before != c->minutes * 60) {
            fail_msg("case %zu: %s has no change of %d minutes at %s", i, c->zone, c->minutes,
                     c->change);
        }
        schedules_expect(c->text, c->zone, c->dst, c->from, c->expected);
    }
}

static void zones_without_changes(void **state)
{
    (void)state;
    schedules_expect("30 2 * * *", "Asia/Tokyo", RUN, "2026-03-28T00:00",
                     "2026-03-28T17:30 2026-03-29T17:30");
    schedules_expect("30 2 * * *", "UTC", RUN, "2026-03-08T00:00", "2026-03-08T02:30");
}

struct change_case {
    const char *zone, *text;
    enum schedule_dst dst;
    const char *from;
    enum schedule_change_effect effect;
    int affected;
};

static void effects_of_the_next_change(void **state)
{
    (void)state;
    static const struct change_case changes[] = {
        {"Europe/Berlin", "30 2 * * *", RUN, "2026-01-01", SCHEDULE_CHANGE_MOVED, 1},
        {"Europe/Berlin", "*/20 2 * * *", RUN, "2026-01-01", SCHEDULE_CHANGE_MOVED, 3},
        {"Europe/Berlin", "*/20 2 * * *", SKIP, "2026-01-01", SCHEDULE_CHANGE_SKIPPED, 3},
        {"Europe/Berlin", "30 2 * * *", RUN, "2026-07-01", SCHEDULE_CHANGE_ONCE, 1},
        {"Europe/Berlin", "30 4 * * *", RUN, "2026-01-01", SCHEDULE_CHANGE_NONE, 0},
        {"Europe/Berlin", "30 2 * * mon", RUN, "2026-01-01", SCHEDULE_CHANGE_NONE, 0},
        {"Europe/Berlin", "*/5 * * * *", RUN, "2026-01-01", SCHEDULE_CHANGE_ELAPSED, 12},
        {"Europe/Berlin", "* * * * * *", RUN, "2026-01-01", SCHEDULE_CHANGE_ELAPSED, 3600},
        {"Europe/Berlin", "*/5 * * * *", RUN, "2026-07-01", SCHEDULE_CHANGE_TWICE, 12},
        {"Europe/Berlin", "15 * * * *", RUN, "2026-01-01", SCHEDULE_CHANGE_ELAPSED, 1},
        {"Europe/Berlin", "15 * * * *", SKIP, "2026-01-01", SCHEDULE_CHANGE_ELAPSED, 1},
        {"Europe/Berlin", "0 2,3 * * *", RUN, "2026-01-01", SCHEDULE_CHANGE_JOINED, 1},
        {"Europe/Berlin", "0 2,3 * * *", SKIP, "2026-01-01", SCHEDULE_CHANGE_SKIPPED, 1},
        {"Australia/Lord_Howe", "15 * * * *", RUN, "2026-07-01", SCHEDULE_CHANGE_STRETCHED, 1},
        {"Australia/Lord_Howe", "45 * * * *", RUN, "2026-07-01", SCHEDULE_CHANGE_NONE, 0},
        {"Australia/Lord_Howe", "*/30 * * * *", RUN, "2026-07-01", SCHEDULE_CHANGE_ELAPSED, 1},
        {"Australia/Lord_Howe", "45 * * * *", RUN, "2026-01-01", SCHEDULE_CHANGE_TWICE, 1},
        {"Pacific/Apia", "30 * * * *", RUN, "2011-12-01", SCHEDULE_CHANGE_ELAPSED, 24},
        {"Pacific/Apia", "30 * * * fri", RUN, "2011-12-01", SCHEDULE_CHANGE_STRETCHED, 24},
        {"Pacific/Apia", "* * 1-22 * * *", RUN, "2011-12-01", SCHEDULE_CHANGE_MOVED, 10000},
        {"Europe/Berlin", "@every 1h", RUN, "2026-01-01", SCHEDULE_CHANGE_ELAPSED, 0},
        {"Europe/Berlin", "@reboot", RUN, "2026-01-01", SCHEDULE_CHANGE_NONE, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        const struct change_case *c = &changes[i];
        struct schedule schedule = schedules_parse(c->text, c->zone, c->dst);
        struct schedule_change change;
        assert_true(schedule_next_change(&schedule, schedules_time(c->from), &change));
        bool is_moved = c->effect == SCHEDULE_CHANGE_MOVED || c->effect == SCHEDULE_CHANGE_JOINED;
        if (change.effect != c->effect || change.affected != c->affected ||
            instant_is_none(change.moved_to) == is_moved) {
            fail_msg("'%s' in %s from %s: effect %d, affected %d", c->text, c->zone, c->from,
                     (int)change.effect, change.affected);
        }
    }
    struct schedule schedule = schedules_parse("30 2 * * *", "Asia/Tokyo", RUN);
    struct schedule_change change;
    assert_false(schedule_next_change(&schedule, schedules_time("2026-01-01"), &change));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case),
        cmocka_unit_test(zones_without_changes),
        cmocka_unit_test(effects_of_the_next_change),
    };
    return cmocka_run_group_tests(tests, schedules_setup, schedules_teardown);
}
