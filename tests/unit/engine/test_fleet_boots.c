// SPDX-License-Identifier: MIT
// @reboot in a fleet where something comes between a boot and its slot.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet.h"

#define START "2026-03-10T00:00:30Z"

// A job that was there before the boot of host 0.
static struct fleet *booted(enum job_overlap overlap)
{
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "@reboot")->overlap = overlap;
    fleet_start(f, 3);
    fleet_advance(f, DURATION_S(300));
    f->nodes[0].boot_id = "boot-0";
    f->nodes[0].booted_at = instant_add(f->now, DURATION_S(-10));
    return f;
}

static void what_a_node_left_is_due_for_the_next_one(void **state)
{
    (void)state;
    struct fleet *f = booted(JOB_OVERLAP_SKIP);
    for (int i = 0; i < 3; i++) {
        fleet_start(f, 0);
        fleet_kill(f, 0); // before its first turn
    }
    assert_int_equal(f->run_count, 0);
    fleet_start(f, 0);
    fleet_advance(f, DURATION_S(20));
    assert_int_equal(fleet_count(f, "a", 0), 1);
    fleet_kill(f, 0);
    fleet_start(f, 0);
    fleet_advance(f, DURATION_S(20));
    assert_int_equal(f->run_count, 1);
    fleet_free(f);
}

// Nor is what was passed over made up by the next node, or what came later than the boot.
static void what_was_decided_is_over(void **state)
{
    (void)state;
    struct fleet *f = booted(JOB_OVERLAP_SKIP);
    fleet_control(f, "a", CONTROL_PAUSE, 1);
    fleet_start(f, 0);
    fleet_advance(f, DURATION_S(20));
    fleet_kill(f, 0);
    fleet_control(f, "a", CONTROL_PAUSE, 0);
    fleet_job(f, "new", "@reboot");
    fleet_publish(f);
    fleet_start(f, 0);
    fleet_advance(f, DURATION_S(20));
    assert_int_equal(f->passed_over[REASON_PAUSED], 1);
    assert_int_equal(f->run_count, 0);
    fleet_free(f);
}

// It is one slot, however long it waits.
static void a_slot_that_waits_is_not_planned_again(void **state)
{
    (void)state;
    static const char *const boots[] = {"boot-0", "boot-1", "boot-2"};
    struct fleet *f = booted(JOB_OVERLAP_QUEUE);
    f->takes = DURATION_S(30);
    for (int i = 0; i < 3; i++) {
        f->nodes[i].boot_id = boots[i];
        f->nodes[i].booted_at = instant_add(f->now, DURATION_S(-1));
        fleet_start(f, i);
        fleet_advance(f, DURATION_MS(1200));
    }
    fleet_advance(f, DURATION_S(240));
    assert_int_equal(f->passed_over[REASON_SUPERSEDED], 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fleet_count(f, "a", i), 1);
    }
    fleet_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_node_left_is_due_for_the_next_one),
        cmocka_unit_test(what_was_decided_is_over),
        cmocka_unit_test(a_slot_that_waits_is_not_planned_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
