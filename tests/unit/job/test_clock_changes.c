// SPDX-License-Identifier: MIT
// The clock changes of a year, for sets of jobs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "job/clock_changes.h"
#include "time/format.h"

#include <stdlib.h>

#define YEAR DURATION_S(366 * 86400)

static struct zone_cache *zones;

static struct job job_of(const char *name, const char *text, const char *zone_text,
                         enum schedule_dst dst)
{
    struct error err = ERROR_INIT;
    const struct zone *zone = NULL;
    struct job job = {.name = name, .schedule_text = text, .timezone = zone_text};
    assert_true(zone_cache_get(zones, zone_text, &zone, &err));
    assert_true(schedule_parse(text, zone, dst, name, &job.schedule, &err));
    return job;
}

static struct instant start(void)
{
    struct error err = ERROR_INIT;
    struct instant t = INSTANT_NONE;
    assert_true(format_parse_time("2027-01-01T00:00:00Z", t, &t, &err));
    return t;
}

static void each_zone_has_its_changes(void **state)
{
    (void)state;
    struct job jobs[] = {
        job_of("a", "30 2 * * *", "Europe/Berlin", SCHEDULE_DST_RUN),
        job_of("b", "30 2 * * *", "Europe/Berlin", SCHEDULE_DST_SKIP),
        job_of("c", "30 2 * * *", "Europe/Berlin", SCHEDULE_DST_RUN),
        job_of("d", "30 12 * * *", "Europe/Berlin", SCHEDULE_DST_RUN),
        job_of("e", "30 2 * * *", "Asia/Tokyo", SCHEDULE_DST_RUN),
        job_of("f", "@every 1h", "Europe/Berlin", SCHEDULE_DST_RUN),
        job_of("g", "45 1 * * *", "America/New_York", SCHEDULE_DST_RUN),
    };
    struct clock_changes changes;
    clock_changes_find(jobs, 7, start(), instant_add(start(), YEAR), &changes);
    assert_int_equal(changes.job_count, 7);
    assert_int_equal(changes.zone_count, 3); // a job that reads no clock on the wall follows none
    assert_int_equal(changes.count, 4);
    assert_int_equal(changes.touched, 4); // a, b, c, g
    // New York 14 March, Berlin 28 March and 31 October, New York 7 November.
    assert_string_equal(zone_name(changes.list[0].zone), "America/New_York");
    assert_int_equal(changes.list[0].touched, 0);
    const struct clock_change *spring = &changes.list[1];
    assert_int_equal(spring->touched, 3);
    assert_int_equal(spring->zone_jobs, 4);
    assert_int_equal(spring->group_count, 2);
    assert_int_equal(spring->groups[0].job_count, 2);
    assert_string_equal(spring->groups[0].jobs[1]->name, "c");
    assert_int_equal(spring->groups[0].change.effect, SCHEDULE_CHANGE_MOVED);
    assert_int_equal(spring->groups[1].change.effect, SCHEDULE_CHANGE_SKIPPED);
    assert_int_equal(changes.list[2].touched, 3);
    assert_int_equal(changes.list[3].touched, 1);
    assert_int_equal(changes.list[3].groups[0].change.effect, SCHEDULE_CHANGE_ONCE);
    clock_changes_release(&changes);
}

static void schedules_are_judged_once(void **state)
{
    (void)state;
    size_t count = 10000;
    struct job *jobs = alloc_zero(count, sizeof *jobs);
    char(*names)[16] = alloc_zero(count, sizeof *names);
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "job-%zu", i);
        jobs[i] = job_of(names[i], "H 2 * * *", "Europe/Berlin", SCHEDULE_DST_RUN);
    }
    struct clock_changes changes;
    clock_changes_find(jobs, count, start(), instant_add(start(), YEAR), &changes);
    assert_int_equal(changes.count, 2);
    assert_int_equal(changes.touched, count);
    assert_int_equal(changes.list[0].touched, count);
    assert_int_equal(changes.list[0].group_count, 60);
    clock_changes_release(&changes);
    free(names);
    free(jobs);
}

static void no_jobs_no_changes(void **state)
{
    (void)state;
    struct clock_changes changes;
    clock_changes_find(NULL, 0, start(), instant_add(start(), YEAR), &changes);
    assert_int_equal(changes.count, 0);
    assert_int_equal(changes.zone_count, 0);
    clock_changes_release(&changes);
}

static int setup(void **state)
{
    (void)state;
    zones = zone_cache_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    zone_cache_free(zones);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_zone_has_its_changes),
        cmocka_unit_test(schedules_are_judged_once),
        cmocka_unit_test(no_jobs_no_changes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
