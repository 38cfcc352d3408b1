// SPDX-License-Identifier: MIT
// A transaction that somebody has left open has a job in hand: it stands still, the others go on,
// and afterwards it goes on as after a time in which the store was slow.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fleet.h"

#define START    "2026-03-10T00:00:30Z"
#define STRANGER "session 7 (psql): select pg_terminate_backend(7)"

static struct fleet *two_jobs(const char *schedule)
{
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", schedule);
    fleet_job(f, "b", schedule);
    f->jobs[0].overlap = f->jobs[1].overlap = JOB_OVERLAP_ALLOW;
    f->takes = DURATION_S(1);
    fleet_start_all(f, 2);
    return f;
}

static int sum(const int *counts, int length)
{
    int sum = 0;
    for (int i = 0; i < length; i++) {
        sum += counts[i];
    }
    return sum;
}

static void the_others_go_on_and_it_goes_on_afterwards(void **state)
{
    (void)state;
    struct fleet *f = two_jobs("*/10 * * * * *");
    fleet_advance(f, DURATION_S(15)); // 00:00:45
    int before = fleet_count(f, "a", -1);
    int others = fleet_count(f, "b", -1);
    model_store_hold(f->store, "a", STRANGER);
    (void)fleet_operations(f, 0, STORE_DECIDE);
    fleet_advance(f, DURATION_S(30)); // 00:01:15
    assert_int_equal(fleet_count(f, "a", -1), before);
    assert_int_equal(fleet_count(f, "b", -1), others + 3);
    assert_in_range(f->kept_back, 1, 2); // by each node that came upon it, once
    assert_in_range(fleet_operations(f, 0, STORE_DECIDE), 1, 40);
    assert_int_equal(f->store_downs, 0);
    model_store_hold(f->store, "a", NULL);
    fleet_advance(f, DURATION_S(4));
    assert_int_equal(fleet_count(f, "a", -1), before + 3);
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:00:50Z"), "SUCCESS");
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "SUCCESS");
    assert_int_equal(f->let_go, 1);
    assert_int_equal(sum(f->passed_over, SLOT_REASON_COUNT), 0);
    assert_int_equal(f->fenced + f->store_downs, 0);
    fleet_free(f);
}

// As for a store that was slow: what is long past is a case for the job's `missed` policy.
static void after_long_it_is_made_up_by_policy(void **state)
{
    (void)state;
    struct fleet *f = two_jobs("* * * * *");
    fleet_advance(f, DURATION_S(20)); // 00:00:50
    model_store_hold(f->store, "a", STRANGER);
    fleet_advance(f, DURATION_S(220)); // 00:04:30
    assert_int_equal(fleet_count(f, "a", -1), 0);
    assert_int_equal(fleet_count(f, "b", -1), 4);
    model_store_hold(f->store, "a", NULL);
    fleet_advance(f, DURATION_S(20));
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "MISSED busy");
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:03:00Z"), "MISSED busy");
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:04:00Z"), "SUCCESS");
    assert_int_equal(fleet_count(f, "a", -1), 1);
    fleet_free(f);
}

static void an_end_is_written_when_it_may_be(void **state)
{
    (void)state;
    struct fleet *f = two_jobs("0 * * * *");
    struct uuid ids[2];
    f->takes = DURATION_S(5);
    for (int i = 0; i < 2; i++) {
        struct store_intent wish = {.kind = INTENT_RUN, .job = i == 0 ? "a" : "b"};
        ids[i] = fleet_wish(f, &wish);
    }
    fleet_advance(f, DURATION_S(4));
    model_store_hold(f->store, "a", STRANGER);
    fleet_advance(f, DURATION_S(10));
    assert_int_equal(f->ended[RUN_SUCCESS], 1);
    assert_int_equal(f->kept_back, 1);
    struct uuid again = fleet_wish_run(f, "a");
    fleet_advance(f, DURATION_S(4));
    static const char refused[] = "REFUSED another session has the job in hand in the store, in a "
                                  "transaction that is open (" STRANGER ")";
    assert_memory_equal(fleet_answer(f, again), refused, strlen(refused));
    model_store_hold(f->store, "a", NULL);
    fleet_advance(f, DURATION_S(4));
    assert_int_equal(f->ended[RUN_SUCCESS], 2);
    assert_int_equal(f->stale, 0);
    for (int i = 0; i < 2; i++) {
        assert_memory_equal(fleet_answer(f, ids[i]), "DONE", 4);
    }
    fleet_free(f);
}

// A claim of which nobody knows whether it was committed stays in doubt, that one alone.
static void what_is_in_doubt_stays_so(void **state)
{
    (void)state;
    struct fleet *f = two_jobs("* * * * *");
    fleet_advance(f, DURATION_S(28)); // 00:00:58
    for (int i = 0; i < 2; i++) {
        f->nodes[i].doubtful_from = STORE_DECIDE;
    }
    fleet_advance(f, DURATION_S(3));
    model_store_hold(f->store, "a", STRANGER);
    for (int i = 0; i < 2; i++) {
        f->nodes[i].doubtful = false;
        f->nodes[i].doubtful_from = STORE_OP_COUNT;
    }
    fleet_advance(f, DURATION_S(12));
    assert_int_equal(fleet_count(f, "b", -1), 1);
    assert_int_equal(fleet_count(f, "a", -1), 0);
    model_store_hold(f->store, "a", NULL);
    fleet_advance(f, DURATION_S(5));
    assert_int_equal(fleet_count(f, "a", -1), 1);
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "SUCCESS");
    fleet_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_others_go_on_and_it_goes_on_afterwards),
        cmocka_unit_test(after_long_it_is_made_up_by_policy),
        cmocka_unit_test(an_end_is_written_when_it_may_be),
        cmocka_unit_test(what_is_in_doubt_stays_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
