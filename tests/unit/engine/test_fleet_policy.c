// SPDX-License-Identifier: MIT
// What a job's policy means where its runs, attempts and counts may be on several nodes; how often
// they ask.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "fleet.h"

#define START "2026-03-10T00:00:30Z"

// A backfill goes on on one node, an attempt of the job waits on another: it has its turn.
static void a_backfill_gives_way(void **state)
{
    (void)state;
    static const struct job_retries patient = {
        .max = 1, .backoff = {60000000}, .factor = 1, .max_backoff = {60000000}};
    static const char range[] =
        "{\"from\":\"2026-02-18T00:00:00Z\",\"to\":\"2026-03-10T00:00:00Z\"}";
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1 0 * * *")->retries = &patient;
    f->takes = DURATION_S(20);
    f->exit_code = 1;
    fleet_start(f, 1);
    fleet_advance(f, DURATION_S(60)); // 00:01:30; tried again at 00:02:20
    f->exit_code = 0;
    fleet_start(f, 0);
    fleet_start(f, 2);
    fleet_advance(f, DURATION_S(5));
    fleet_wish(f, &(struct store_intent){.kind = INTENT_BACKFILL, .job = "a", .params = range});
    fleet_advance(f, DURATION_S(115));
    assert_true(fleet_count(f, "a", 0) + fleet_count(f, "a", 2) > 3);
    assert_int_equal(fleet_count(f, "a", 1), 2);
    assert_int_equal(fleet_overlaps(f, "a"), 0);
    fleet_free(f);
}

static void run_by_hand(struct fleet *f, const char *job)
{
    fleet_wish_run(f, job);
    fleet_advance(f, DURATION_S(3));
}

// A run goes on where the job no longer belongs: its slots wait for it, are skipped or replace it
// as on one node.
static void overlap_across_nodes(void **state)
{
    (void)state;
    static const struct {
        enum job_overlap overlap;
        const char *first, *second;
        int runs;
    } cases[] = {
        {JOB_OVERLAP_SKIP, "SUCCESS", "SKIPPED overlap", 1},
        {JOB_OVERLAP_QUEUE, "SUCCESS", "open", 2},
        {JOB_OVERLAP_REPLACE, "CANCELLED", "open", 2},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct fleet *f = fleet_new(START);
        fleet_job(f, "a", "1,2 0 * * *")->overlap = cases[i].overlap;
        f->takes = DURATION_S(100); // until 00:02:40
        fleet_start_all(f, 3);
        fleet_advance(f, DURATION_S(40));
        int first = fleet_runner(f, "a");
        fleet_drain(f, first);
        fleet_advance(f, DURATION_S(95)); // 00:02:45
        assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), cases[i].first);
        assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:02:00Z"), cases[i].second);
        assert_int_equal(fleet_count(f, "a", -1), cases[i].runs);
        assert_int_equal(fleet_overlaps(f, "a"), 0);
        fleet_advance(f, DURATION_S(100));
        const char *last = cases[i].runs == 2 ? "SUCCESS" : "SKIPPED overlap";
        assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:02:00Z"), last);
        fleet_free(f);
    }
}

// The node that has the run does not see the first wish in time: it is asked again until it does.
static void a_run_elsewhere_makes_way_in_the_end(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1,2 0 * * *")->overlap = JOB_OVERLAP_REPLACE;
    f->takes = DURATION_S(3000);
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(40));
    int first = fleet_runner(f, "a");
    fleet_drain(f, first);
    fleet_advance(f, DURATION_S(49)); // 00:01:59
    f->nodes[first].cut = true;
    fleet_advance(f, DURATION_S(9));
    f->nodes[first].cut = false;
    fleet_advance(f, DURATION_S(22)); // 00:02:30
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "CANCELLED");
    assert_int_equal(fleet_count(f, "a", -1), 2);
    fleet_free(f);
}

// An attempt that waits elsewhere stands in the way of newer slots.
static void a_waiting_attempt_elsewhere_blocks(void **state)
{
    (void)state;
    const struct job_retries retries = {
        .max = 1, .backoff = DURATION_S(150), .factor = 1, .max_backoff = DURATION_S(150)};
    struct fleet *f = fleet_new(START);
    struct job *job = fleet_job(f, "a", "1,2 0 * * *");
    job->retries = &retries;
    f->exit_code = 1;
    fleet_start(f, 0);
    fleet_advance(f, DURATION_S(40));
    fleet_start(f, 1); // they know of nothing that was before
    fleet_start(f, 2);
    fleet_drain(f, 0);
    fleet_advance(f, DURATION_S(60)); // 00:02:10
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:02:00Z"), "SKIPPED overlap");
    fleet_free(f);
}

// Clocks of hosts may be wrong: the store's decides.
static void only_the_stores_clock_counts(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *");
    fleet_job(f, "b", "* * * * *");
    fleet_job(f, "c", "* * * * *");
    f->nodes[0].skew = DURATION_S(-300);
    f->nodes[1].skew = DURATION_S(7);
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(300));
    assert_int_equal(f->run_count, 15);
    for (size_t i = 0; i < f->run_count; i++) {
        assert_true(instant_equal(f->runs[i].began, f->runs[i].due_at));
    }
    assert_int_equal(engine_clock_skew(f->nodes[0].engine).us, -300000000);
    assert_int_equal(engine_clock_skew(f->nodes[1].engine).us, 7000000);
    fleet_free(f);
}

// Jobs with `nodes` run where the labels are, and nowhere else.
static void labels_bind(void **state)
{
    (void)state;
    const struct job_variable eu[] = {{"region", "eu"}, {NULL, NULL}};
    struct fleet *f = fleet_new(START);
    for (int i = 0; i < 8; i++) {
        static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
        fleet_job(f, names[i], "* * * * *")->nodes = eu;
    }
    f->nodes[0].labels = "{\"region\":\"us\"}";
    f->nodes[1].labels = "{\"region\":\"eu\",\"disk\":\"big\"}";
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(60));
    assert_int_equal(f->run_count, 8);
    run_by_hand(f, "a");
    assert_int_equal(f->run_count, 9);
    fleet_drain(f, 1);
    fleet_leave(f, 1);
    fleet_advance(f, DURATION_S(120));
    assert_int_equal(f->run_count, 9);
    struct uuid id = fleet_wish_run(f, "a");
    fleet_advance(f, DURATION_S(10));
    assert_memory_equal(fleet_answer(f, id), "REFUSED no live node with the labels", 36);
    for (size_t i = 0; i < f->run_count; i++) {
        assert_int_equal(f->runs[i].node, 1);
    }
    fleet_free(f);
}

// Also an attempt that a dead node leaves goes to a node that may run it, though others see it
// first.
static void labels_bind_what_is_left(void **state)
{
    (void)state;
    const struct job_variable eu[] = {{"region", "eu"}, {NULL, NULL}};
    const struct job_retries retries = {
        .max = 1, .backoff = DURATION_S(100), .factor = 1, .max_backoff = DURATION_S(100)};
    struct fleet *f = fleet_new(START);
    struct job *job = fleet_job(f, "a", "1 0 * * *");
    job->nodes = eu;
    job->retries = &retries;
    f->exit_code = 1;
    f->nodes[2].labels = f->nodes[3].labels = "{\"region\":\"eu\"}";
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(40));
    assert_int_equal(fleet_runner(f, "a"), 2);
    fleet_drain(f, 2);
    fleet_leave(f, 2);
    fleet_advance(f, DURATION_S(150));
    assert_int_equal(f->run_count, 1); // nobody may
    fleet_start(f, 3);
    fleet_advance(f, DURATION_S(20));
    assert_int_equal(f->run_count, 2);
    assert_int_equal(f->runs[1].node, 3);
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "FAILED");
    fleet_free(f);
}

// One node in dry-run, and nobody executes anything.
static void one_dry_node_makes_all_dry(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *");
    fleet_job(f, "b", "* * * * *");
    fleet_job(f, "c", "* * * * *");
    f->nodes[2].dry_run = true;
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(60));
    assert_int_equal(f->run_count, 0);
    assert_true(engine_is_dry_run(f->nodes[0].engine));
    assert_string_equal(fleet_outcome(f, "b", "2026-03-10T00:01:00Z"), "DRY_RUN");
    fleet_drain(f, 2);
    fleet_leave(f, 2);
    fleet_advance(f, DURATION_S(60));
    assert_false(engine_is_dry_run(f->nodes[0].engine));
    assert_int_equal(f->run_count, 3);
    fleet_free(f);
}

// Each boot of each host, also of one that booted before another one's node had its turn.
static void reboot_is_due_once_a_boot_of_each_host(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "@reboot")->overlap = JOB_OVERLAP_QUEUE;
    fleet_start(f, 3); // it publishes the job
    fleet_drain(f, 3);
    fleet_leave(f, 3);
    fleet_advance(f, DURATION_S(300));
    const char *boots[] = {"boot-0", "boot-1", "boot-2"};
    for (int i = 0; i < 3; i++) {
        f->nodes[i].boot_id = boots[i];
        f->nodes[i].booted_at = instant_add(f->now, DURATION_S(-10 * (i + 1)));
    }
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(20));
    assert_int_equal(f->run_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fleet_count(f, "a", i), 1);
    }
    fleet_kill(f, 1);
    fleet_start(f, 1); // the same boot
    fleet_advance(f, DURATION_S(20));
    assert_int_equal(f->run_count, 3);
    fleet_free(f);
}

// All were away: what was missed is decided once, by the job's policy.
static void nobody_was_there(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "skip", "*/10 * * * *")->missed = JOB_MISSED_SKIP;
    fleet_job(f, "last", "*/10 * * * *");
    fleet_job(f, "all", "*/10 * * * *")->missed = JOB_MISSED_ALL;
    fleet_start_all(f, 2);
    fleet_advance(f, DURATION_S(10));
    fleet_kill(f, 0);
    fleet_kill(f, 1);
    fleet_advance(f, DURATION_S(3600));
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(20));
    assert_int_equal(fleet_count(f, "skip", -1), 0);
    assert_int_equal(fleet_count(f, "last", -1), 1);
    assert_int_equal(fleet_count(f, "all", -1), 6);
    assert_int_equal(f->passed_over[REASON_DOWNTIME], 11);
    fleet_free(f);
}

// The store is away for all: nothing is lost, everything is decided once it is back. Nobody is
// taken for dead because of the time in which it was not there.
static void the_store_is_away(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *");
    fleet_job(f, "b", "* * * * *");
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(40));
    for (int i = 0; i < 3; i++) {
        f->nodes[i].cut = true;
    }
    fleet_advance(f, DURATION_S(95)); // 00:02:45
    for (int i = 0; i < 3; i++) {
        f->nodes[i].cut = false;
    }
    model_store_up_since(f->store, f->now);
    fleet_advance(f, DURATION_S(10));
    assert_int_equal(f->run_count, 4);
    assert_int_equal(f->fenced, 0);
    fleet_free(f);
}

// A server that fails at some things and does others (its table of locks is full) is one trouble,
// told once when it begins and once when it is over.
static void a_store_that_fails_in_part(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * * *");
    fleet_start(f, 0);
    fleet_advance(f, DURATION_S(5));
    f->nodes[0].failing = STORE_DECIDE;
    fleet_advance(f, DURATION_S(40));
    assert_int_equal(f->store_downs, 1);
    assert_int_equal(f->store_ups, 0);
    f->nodes[0].failing = STORE_OP_COUNT;
    fleet_advance(f, DURATION_S(12));
    assert_int_equal(f->store_downs, 1);
    assert_int_equal(f->store_ups, 1);
    fleet_free(f);
}

// A run that has ended stands in no slot's way, though nobody could write down yet that it did.
static void what_has_ended_blocks_nobody(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *");
    f->takes = DURATION_S(30);
    fleet_start_all(f, 1);
    fleet_advance(f, DURATION_S(50)); // 00:01:20
    f->nodes[0].cut = true;
    fleet_advance(f, DURATION_S(38)); // 00:01:58
    f->nodes[0].cut = false;
    fleet_advance(f, DURATION_S(10));
    assert_int_equal(f->run_count, 2);
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "SUCCESS");
    assert_int_equal(f->passed_over[REASON_OVERLAP], 0);
    fleet_free(f);
}

// The others take what a full node can't.
static void a_full_node_is_helped(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    char names[12][16];
    for (int i = 0; i < 12; i++) {
        snprintf(names[i], sizeof names[i], "j%d", i);
        fleet_job(f, names[i], "* * * * *");
    }
    f->takes = DURATION_S(50);
    for (int i = 0; i < 3; i++) {
        f->nodes[i].max_running = 4;
    }
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(40));
    assert_int_equal(f->run_count, 12);
    fleet_free(f);
}

// What runs after another job learns of its runs on other nodes within a moment.
static void after_a_job_of_another_node(void **state)
{
    (void)state;
    static const char *const before[] = {"a", NULL};
    struct fleet *f = fleet_new(START);
    char names[6][24];
    fleet_job(f, "a", "1 0 * * *");
    for (int i = 0; i < 6; i++) {
        snprintf(names[i], sizeof names[i], "after%d", i);
        struct job *job = fleet_job(f, names[i], "1 0 * * *");
        job->after = before;
        job->after_within = DURATION_S(600);
    }
    f->takes = DURATION_S(20);
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(55)); // 00:01:25
    assert_int_equal(f->run_count, 7);
    fleet_free(f);
}

// A throttle counts on where it was counted elsewhere.
static void a_throttle_is_counted_together(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *");
    fleet_start_all(f, 3);
    fleet_control(f, "a", CONTROL_THROTTLE, 4);
    fleet_advance(f, DURATION_S(180)); // three are passed over
    assert_int_equal(f->run_count, 0);
    assert_int_equal(f->passed_over[REASON_THROTTLED], 3);
    int first = -1;
    for (int i = 0; i < 3; i++) {
        first = fleet_operations(f, i, STORE_DECIDE) > 0 ? i : first;
    }
    fleet_drain(f, first);
    fleet_advance(f, DURATION_S(60));
    assert_int_equal(fleet_count(f, "a", -1), 1);
    fleet_free(f);
}

// However many slots are due, who does not go first asks once in three seconds what became of them.
static void neighbours_look_seldom(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct fleet *f = fleet_new(START);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        fleet_job(f, names[i], "* * * * * *");
    }
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(10));
    for (int i = 0; i < 3; i++) {
        f->nodes[i].operations[STORE_MARKS] = 0;
    }
    fleet_advance(f, DURATION_S(60));
    for (int i = 0; i < 3; i++) {
        assert_in_range(f->nodes[i].operations[STORE_MARKS], 19, 21);
    }
    fleet_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backfill_gives_way),
        cmocka_unit_test(neighbours_look_seldom),
        cmocka_unit_test(overlap_across_nodes),
        cmocka_unit_test(a_run_elsewhere_makes_way_in_the_end),
        cmocka_unit_test(a_waiting_attempt_elsewhere_blocks),
        cmocka_unit_test(only_the_stores_clock_counts),
        cmocka_unit_test(labels_bind),
        cmocka_unit_test(labels_bind_what_is_left),
        cmocka_unit_test(one_dry_node_makes_all_dry),
        cmocka_unit_test(reboot_is_due_once_a_boot_of_each_host),
        cmocka_unit_test(nobody_was_there),
        cmocka_unit_test(the_store_is_away),
        cmocka_unit_test(a_store_that_fails_in_part),
        cmocka_unit_test(what_has_ended_blocks_nobody),
        cmocka_unit_test(a_full_node_is_helped),
        cmocka_unit_test(after_a_job_of_another_node),
        cmocka_unit_test(a_throttle_is_counted_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
