// SPDX-License-Identifier: MIT
// What operators want while a node cannot hear it: it counts all the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet.h"

#define START "2026-03-10T00:00:30Z"

// A slot comes due while the node cannot reach the store, and so does a pause: when it is back, the
// pause is what it reads first.
static void a_pause_while_cut_off(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *");
    fleet_start(f, 0);
    fleet_advance(f, DURATION_S(75));
    assert_int_equal(f->run_count, 1);
    f->nodes[0].cut = true;
    fleet_advance(f, DURATION_S(5));
    fleet_control(f, "a", CONTROL_PAUSE, 1);
    fleet_advance(f, DURATION_S(8)); // 00:01:58
    f->nodes[0].cut = false;         // it notices a few seconds later
    fleet_advance(f, DURATION_S(30));
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:02:00Z"), "SKIPPED paused");
    assert_int_equal(f->run_count, 1);
    fleet_free(f);
}

// The same for a slot that waits for the run before, which ends meanwhile.
static void a_pause_while_cut_off_and_waiting(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1,2 * * * *")->overlap = JOB_OVERLAP_QUEUE;
    f->takes = DURATION_S(70); // until 00:02:10
    fleet_start(f, 0);
    fleet_advance(f, DURATION_S(95));
    f->nodes[0].cut = true;
    fleet_advance(f, DURATION_S(2));
    fleet_control(f, "a", CONTROL_PAUSE, 1);
    fleet_advance(f, DURATION_S(6));
    f->nodes[0].cut = false;
    fleet_advance(f, DURATION_S(30));
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "SUCCESS");
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:02:00Z"), "SKIPPED paused");
    assert_int_equal(f->run_count, 1);
    fleet_free(f);
}

// What nobody could tell it while it was cut off it is told afterwards: since when and until when.
static void a_pause_that_began_and_ended_while_cut_off(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *")->missed = JOB_MISSED_ALL;
    fleet_job(f, "b", "* * * * *")->missed = JOB_MISSED_ALL;
    fleet_start(f, 0);
    fleet_advance(f, DURATION_S(60));
    fleet_control(f, "b", CONTROL_PAUSE, 1);
    fleet_advance(f, DURATION_S(15)); // 00:01:45
    f->nodes[0].cut = true;
    fleet_advance(f, DURATION_S(5));
    fleet_control(f, "a", CONTROL_PAUSE, 1);
    fleet_advance(f, DURATION_S(40));
    fleet_control(f, "a", CONTROL_PAUSE, 0);
    fleet_control(f, "b", CONTROL_PAUSE, 0);
    fleet_advance(f, DURATION_S(130)); // 00:04:40
    f->nodes[0].cut = false;
    fleet_advance(f, DURATION_S(30));
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:02:00Z"), "SKIPPED paused");
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:03:00Z"), "SUCCESS");
    assert_string_equal(fleet_outcome(f, "b", "2026-03-10T00:02:00Z"), "SKIPPED paused");
    assert_string_equal(fleet_outcome(f, "b", "2026-03-10T00:03:00Z"), "SUCCESS");
    fleet_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_while_cut_off),
        cmocka_unit_test(a_pause_while_cut_off_and_waiting),
        cmocka_unit_test(a_pause_that_began_and_ended_while_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
