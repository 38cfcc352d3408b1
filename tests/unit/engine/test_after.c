// SPDX-License-Identifier: MIT
// Jobs that run after others, in virtual time: when they may, when they must not, and what neither
// a crash nor a reload makes of it.
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define START      "2026-03-10T00:00:00Z"
#define HOURS(n)   DURATION_S((n)*3600)
#define MINUTES(n) DURATION_S((n)*60)

static const char *const after_first[] = {"first", NULL};
static const char *const after_both[] = {"first", "second", NULL};

// "first" at 02:15 takes ten minutes; "then" at 02:20 comes after it, within six hours.
static struct job *two_jobs(struct world *w)
{
    world_init(w, START);
    world_job(w, "first", "15 2 * * *");
    struct job *then = world_job(w, "then", "20 2 * * *");
    then->after = after_first;
    then->after_within = HOURS(6);
    return then;
}

#define AT(time) "2026-03-10T" time ":00Z"

static void waits_until_the_other_has_succeeded(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 600000, 0, 0}};
    struct world w;
    two_jobs(&w);
    world_script(&w, scripts, 1);
    world_start(&w);
    world_advance(&w, HOURS(2));
    world_advance(&w, MINUTES(24)); // first runs until 02:25
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "open after");
    assert_int_equal(world_count(&w, "then"), 0);
    world_verify(&w);
    world_advance(&w, MINUTES(2));
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "SUCCESS");
    assert_int_equal(w.runs[1].started.us, ground_time("2026-03-10T02:25:00Z").us); // at once
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void is_skipped_when_the_other_fails(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 600000, 1, 0}};
    struct world w;
    two_jobs(&w);
    world_script(&w, scripts, 1);
    world_start(&w);
    world_advance(&w, HOURS(8));
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "open after");
    world_advance(&w, MINUTES(21));
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "SKIPPED after");
    assert_int_equal(w.skipped[REASON_AFTER], 1);
    assert_int_equal(world_count(&w, "then"), 0);
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void goes_on_when_a_later_attempt_succeeds(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 1000, 0, 2}};
    static const struct job_retries retries = {
        .max = 3, .backoff = {3600000000}, .factor = 1, .max_backoff = {3600000000}};
    struct world w;
    two_jobs(&w);
    w.jobs[0].retries = &retries;
    world_script(&w, scripts, 1);
    world_start(&w);
    world_advance(&w, HOURS(4));
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "open after");
    world_advance(&w, HOURS(1));
    assert_string_equal(world_outcome(&w, "first", AT("02:15")), "SUCCESS");
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "SUCCESS");
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void needs_all_slots_of_the_day_of_all_jobs(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 1000, 0, 0}, {"second", 5000, 0, 0}};
    struct world w;
    world_init(&w, "2026-03-09T12:00:00Z");
    world_script(&w, scripts, 2);
    world_job(&w, "first", "0 * * * *");
    world_job(&w, "second", "30 3 * * *");
    struct job *then = world_job(&w, "then", "0 4 * * *");
    then->after = after_both;
    then->after_within = HOURS(6);
    world_start(&w);
    world_advance(&w, HOURS(9)); // until 21:00
    world_control(&w, "first", CONTROL_PAUSE, 1);
    world_advance(&w, MINUTES(90)); // 22:00 is SKIPPED: of the day before, no matter
    world_control(&w, "first", CONTROL_PAUSE, 0);
    world_advance(&w, HOURS(5)); // 03:30
    world_advance(&w, MINUTES(32));
    assert_string_equal(world_outcome(&w, "first", "2026-03-09T22:00:00Z"), "SKIPPED paused");
    assert_string_equal(world_outcome(&w, "then", AT("04:00")), "SUCCESS");
    world_control(&w, "first", CONTROL_PAUSE, 1);
    world_advance(&w, HOURS(21)); // a slot of this night is SKIPPED
    world_control(&w, "first", CONTROL_PAUSE, 0);
    world_advance(&w, HOURS(10));
    assert_string_equal(world_outcome(&w, "then", "2026-03-11T04:00:00Z"), "SKIPPED after");
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void a_slot_at_the_same_time_counts(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 90000, 0, 0}};
    struct world w;
    two_jobs(&w);
    w.jobs[1].schedule = w.jobs[0].schedule;
    w.jobs[1].schedule_text = w.jobs[0].schedule_text;
    world_script(&w, scripts, 1);
    world_start(&w);
    world_advance(&w, HOURS(3));
    assert_int_equal(world_count(&w, NULL), 2);
    assert_string_equal(w.runs[0].job, "first");
    assert_string_equal(w.runs[1].job, "then");
    assert_true(w.runs[1].began.us >= w.runs[0].ended.us);
    world_verify(&w);
    world_release(&w);
}

static void nothing_due_is_nothing_to_wait_for(void **state)
{
    (void)state;
    struct world w;
    two_jobs(&w);
    w.jobs[1].schedule = w.jobs[0].schedule; // 02:15
    assert_true(schedule_parse("0 1 * * *", w.jobs[1].schedule.zone, SCHEDULE_DST_RUN, "then",
                               &w.jobs[1].schedule, &(struct error){0}));
    w.jobs[1].schedule_text = "0 1 * * *"; // before the first is due
    world_start(&w);
    world_advance(&w, MINUTES(62));
    assert_string_equal(world_outcome(&w, "then", AT("01:00")), "SUCCESS");
    world_verify(&w);
    world_release(&w);
}

// The date is that of the job's own zone: at 00:30 in New York first's slot of 02:15 UTC, which
// failed two hours before, belongs to yesterday.
static void the_date_is_of_its_own_zone(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 1000, 1, 0}};
    struct world w;
    two_jobs(&w);
    world_script(&w, scripts, 1);
    const struct zone *zone;
    struct error err = ERROR_INIT;
    assert_true(zone_cache_get(w.zones, "America/New_York", &zone, &err));
    struct job *then = &w.jobs[1];
    then->timezone = "America/New_York";
    then->schedule_text = "30 0,22 * * *"; // 04:30 and 02:30 UTC
    assert_true(
        schedule_parse("30 0,22 * * *", zone, SCHEDULE_DST_RUN, "then", &then->schedule, &err));
    world_start(&w);
    world_advance(&w, HOURS(5));
    assert_string_equal(world_outcome(&w, "first", AT("02:15")), "FAILED");
    assert_string_equal(world_outcome(&w, "then", AT("02:30")), "open after");
    assert_string_equal(world_outcome(&w, "then", AT("04:30")), "SUCCESS");
    world_verify(&w);
    world_release(&w);
}

// ---- what must not hurt it ----------------------------------------------------------------------

static void a_crash_while_it_waits(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 7200000, 0, 0}};
    struct world w;
    two_jobs(&w);
    w.jobs[0].on_lost = JOB_LOST_RETRY;
    w.jobs[1].missed = JOB_MISSED_SKIP;
    world_script(&w, scripts, 1);
    world_start(&w);
    world_advance(&w, HOURS(3));
    world_crash(&w);
    assert_int_equal(world_findings(&w, VERIFY_SLOT_OPEN), 0);
    assert_int_equal(world_findings(&w, VERIFY_SLOT_GAP), 0);
    world_advance(&w, HOURS(2));
    world_start(&w);
    world_advance(&w, MINUTES(5)); // first is tried again, until 07:00
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "open after");
    world_advance(&w, HOURS(2));
    assert_string_equal(world_outcome(&w, "first", AT("02:15")), "SUCCESS");
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "SUCCESS");
    assert_int_equal(world_count(&w, "then"), 1);
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void a_downtime_longer_than_it_may_wait(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 7200000, 0, 0}};
    struct world w;
    two_jobs(&w);
    world_script(&w, scripts, 1);
    world_start(&w);
    world_advance(&w, HOURS(3));
    world_crash(&w);
    world_advance(&w, HOURS(9));
    world_start(&w);
    world_advance(&w, MINUTES(1));
    assert_string_equal(world_outcome(&w, "first", AT("02:15")), "LOST");
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "SKIPPED after");
    world_verify(&w);
    world_release(&w);
}

// What is made up after a downtime waits as well, from the time when it is come to.
static void what_is_made_up_waits(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 600000, 0, 0}};
    struct world w;
    two_jobs(&w);
    world_script(&w, scripts, 1);
    world_start(&w);
    world_advance(&w, HOURS(1));
    world_crash(&w);
    world_advance(&w, HOURS(11));
    world_start(&w);
    world_advance(&w, MINUTES(5));
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "open after");
    world_advance(&w, MINUTES(10));
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "SUCCESS");
    world_verify(&w);
    world_release(&w);
}

// A slot that waits past midnight does not keep the next day's from running.
static void later_slots_go_their_way(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 1000, 0, 1}};
    struct world w;
    world_init(&w, START);
    world_script(&w, scripts, 1);
    world_job(&w, "first", "0 22 * * *");
    struct job *then = world_job(&w, "then", "0 * * * *");
    then->after = after_first;
    then->after_within = HOURS(6);
    world_start(&w);
    world_advance(&w, HOURS(27));
    assert_string_equal(world_outcome(&w, "then", AT("21:00")), "SUCCESS");
    assert_string_equal(world_outcome(&w, "then", AT("22:00")), "open after");
    assert_string_equal(world_outcome(&w, "then", AT("23:00")), "open after");
    assert_string_equal(world_outcome(&w, "then", "2026-03-11T00:00:00Z"), "SUCCESS");
    assert_string_equal(world_outcome(&w, "then", "2026-03-11T01:00:00Z"), "SUCCESS");
    world_verify(&w);
    world_advance(&w, HOURS(3));
    assert_string_equal(world_outcome(&w, "then", AT("22:00")), "SKIPPED after");
    assert_string_equal(world_outcome(&w, "then", AT("23:00")), "SKIPPED after");
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

// Several slots that were waiting are free at once: what becomes of them is the overlap policy.
static void overlap_rules_what_is_freed_together(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 9900000, 0, 0}, {"then", 60000, 0, 0}};
    static const char *const expected[4][3] = {
        [JOB_OVERLAP_SKIP] = {"SKIPPED overlap", "SKIPPED overlap", "SUCCESS"},
        [JOB_OVERLAP_QUEUE] = {"SKIPPED superseded", "SUCCESS", "SUCCESS"},
        [JOB_OVERLAP_ALLOW] = {"SUCCESS", "SUCCESS", "SUCCESS"},
    };
    for (int overlap = JOB_OVERLAP_SKIP; overlap <= JOB_OVERLAP_ALLOW; overlap++) {
        struct world w;
        world_init(&w, START);
        world_script(&w, scripts, 2);
        world_job(&w, "first", "0 1 * * *"); // until 03:45
        struct job *then = world_job(&w, "then", "30 * * * *");
        then->after = after_first;
        then->after_within = HOURS(6);
        then->overlap = (enum job_overlap)overlap;
        world_start(&w);
        world_advance(&w, HOURS(4));
        const char *due[] = {AT("01:30"), AT("02:30"), AT("03:30")};
        int open = 0;
        for (int i = 0; i < 3; i++) {
            open += strcmp(world_outcome(&w, "then", due[i]), "SUCCESS") == 0;
        }
        int successes = 0;
        for (int i = 0; i < 3; i++) {
            successes += strcmp(expected[overlap][i], "SUCCESS") == 0;
        }
        assert_int_equal(open, successes);
        world_verify(&w);
        world_release(&w);
    }
}

static void a_pause_while_it_waits(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 600000, 0, 0}};
    struct world w;
    two_jobs(&w);
    world_script(&w, scripts, 1);
    world_start(&w);
    world_advance(&w, HOURS(2));
    world_advance(&w, MINUTES(22));
    world_control(&w, "then", CONTROL_PAUSE, 1);
    world_advance(&w, MINUTES(10));
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "SKIPPED paused");
    world_verify(&w);
    world_release(&w);
}

static void rehearsals_are_good_enough_for_a_rehearsal(void **state)
{
    (void)state;
    struct world w;
    two_jobs(&w);
    w.dry_run = true;
    world_start(&w);
    world_advance(&w, HOURS(3));
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "DRY_RUN");
    world_crash(&w);
    // But not for the real thing: only the other one is in dry-run now.
    w.dry_run = false;
    world_start(&w);
    world_control(&w, "first", CONTROL_DRY_RUN, 1);
    world_advance(&w, HOURS(30));
    assert_string_equal(world_outcome(&w, "first", "2026-03-11T02:15:00Z"), "DRY_RUN");
    assert_string_equal(world_outcome(&w, "then", "2026-03-11T02:20:00Z"), "SKIPPED after");
    world_verify(&w);
    world_release(&w);
}

static void reloads_while_it_waits(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 36000000, 0, 0}};
    struct world w;
    struct job *then = two_jobs(&w);
    world_script(&w, scripts, 1);
    world_start(&w);
    world_advance(&w, HOURS(3));
    world_reload(&w); // the same: it waits on
    world_advance(&w, MINUTES(1));
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "open after");
    then->after = NULL; // nothing to wait for any more
    world_reload(&w);
    world_advance(&w, MINUTES(1));
    assert_string_equal(world_outcome(&w, "then", AT("02:20")), "SUCCESS");
    world_verify(&w);
    world_release(&w);
}

static void a_job_that_leaves_while_it_waits(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 36000000, 0, 0}};
    for (int crash = 0; crash < 2; crash++) {
        struct world w;
        two_jobs(&w);
        world_script(&w, scripts, 1);
        world_start(&w);
        world_advance(&w, HOURS(3));
        if (crash) {
            world_crash(&w);
        }
        struct job gone = w.jobs[1];
        w.job_count = 1;
        if (crash) {
            world_start(&w);
        } else {
            world_reload(&w);
        }
        world_advance(&w, MINUTES(1));
        assert_string_equal(world_outcome(&w, "then", AT("02:20")), "SKIPPED removed");
        world_verify(&w);
        world_release(&w);
        free((char *)(uintptr_t)gone.name);
    }
}

static void a_failing_store_while_it_waits(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"first", 600000, 0, 0}};
    static const enum model_fault faults[] = {MODEL_FAULT_UNAVAILABLE, MODEL_FAULT_UNKNOWN_APPLIED,
                                              MODEL_FAULT_UNKNOWN_LOST};
    for (int i = 0; i < 3; i++) {
        for (int minute = 20; minute < 28; minute++) {
            struct world w;
            two_jobs(&w);
            world_script(&w, scripts, 1);
            world_start(&w);
            world_advance(&w, HOURS(2));
            world_advance(&w, MINUTES(minute - 1));
            world_fault(&w, faults[i], 3);
            world_advance(&w, MINUTES(1));
            world_fault(&w, faults[i], 3);
            world_advance(&w, MINUTES(15));
            assert_string_equal(world_outcome(&w, "then", AT("02:20")), "SUCCESS");
            assert_int_equal(world_count(&w, "then"), 1);
            world_verify(&w);
            world_release(&w);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_until_the_other_has_succeeded),
        cmocka_unit_test(is_skipped_when_the_other_fails),
        cmocka_unit_test(goes_on_when_a_later_attempt_succeeds),
        cmocka_unit_test(needs_all_slots_of_the_day_of_all_jobs),
        cmocka_unit_test(a_slot_at_the_same_time_counts),
        cmocka_unit_test(nothing_due_is_nothing_to_wait_for),
        cmocka_unit_test(the_date_is_of_its_own_zone),
        cmocka_unit_test(a_crash_while_it_waits),
        cmocka_unit_test(a_downtime_longer_than_it_may_wait),
        cmocka_unit_test(what_is_made_up_waits),
        cmocka_unit_test(later_slots_go_their_way),
        cmocka_unit_test(overlap_rules_what_is_freed_together),
        cmocka_unit_test(a_pause_while_it_waits),
        cmocka_unit_test(rehearsals_are_good_enough_for_a_rehearsal),
        cmocka_unit_test(reloads_while_it_waits),
        cmocka_unit_test(a_job_that_leaves_while_it_waits),
        cmocka_unit_test(a_failing_store_while_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
