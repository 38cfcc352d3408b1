// SPDX-License-Identifier: MIT
// The life of slots and runs in virtual time: policies, catch-up, retries, controls, reloads,
// faults.
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

#define START "2026-03-10T00:00:00Z"

static const struct world_script slow[] = {{"slow", 150000, 0, 0}};

static void runs_each_slot_once(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "minutely", "* * * * *");
    world_job(&w, "tens", "@every 10s");
    world_start(&w);
    world_advance(&w, DURATION_S(600));
    assert_int_equal(world_count(&w, "minutely"), 10);
    assert_int_equal(world_count(&w, "tens"), 60);
    assert_int_equal(w.ended[RUN_SUCCESS], 68); // the last two have just begun
    assert_string_equal(world_outcome(&w, "minutely", "2026-03-10T00:03:00Z"), "SUCCESS");
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void overlap_skip(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_script(&w, slow, 1);
    world_job(&w, "slow", "* * * * *");
    world_start(&w);
    world_advance(&w, DURATION_S(600));
    assert_string_equal(world_outcome(&w, "slow", "2026-03-10T00:01:00Z"), "SUCCESS");
    assert_string_equal(world_outcome(&w, "slow", "2026-03-10T00:02:00Z"), "SKIPPED overlap");
    assert_string_equal(world_outcome(&w, "slow", "2026-03-10T00:03:00Z"), "SKIPPED overlap");
    assert_string_equal(world_outcome(&w, "slow", "2026-03-10T00:04:00Z"), "SUCCESS");
    world_verify(&w);
    world_release(&w);
}

static void overlap_queue(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_script(&w, slow, 1);
    world_job(&w, "slow", "* * * * *")->overlap = JOB_OVERLAP_QUEUE;
    world_start(&w);
    world_advance(&w, DURATION_S(600));
    // 00:01 runs until 00:03:30; 00:02 waits, is superseded by 00:03, which runs until 00:06.
    assert_string_equal(world_outcome(&w, "slow", "2026-03-10T00:02:00Z"), "SKIPPED superseded");
    assert_string_equal(world_outcome(&w, "slow", "2026-03-10T00:03:00Z"), "SUCCESS");
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void overlap_replace(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_script(&w, slow, 1);
    world_job(&w, "slow", "* * * * *")->overlap = JOB_OVERLAP_REPLACE;
    world_start(&w);
    world_advance(&w, DURATION_S(301));
    assert_string_equal(world_outcome(&w, "slow", "2026-03-10T00:01:00Z"), "CANCELLED");
    assert_string_equal(world_outcome(&w, "slow", "2026-03-10T00:02:00Z"), "CANCELLED");
    assert_int_equal(world_count(&w, "slow"), 5);
    world_verify(&w);
    world_release(&w);
}

static void overlap_allow(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_script(&w, slow, 1);
    world_job(&w, "slow", "* * * * *")->overlap = JOB_OVERLAP_ALLOW;
    world_start(&w);
    world_advance(&w, DURATION_S(300));
    assert_int_equal(world_count(&w, "slow"), 5);
    world_verify(&w);
    world_release(&w);
}

// It knows of no other node, and no clock but its own.
static void a_node_alone(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "a", "* * * * *");
    world_start(&w);
    world_advance(&w, DURATION_S(120));
    assert_int_equal(engine_member_count(w.engine), 1);
    assert_int_equal(engine_wants_version(w.engine), 0);
    assert_int_equal(engine_clock_skew(w.engine).us, 0);
    assert_false(engine_is_fenced(w.engine));
    world_release(&w);
}

// A night without a node: what becomes of its slots is the job's policy.
static void downtime(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "skip", "*/10 * * * *")->missed = JOB_MISSED_SKIP;
    world_job(&w, "last", "*/10 * * * *");
    world_job(&w, "all", "*/10 * * * *")->missed = JOB_MISSED_ALL;
    struct job *short_memory = world_job(&w, "short", "0 * * * *");
    short_memory->missed_within = DURATION_S(600);
    world_start(&w);
    world_advance(&w, DURATION_S(905)); // one slot each, 00:10
    world_crash(&w);
    world_advance(&w, DURATION_S(8 * 3600)); // until 08:15
    world_start(&w);
    world_advance(&w, DURATION_S(30));
    assert_int_equal(world_count(&w, "skip"), 1);
    assert_int_equal(world_count(&w, "last"), 2);
    assert_int_equal(world_count(&w, "all"), 1 + 48);
    assert_int_equal(world_count(&w, "short"), 0);
    assert_string_equal(world_outcome(&w, "skip", "2026-03-10T08:10:00Z"), "MISSED downtime");
    assert_string_equal(world_outcome(&w, "last", "2026-03-10T08:00:00Z"), "MISSED downtime");
    assert_string_equal(world_outcome(&w, "last", "2026-03-10T08:10:00Z"), "SUCCESS");
    assert_string_equal(world_outcome(&w, "all", "2026-03-10T00:20:00Z"), "SUCCESS");
    assert_string_equal(world_outcome(&w, "short", "2026-03-10T08:00:00Z"), "MISSED too_old");
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void catches_up_at_most_a_thousand(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "all", "* * * * *")->missed = JOB_MISSED_ALL;
    world_start(&w);
    world_crash(&w);
    world_advance(&w, DURATION_S(24 * 3600));
    world_start(&w);
    world_advance(&w, DURATION_S(1200));
    // 24 hours are not too old, and of those the last thousand slots are made up.
    assert_string_equal(world_outcome(&w, "all", "2026-03-10T00:02:00Z"), "MISSED limit");
    assert_true(world_count(&w, "all") >= 1000);
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void retries_back_off(void **state)
{
    (void)state;
    static const struct job_retries retries = {
        .max = 3, .backoff = {10000000}, .factor = 2, .max_backoff = {300000000}};
    static const struct world_script scripts[] = {{"flaky", 1000, 0, 2}, {"broken", 1000, 7, 0}};
    struct world w;
    world_init(&w, START);
    world_script(&w, scripts, 2);
    world_job(&w, "flaky", "0 * * * *")->retries = &retries;
    world_job(&w, "broken", "0 * * * *")->retries = &retries;
    world_start(&w);
    world_advance(&w, DURATION_S(3600 + 600));
    assert_int_equal(world_count(&w, "flaky"), 3);
    assert_int_equal(world_count(&w, "broken"), 4);
    assert_string_equal(world_outcome(&w, "flaky", "2026-03-10T01:00:00Z"), "SUCCESS");
    assert_string_equal(world_outcome(&w, "broken", "2026-03-10T01:00:00Z"), "FAILED");
    // 1 s run, 10 s wait, 1 s run, 20 s wait, 1 s run, 40 s wait
    const struct world_run *last = &w.runs[w.run_count - 1];
    assert_int_equal(instant_since(last->started, last->due_at).us / 1000000, 73);
    assert_int_equal(last->attempt, 4);
    world_verify(&w);
    world_release(&w);
}

static void a_retry_survives_a_crash(void **state)
{
    (void)state;
    static const struct job_retries retries = {
        .max = 1, .backoff = {60000000}, .factor = 1, .max_backoff = {60000000}};
    static const struct world_script scripts[] = {{"flaky", 1000, 0, 1}};
    struct world w;
    world_init(&w, START);
    world_script(&w, scripts, 1);
    world_job(&w, "flaky", "0 * * * *")->retries = &retries;
    world_start(&w);
    world_advance(&w, DURATION_S(3610));
    world_crash(&w);
    world_start(&w);
    world_advance(&w, DURATION_S(120));
    assert_string_equal(world_outcome(&w, "flaky", "2026-03-10T01:00:00Z"), "SUCCESS");
    world_verify(&w);
    world_release(&w);
}

static void a_crash_loses_runs_by_policy(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {{"fail", 600000, 0, 0}, {"again", 600000, 0, 0}};
    struct world w;
    world_init(&w, START);
    world_script(&w, scripts, 2);
    world_job(&w, "fail", "0 * * * *");
    world_job(&w, "again", "0 * * * *")->on_lost = JOB_LOST_RETRY;
    world_start(&w);
    world_advance(&w, DURATION_S(3700));
    world_crash(&w);
    world_start(&w);
    world_advance(&w, DURATION_S(1000));
    assert_string_equal(world_outcome(&w, "fail", "2026-03-10T01:00:00Z"), "LOST");
    assert_string_equal(world_outcome(&w, "again", "2026-03-10T01:00:00Z"), "SUCCESS");
    assert_int_equal(world_count(&w, "again"), 2);
    world_verify(&w);
    world_release(&w);
}

// Between two attempts the slot is not over: a newer one is skipped, waits, or takes its place.
static void a_waiting_attempt_stands_in_the_way(void **state)
{
    (void)state;
    static const struct job_retries retries = {
        .max = 1, .backoff = {90000000}, .factor = 1, .max_backoff = {90000000}};
    static const struct world_script scripts[] = {
        {"skip", 1000, 0, 1}, {"queue", 1000, 0, 1}, {"replace", 1000, 0, 1}};
    struct world w;
    world_init(&w, START);
    world_script(&w, scripts, 3);
    world_job(&w, "skip", "* * * * *")->retries = &retries;
    struct job *queue = world_job(&w, "queue", "* * * * *");
    queue->retries = &retries;
    queue->overlap = JOB_OVERLAP_QUEUE;
    struct job *replace = world_job(&w, "replace", "* * * * *");
    replace->retries = &retries;
    replace->overlap = JOB_OVERLAP_REPLACE;
    world_start(&w);
    world_advance(&w, DURATION_S(170));
    assert_string_equal(world_outcome(&w, "skip", "2026-03-10T00:01:00Z"), "SUCCESS");
    assert_string_equal(world_outcome(&w, "skip", "2026-03-10T00:02:00Z"), "SKIPPED overlap");
    assert_string_equal(world_outcome(&w, "queue", "2026-03-10T00:01:00Z"), "SUCCESS");
    assert_string_equal(world_outcome(&w, "queue", "2026-03-10T00:02:00Z"), "SUCCESS");
    assert_string_equal(world_outcome(&w, "replace", "2026-03-10T00:01:00Z"), "SKIPPED superseded");
    assert_string_equal(world_outcome(&w, "replace", "2026-03-10T00:02:00Z"), "SUCCESS");
    world_verify(&w);
    world_release(&w);
}

static void capacity_bounds_what_runs(void **state)
{
    (void)state;
    static const struct world_script scripts[] = {
        {"a", 20000, 0, 0}, {"b", 20000, 0, 0}, {"c", 20000, 0, 0}};
    struct world w;
    world_init(&w, START);
    world_script(&w, scripts, 3);
    w.max_running = 2;
    world_job(&w, "a", "* * * * *");
    world_job(&w, "b", "* * * * *");
    world_job(&w, "c", "* * * * *");
    world_start(&w);
    world_advance(&w, DURATION_S(62));
    assert_int_equal(engine_running(w.engine), 2);
    world_advance(&w, DURATION_S(20));
    assert_int_equal(world_count(&w, "c"), 1);
    world_advance(&w, DURATION_S(300));
    assert_int_equal(w.missed[REASON_BUSY], 0);
    world_verify(&w);
    world_release(&w);
}

static void the_clock_steps(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "minutely", "* * * * *");
    world_start(&w);
    world_advance(&w, DURATION_S(605));
    assert_int_equal(world_count(&w, "minutely"), 10);
    world_jump(&w, DURATION_S(-300)); // five minutes come again: nothing runs twice
    world_advance(&w, DURATION_S(295));
    assert_int_equal(world_count(&w, "minutely"), 10);
    world_advance(&w, DURATION_S(60));
    assert_int_equal(world_count(&w, "minutely"), 11);
    world_jump(&w, DURATION_S(3600)); // an hour is gone: its last slot is made up
    world_advance(&w, DURATION_S(10));
    assert_int_equal(world_count(&w, "minutely"), 12);
    assert_true(w.missed[REASON_BUSY] > 55);
    world_verify(&w);
    world_release(&w);
}

static void a_store_that_fails(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    if (!w.can_fail) {
        world_release(&w);
        skip();
    }
    world_job(&w, "tens", "@every 10s");
    world_start(&w);
    world_advance(&w, DURATION_S(15));
    world_fault(&w, MODEL_FAULT_UNKNOWN_APPLIED, 2);
    world_advance(&w, DURATION_S(20));
    world_fault(&w, MODEL_FAULT_UNKNOWN_LOST, 2);
    world_advance(&w, DURATION_S(20));
    world_fault(&w, MODEL_FAULT_UNAVAILABLE, 5);
    world_advance(&w, DURATION_S(65));
    assert_true(w.store_down >= 3);
    assert_true(engine_store_is_up(w.engine));
    assert_int_equal(world_count(&w, "tens"), 12);
    assert_int_equal(w.stale, 0);
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void reboot_is_due_once_a_boot(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "boot", "@reboot");
    w.boot_id = "boot-1";
    w.booted_at = instant_add(w.now, DURATION_S(-100));
    world_start(&w); // a new job waits for the next boot
    world_advance(&w, DURATION_S(10));
    assert_int_equal(world_count(&w, "boot"), 0);
    world_crash(&w);
    world_advance(&w, DURATION_S(1000));
    w.boot_id = "boot-2";
    w.booted_at = instant_add(w.now, DURATION_S(-100));
    world_start(&w);
    world_advance(&w, DURATION_S(10));
    assert_int_equal(world_count(&w, "boot"), 1);
    world_crash(&w);
    world_start(&w);
    world_advance(&w, DURATION_S(10));
    assert_int_equal(world_count(&w, "boot"), 1);
    world_verify(&w);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_each_slot_once),
        cmocka_unit_test(overlap_skip),
        cmocka_unit_test(overlap_queue),
        cmocka_unit_test(overlap_replace),
        cmocka_unit_test(overlap_allow),
        cmocka_unit_test(downtime),
        cmocka_unit_test(catches_up_at_most_a_thousand),
        cmocka_unit_test(retries_back_off),
        cmocka_unit_test(a_retry_survives_a_crash),
        cmocka_unit_test(a_crash_loses_runs_by_policy),
        cmocka_unit_test(a_waiting_attempt_stands_in_the_way),
        cmocka_unit_test(capacity_bounds_what_runs),
        cmocka_unit_test(a_node_alone),
        cmocka_unit_test(the_clock_steps),
        cmocka_unit_test(a_store_that_fails),
        cmocka_unit_test(reboot_is_due_once_a_boot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
