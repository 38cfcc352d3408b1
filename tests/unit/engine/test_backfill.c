// SPDX-License-Identifier: MIT
// Slots of the past that somebody wants run, in virtual time: whole ranges, and single ones once
// more.
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START            "2026-03-10T00:00:00Z"
#define AT(time)         "2026-03-10T" time ":00Z"
#define HOURS(n)         DURATION_S((n)*3600)
#define MINUTES(n)       DURATION_S((n)*60)
#define RANGE(from, to)  "{\"from\":\"" AT(from) "\",\"to\":\"" AT(to) "\"}"
#define FORCED(from, to) "{\"from\":\"" AT(from) "\",\"to\":\"" AT(to) "\",\"force\":\"yes\"}"

static const struct world_script slow[] = {{"hourly", 120000, 0, 0}};

// An hourly job whose slots from 03:00 to 06:00 were missed; it is 08:30.
static void a_night_missed(struct world *w)
{
    world_init(w, START);
    world_job(w, "hourly", "0 * * * *")->missed = JOB_MISSED_SKIP;
    world_start(w);
    world_advance(w, MINUTES(150));
    world_crash(w);
    world_advance(w, HOURS(4));
    world_start(w);
    world_advance(w, HOURS(2));
    assert_string_equal(world_outcome(w, "hourly", AT("03:00")), "MISSED downtime");
    assert_string_equal(world_outcome(w, "hourly", AT("06:00")), "MISSED downtime");
    assert_int_equal(world_count(w, NULL), 4); // 1, 2, 7, 8
}

static void assert_outcomes(struct world *w, int from, int to, const char *outcome)
{
    for (int hour = from; hour <= to; hour++) {
        char due[64];
        snprintf(due, sizeof due, "2026-03-10T%02d:00:00Z", hour);
        assert_string_equal(world_outcome(w, "hourly", due), outcome);
    }
}

static void runs_what_has_no_success_oldest_first(void **state)
{
    (void)state;
    struct world w;
    a_night_missed(&w);
    struct uuid wish = world_wish(&w, INTENT_BACKFILL, "hourly", RANGE("00:30", "08:00"), false);
    world_advance(&w, MINUTES(1));
    assert_string_equal(world_answer(&w, wish),
                        "DONE {\"failed\":0,\"passed_over\":0,\"slots\":4,\"succeeded\":4}");
    assert_int_equal(world_count(&w, NULL), 8);
    for (size_t i = 4; i < 8; i++) {
        assert_true(instant_equal(w.runs[i].due_at,
                                  instant_add(ground_time(AT("03:00")), HOURS((int)i - 4))));
        assert_int_equal(w.runs[i].attempt, 1);
    }
    assert_outcomes(&w, 1, 8, "SUCCESS");
    // Once more: there is nothing left.
    wish = world_wish(&w, INTENT_BACKFILL, "hourly", RANGE("00:30", "08:00"), false);
    world_advance(&w, MINUTES(1));
    assert_string_equal(world_answer(&w, wish),
                        "DONE {\"failed\":0,\"passed_over\":0,\"slots\":0,\"succeeded\":0}");
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void by_force_all_of_them(void **state)
{
    (void)state;
    struct world w;
    a_night_missed(&w);
    struct uuid wish = world_wish(&w, INTENT_BACKFILL, "hourly", FORCED("01:30", "04:00"), false);
    world_advance(&w, MINUTES(1));
    assert_string_equal(world_answer(&w, wish),
                        "DONE {\"failed\":0,\"passed_over\":0,\"slots\":3,\"succeeded\":3}");
    assert_int_equal(w.runs[4].attempt, 2); // of 02:00
    assert_int_equal(w.runs[5].attempt, 1);
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

// A failed run of a backfill is counted, not tried again by itself; the next backfill does that.
static void failures_are_counted(void **state)
{
    (void)state;
    static const struct job_retries retries = {
        .max = 5, .backoff = {1000000}, .factor = 1, .max_backoff = {1000000}};
    static const struct world_script scripts[] = {{"hourly", 1000, 1, 0}};
    struct world w;
    a_night_missed(&w);
    world_script(&w, scripts, 1);
    w.jobs[0].retries = &retries;
    world_reload(&w);
    struct uuid wish = world_wish(&w, INTENT_BACKFILL, "hourly", RANGE("03:00", "04:00"), false);
    world_advance(&w, MINUTES(2));
    assert_string_equal(world_answer(&w, wish),
                        "DONE {\"failed\":2,\"passed_over\":0,\"slots\":2,\"succeeded\":0}");
    assert_outcomes(&w, 3, 4, "FAILED");
    world_script(&w, NULL, 0);
    wish = world_wish(&w, INTENT_BACKFILL, "hourly", RANGE("03:00", "04:00"), false);
    world_advance(&w, MINUTES(1));
    assert_outcomes(&w, 3, 4, "SUCCESS");
    assert_int_equal(w.runs[w.run_count - 1].attempt, 2);
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

// A backfill's run stands in the way of a due slot, which then waits for it, and goes first.
static void the_schedule_goes_first(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"hourly", 1200000, 0, 0}};
    static const enum job_overlap overlaps[] = {JOB_OVERLAP_SKIP, JOB_OVERLAP_QUEUE,
                                                JOB_OVERLAP_REPLACE};
    for (int i = 0; i < 3; i++) {
        struct world w;
        a_night_missed(&w);
        w.jobs[0].overlap = overlaps[i];
        world_reload(&w);
        world_script(&w, scripts, 1); // 20 minutes each
        struct uuid wish =
            world_wish(&w, INTENT_BACKFILL, "hourly", RANGE("03:00", "06:00"), false);
        world_advance(&w, HOURS(3));
        assert_int_equal(world_count(&w, NULL), 11); // 4, then 4 and 9:00, 10:00, 11:00
        assert_string_equal(world_outcome(&w, "hourly", AT("09:00")), "SUCCESS");
        assert_string_equal(world_outcome(&w, "hourly", AT("10:00")), "SUCCESS");
        assert_true(strncmp(world_answer(&w, wish), "DONE", 4) == 0);
        assert_int_equal(w.ended[RUN_CANCELLED], 0);
        world_verify(&w);
        world_release(&w);
    }
}

static void several_at_once_where_overlap_is_allowed(void **state)
{
    (void)state;
    for (int allow = 0; allow < 2; allow++) {
        struct world w;
        a_night_missed(&w);
        w.jobs[0].overlap = allow ? JOB_OVERLAP_ALLOW : JOB_OVERLAP_SKIP;
        world_reload(&w);
        world_script(&w, slow, 1);
        world_wish(
            &w, INTENT_BACKFILL, "hourly",
            "{\"from\":\"" AT("03:00") "\",\"to\":\"" AT("06:00") "\",\"max_parallel\":\"3\"}",
            false);
        world_advance(&w, DURATION_S(10));
        assert_int_equal(w.open_count, allow ? 3 : 1);
        world_advance(&w, MINUTES(10));
        assert_outcomes(&w, 3, 6, "SUCCESS");
        world_verify(&w);
        world_release(&w);
    }
}

// ---- what must not hurt it ----------------------------------------------------------------------

// Whatever the node died over, the next one goes on, and repeats nothing that has ended.
static void a_crash_on_the_way(void **state)
{
    (void)state;
    for (int force = 0; force < 2; force++) {
        for (int seconds = 1; seconds < 600; seconds += 37) {
            struct world w;
            a_night_missed(&w);
            world_script(&w, slow, 1); // two minutes each
            struct uuid wish =
                world_wish(&w, INTENT_BACKFILL, "hourly",
                           force ? FORCED("02:00", "06:00") : RANGE("02:00", "06:00"), false);
            world_advance(&w, DURATION_S(seconds));
            size_t begun = w.run_count - 4;
            world_crash(&w);
            world_advance(&w, MINUTES(1));
            world_start(&w);
            world_advance(&w, MINUTES(15));
            assert_true(strncmp(world_answer(&w, wish), "DONE", 4) == 0);
            size_t slots = force ? 5 : 4;
            assert_int_equal(w.run_count - 4, slots); // each once
            assert_true(begun <= slots);
            int lost = 0;
            for (int hour = 3; hour <= 6; hour++) {
                char due[64];
                snprintf(due, sizeof due, "2026-03-10T%02d:00:00Z", hour);
                lost += strcmp(world_outcome(&w, "hourly", due), "LOST") == 0;
            }
            assert_true(lost <= 1);
            world_stop(&w);
            world_verify(&w);
            world_release(&w);
        }
    }
}

static void a_failing_store(void **state)
{
    (void)state;
    static const enum model_fault faults[] = {MODEL_FAULT_UNAVAILABLE, MODEL_FAULT_UNKNOWN_APPLIED,
                                              MODEL_FAULT_UNKNOWN_LOST};
    for (int i = 0; i < 3; i++) {
        for (int seconds = 0; seconds < 8; seconds++) {
            struct world w;
            a_night_missed(&w);
            struct uuid wish =
                world_wish(&w, INTENT_BACKFILL, "hourly", FORCED("01:00", "08:00"), false);
            world_advance(&w, DURATION_MS(250 * seconds));
            world_fault(&w, faults[i], 3);
            world_advance(&w, MINUTES(5));
            assert_string_equal(
                world_answer(&w, wish),
                "DONE {\"failed\":0,\"passed_over\":0,\"slots\":8,\"succeeded\":8}");
            assert_int_equal(world_count(&w, NULL), 12);
            world_stop(&w);
            world_verify(&w);
            world_release(&w);
        }
    }
}

static void a_pause_holds_it(void **state)
{
    (void)state;
    struct world w;
    a_night_missed(&w);
    world_script(&w, slow, 1);
    struct uuid wish = world_wish(&w, INTENT_BACKFILL, "hourly", RANGE("03:00", "06:00"), false);
    world_advance(&w, MINUTES(1));
    world_control(&w, "hourly", CONTROL_PAUSE, 1);
    world_advance(&w, MINUTES(20));
    assert_int_equal(world_count(&w, NULL), 5); // what ran ends, nothing is begun
    assert_string_equal(world_answer(&w, wish),
                        "PENDING {\"failed\":0,\"passed_over\":0,\"slots\":4,\"succeeded\":1}");
    world_control(&w, "hourly", CONTROL_PAUSE, 0);
    world_advance(&w, MINUTES(8));
    assert_int_equal(world_count(&w, NULL), 8);
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void cancelling_its_job_ends_it(void **state)
{
    (void)state;
    struct world w;
    a_night_missed(&w);
    world_script(&w, slow, 1);
    struct uuid wish = world_wish(&w, INTENT_BACKFILL, "hourly", RANGE("03:00", "06:00"), false);
    world_advance(&w, MINUTES(3)); // the second runs
    struct uuid again = world_wish(&w, INTENT_BACKFILL, "hourly", RANGE("03:00", "06:00"), false);
    world_advance(&w, DURATION_S(2));
    assert_non_null(strstr(world_answer(&w, again), "REFUSED a backfill of this job is going on"));
    struct uuid cancel = world_intent(&w, INTENT_CANCEL, "hourly");
    world_advance(&w, MINUTES(1));
    assert_string_equal(world_answer(&w, cancel),
                        "DONE 1 run told to end, and its backfill given up");
    assert_string_equal(world_answer(&w, wish),
                        "DONE {\"failed\":1,\"passed_over\":0,\"slots\":4,\"stopped\":\"op@sim\","
                        "\"succeeded\":1}");
    world_advance(&w, MINUTES(20));
    assert_int_equal(world_count(&w, NULL), 6);
    assert_string_equal(world_outcome(&w, "hourly", AT("04:00")), "CANCELLED");
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void a_job_that_leaves_ends_it(void **state)
{
    (void)state;
    struct world w;
    a_night_missed(&w);
    world_script(&w, slow, 1);
    struct uuid wish = world_wish(&w, INTENT_BACKFILL, "hourly", RANGE("03:00", "06:00"), false);
    world_advance(&w, MINUTES(1));
    w.job_count = 0;
    world_reload(&w);
    world_advance(&w, MINUTES(10));
    assert_non_null(strstr(world_answer(&w, wish), "the job left the configuration"));
    world_stop(&w);
    w.job_count = 1;
    world_verify(&w);
    world_release(&w);
}

// ---- what is out of reach -----------------------------------------------------------------------

static void ranges_out_of_reach(void **state)
{
    (void)state;
    static const struct {
        const char *params;
        const char *answer;
    } cases[] = {
        {RANGE("09:00", "12:00"), "REFUSED the slots of that range are not decided yet"},
        {RANGE("06:00", "03:00"), "REFUSED the range is not understood"},
        {"{}", "REFUSED the range is not understood"},
        {NULL, "REFUSED the range is not understood"},
        // Nothing beyond the mark: of 08:00 to 12:00 only 08:00 is past.
        {FORCED("08:00", "12:00"), "DONE {\"failed\":0,\"passed_over\":0,\"slots\":1,"},
    };
    struct world w;
    a_night_missed(&w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct uuid wish = world_wish(&w, INTENT_BACKFILL, "hourly", cases[i].params, false);
        world_advance(&w, DURATION_S(5));
        if (strncmp(world_answer(&w, wish), cases[i].answer, strlen(cases[i].answer)) != 0) {
            fail_msg("case %zu: %s", i, world_answer(&w, wish));
        }
    }
    world_verify(&w);
    world_release(&w);
}

// Before the job was there its schedule tells what would have been due.
static void before_it_was_in_force(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, "2026-03-10T12:30:00Z");
    world_job(&w, "hourly", "0 * * * *");
    world_job(&w, "often", "* * * * * *");
    world_start(&w);
    world_advance(&w, HOURS(1));
    struct uuid wish = world_wish(&w, INTENT_BACKFILL, "hourly", RANGE("09:30", "13:00"), false);
    world_advance(&w, DURATION_S(30));
    assert_string_equal(world_answer(&w, wish),
                        "DONE {\"failed\":0,\"passed_over\":0,\"slots\":3,\"succeeded\":3}");
    assert_outcomes(&w, 10, 13, "SUCCESS");
    wish = world_wish(&w, INTENT_BACKFILL, "often", RANGE("00:00", "12:00"), false);
    world_advance(&w, DURATION_S(30));
    assert_non_null(strstr(world_answer(&w, wish), "REFUSED 43201 slots are too many"));
    wish = world_wish(&w, INTENT_BACKFILL, "often",
                      "{\"from\":\"2026-01-01T00:00:00Z\",\"to\":\"" AT("12:00") "\"}", false);
    world_advance(&w, DURATION_S(30));
    assert_non_null(strstr(world_answer(&w, wish), "REFUSED more than 110000 slots are too many"));
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void a_rehearsal_changes_no_outcome(void **state)
{
    (void)state;
    struct world w;
    a_night_missed(&w);
    struct uuid wish = world_wish(&w, INTENT_BACKFILL, "hourly", RANGE("03:00", "06:00"), true);
    world_advance(&w, DURATION_S(30));
    assert_string_equal(
        world_answer(&w, wish),
        "DONE {\"dry_run\":4,\"failed\":0,\"passed_over\":0,\"slots\":4,\"succeeded\":0}");
    assert_int_equal(world_count(&w, NULL), 4);
    assert_int_equal(w.ended[RUN_DRY_RUN], 4);
    assert_outcomes(&w, 3, 6, "MISSED downtime");
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

// ---- a single slot once more --------------------------------------------------------------------

#define AGAIN(due, attempt) "{\"due_at\":\"" AT(due) "\",\"attempt\":\"" #attempt "\"}"

static void a_slot_that_failed_is_tried_again(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"hourly", 60000, 0, 2}};
    struct world w;
    world_init(&w, START);
    world_script(&w, scripts, 1);
    world_job(&w, "hourly", "0 * * * *");
    world_start(&w);
    world_advance(&w, MINUTES(90));
    assert_outcomes(&w, 1, 1, "FAILED");
    world_control(&w, "hourly", CONTROL_PAUSE, 1); // who asks for it by hand gets it all the same
    world_advance(&w, DURATION_S(10));
    struct uuid first = world_wish(&w, INTENT_RETRY, "hourly", AGAIN("01:00", 2), false);
    world_advance(&w, DURATION_S(10));
    assert_int_equal(w.open_count, 1);
    struct uuid second = world_wish(&w, INTENT_RETRY, "hourly", AGAIN("01:00", 2), false);
    world_advance(&w, MINUTES(2));
    assert_true(strncmp(world_answer(&w, first), "DONE ", 5) == 0);
    assert_true(strncmp(world_answer(&w, second), "REFUSED ", 8) == 0);
    assert_outcomes(&w, 1, 1, "FAILED"); // the second time, too
    world_wish(&w, INTENT_RETRY, "hourly", AGAIN("01:00", 3), false);
    world_advance(&w, MINUTES(2));
    assert_outcomes(&w, 1, 1, "SUCCESS");
    assert_int_equal(w.runs[w.run_count - 1].attempt, 3);
    struct uuid good = world_wish(&w, INTENT_RETRY, "hourly", AGAIN("01:00", 4), false);
    struct uuid never = world_wish(&w, INTENT_RETRY, "hourly", AGAIN("07:00", 1), false);
    struct uuid wrong = world_wish(&w, INTENT_RETRY, "hourly", "{}", false);
    world_advance(&w, MINUTES(2));
    assert_non_null(strstr(world_answer(&w, good), "REFUSED its slot has not ended badly"));
    assert_non_null(strstr(world_answer(&w, never), "REFUSED its slot has not ended badly"));
    assert_non_null(strstr(world_answer(&w, wrong), "REFUSED the slot is not understood"));
    assert_int_equal(world_count(&w, NULL), 3);
    world_control(&w, "hourly", CONTROL_PAUSE, 0);
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void nothing_is_tried_again_in_a_dry_run(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"hourly", 60000, 1, 0}};
    struct world w;
    world_init(&w, START);
    world_script(&w, scripts, 1);
    world_job(&w, "hourly", "0 * * * *");
    world_start(&w);
    world_advance(&w, MINUTES(90));
    world_control(&w, "hourly", CONTROL_DRY_RUN, 1);
    struct uuid wish = world_wish(&w, INTENT_RETRY, "hourly", AGAIN("01:00", 2), false);
    world_advance(&w, MINUTES(1));
    assert_non_null(strstr(world_answer(&w, wish), "REFUSED a dry-run is in force"));
    assert_outcomes(&w, 1, 1, "FAILED");
    world_verify(&w);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_what_has_no_success_oldest_first),
        cmocka_unit_test(by_force_all_of_them),
        cmocka_unit_test(failures_are_counted),
        cmocka_unit_test(the_schedule_goes_first),
        cmocka_unit_test(several_at_once_where_overlap_is_allowed),
        cmocka_unit_test(a_crash_on_the_way),
        cmocka_unit_test(a_failing_store),
        cmocka_unit_test(a_pause_holds_it),
        cmocka_unit_test(cancelling_its_job_ends_it),
        cmocka_unit_test(a_job_that_leaves_ends_it),
        cmocka_unit_test(ranges_out_of_reach),
        cmocka_unit_test(before_it_was_in_force),
        cmocka_unit_test(a_rehearsal_changes_no_outcome),
        cmocka_unit_test(a_slot_that_failed_is_tried_again),
        cmocka_unit_test(nothing_is_tried_again_in_a_dry_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
