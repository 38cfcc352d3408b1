// SPDX-License-Identifier: MIT
// What holds for every schedule, zone and instant. Random, from a seed that each failure names.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "expressions.h"
#include "schedules.h"

#define RUN       SCHEDULE_DST_RUN
#define YEAR_1960 (-315619200)
#define YEAR_2100 4102444800

static const char *const zone_names[] = {
    "UTC",           "Europe/Berlin",        "America/New_York",  "Australia/Lord_Howe",
    "Africa/Cairo",  "Antarctica/Troll",     "Africa/Casablanca", "America/Santiago",
    "Europe/Dublin", "Pacific/Apia",         "Asia/Kathmandu",    "America/Nuuk",
    "Asia/Tokyo",    "America/St_Johns",     "Asia/Gaza",         "Africa/Monrovia",
    "Asia/Tehran",   "America/Punta_Arenas", "Asia/Pyongyang",    "Pacific/Kwajalein",
};

struct subject {
    char text[EXPRESSION_SIZE];
    struct schedule schedule;
    struct instant t;
};

// A schedule and an instant. One in three is anywhere, one close to a change of the clock, and one
// right before a change, with an expression that aims at what the clock skips or repeats.
static struct subject random_subject(struct random_source *source)
{
    struct subject subject;
    const struct zone *zone =
        schedules_zone(zone_names[random_below(source, ARRAY_LENGTH(zone_names))]);
    int64_t at = random_between(source, YEAR_1960, YEAR_2100);
    int where = random_below(source, 3);
    struct zone_change change;
    struct civil near = zone_civil(zone, at);
    if (where > 0 && zone_next_change(zone, at, &change)) {
        int64_t distance = random_between(source, 1, 10800);
        int64_t between_offsets = (change.offset_before + change.offset_after) / 2;
        at = where == 1 && distance % 2 == 0 ? change.at + distance : change.at - distance;
        near = where == 1 ? zone_civil(zone, at) : civil_from_seconds(change.at + between_offsets);
    }
    (void)expression_random(source, &near, subject.text);
    subject.schedule = schedules_parse(subject.text, zone_name(zone),
                                       random_below(source, 4) == 0 ? SCHEDULE_DST_SKIP : RUN);
    subject.t = (struct instant){at * 1000000 + random_below(source, 1000000)};
    return subject;
}

static void fail_subject(const struct subject *subject, const char *property)
{
    fail_msg("%s: '%s' in %s, dst %d, at %lld us (IRONCRON_SEED=%llu)", property, subject->text,
             zone_name(subject->schedule.zone), (int)subject->schedule.dst,
             (long long)subject->t.us, (unsigned long long)random_seed());
}

static struct instant between(struct random_source *source, struct instant a, struct instant b)
{
    return (struct instant){random_between(source, a.us, b.us)};
}

static bool wall_matches(const struct subject *subject, struct instant t)
{
    struct civil civil = zone_civil(subject->schedule.zone, instant_unix(t));
    struct civil next;
    return cron_next_civil(&subject->schedule.cron, &civil, 9999, &next) &&
           civil_seconds(&next) == civil_seconds(&civil);
}

static bool is_after_gap(const struct subject *subject, struct instant t)
{
    struct zone_change change;
    return zone_next_change(subject->schedule.zone, instant_unix(t) - 1, &change) &&
           change.at == instant_unix(t) && change.offset_after > change.offset_before;
}

static void next_is_later_and_nothing_is_between(void **state)
{
    (void)state;
    struct random_source source = {random_seed()};
    for (int i = 0; i < 20000; i++) {
        struct subject subject = random_subject(&source);
        struct instant next = schedule_next(&subject.schedule, subject.t);
        if (instant_is_none(next)) {
            continue;
        }
        if (!instant_before(subject.t, next)) {
            fail_subject(&subject, "not later");
        }
        struct instant middle = between(&source, subject.t, (struct instant){next.us - 1});
        if (!instant_equal(schedule_next(&subject.schedule, middle), next) ||
            !instant_equal(schedule_next(&subject.schedule, (struct instant){next.us - 1}), next)) {
            fail_subject(&subject, "another answer from between");
        }
        if (!instant_before(next, schedule_next(&subject.schedule, next))) {
            fail_subject(&subject, "the same instant twice");
        }
    }
}

static void it_never_goes_back(void **state)
{
    (void)state;
    struct random_source source = {random_seed() + 1};
    for (int i = 0; i < 20000; i++) {
        struct subject subject = random_subject(&source);
        struct instant later = instant_add(subject.t, DURATION_S(random_below(&source, 200000)));
        struct instant a = schedule_next(&subject.schedule, subject.t);
        struct instant b = schedule_next(&subject.schedule, later);
        if (instant_is_none(a) ? !instant_is_none(b)
                               : !instant_is_none(b) && instant_before(b, a)) {
            fail_subject(&subject, "goes back");
        }
    }
}

static void a_slot_matches_or_ends_a_gap(void **state)
{
    (void)state;
    struct random_source source = {random_seed() + 2};
    int made_up = 0;
    for (int i = 0; i < 20000; i++) {
        struct subject subject = random_subject(&source);
        struct instant next = schedule_next(&subject.schedule, subject.t);
        if (instant_is_none(next) || wall_matches(&subject, next)) {
            continue;
        }
        if (subject.schedule.dst != RUN || subject.schedule.cron.hours_all ||
            !is_after_gap(&subject, next)) {
            fail_subject(&subject, "a slot that does not match");
        }
        made_up++;
    }
    print_message("%d slots were made up after a gap\n", made_up);
    assert_true(made_up > 50);
}

static void every_minute_is_sixty_seconds(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(zone_names); i++) {
        struct schedule schedule = schedules_parse("* * * * *", zone_names[i], RUN);
        struct zone_change change = {.at = 1577836800};
        for (int n = 0; n < 4 && zone_next_change(schedule.zone, change.at, &change); n++) {
            struct instant t = instant_from_unix(change.at - 7200);
            for (int minute = 0; minute < 300; minute++) {
                struct instant next = schedule_next(&schedule, t);
                if (instant_since(next, t).us != 60000000) {
                    fail_msg("%s at %lld", zone_names[i], (long long)instant_unix(t));
                }
                t = next;
            }
        }
    }
}

static void ten_thousand_in_a_row(void **state)
{
    (void)state;
    static const char *const texts[] = {"30 1,2,3 * * *", "*/10 * * * *", "15 2 L,1 * 0",
                                        "0 * * * *"};
    for (size_t i = 0; i < ARRAY_LENGTH(zone_names); i++) {
        struct schedule schedule =
            schedules_parse(texts[i % ARRAY_LENGTH(texts)], zone_names[i], RUN);
        struct instant t = instant_from_unix(0);
        for (int n = 0; n < 10000; n++) {
            struct instant next = schedule_next(&schedule, t);
            if (instant_is_none(next) || !instant_before(t, next)) {
                fail_msg("%s in %s at %lld", texts[i % ARRAY_LENGTH(texts)], zone_names[i],
                         (long long)instant_unix(t));
            }
            t = next;
        }
    }
}

static void the_hosts_zone_does_not_matter(void **state)
{
    (void)state;
    static const char *const hosts[] = {"UTC0", ":America/New_York", ":Asia/Kathmandu", "nonsense"};
    struct random_source source = {random_seed() + 3};
    for (int i = 0; i < 500; i++) {
        struct subject subject = random_subject(&source);
        struct instant expected = schedule_next(&subject.schedule, subject.t);
        for (size_t host = 0; host < ARRAY_LENGTH(hosts); host++) {
            setenv("TZ", hosts[host], 1);
            tzset();
            if (!instant_equal(schedule_next(&subject.schedule, subject.t), expected)) {
                fail_subject(&subject, hosts[host]);
            }
        }
    }
    unsetenv("TZ");
    tzset();
}

// A daily job runs once for each date of the year. A date that the zone has skipped altogether
// counts, too: its slot is made up, and joins the next date's when that is the same instant.
static void a_daily_job_runs_once_a_date(void **state)
{
    (void)state;
    struct random_source source = {random_seed() + 4};
    for (int i = 0; i < 400; i++) {
        const char *zone = zone_names[random_below(&source, ARRAY_LENGTH(zone_names))];
        char text[64];
        int year = (int)random_between(&source, 1971, 2060);
        int minute = random_below(&source, 60);
        int hour = random_below(&source, 24);
        snprintf(text, sizeof text, "%d %d * * *", minute, hour);
        struct schedule schedule = schedules_parse(text, zone, RUN);
        struct civil first = {.year = year, .month = 1, .day = 1};
        struct civil end = {.year = year + 1, .month = 1, .day = 1};
        int64_t to = zone_from_local(schedule.zone, &end).first;
        struct instant t = instant_from_unix(zone_from_local(schedule.zone, &first).first - 1);
        int slots = 0;
        while (instant_unix(t = schedule_next(&schedule, t)) < to) {
            slots++;
        }
        if (slots != 365 + civil_is_leap(year)) {
            fail_msg("'%s' in %s has %d slots in %d (IRONCRON_SEED=%llu)", text, zone, slots, year,
                     (unsigned long long)random_seed());
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_is_later_and_nothing_is_between),
        cmocka_unit_test(it_never_goes_back),
        cmocka_unit_test(a_slot_matches_or_ends_a_gap),
        cmocka_unit_test(every_minute_is_sixty_seconds),
        cmocka_unit_test(ten_thousand_in_a_row),
        cmocka_unit_test(the_hosts_zone_does_not_matter),
        cmocka_unit_test(a_daily_job_runs_once_a_date),
    };
    return cmocka_run_group_tests(tests, schedules_setup, schedules_teardown);
}
