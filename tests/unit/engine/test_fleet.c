// SPDX-License-Identifier: MIT
// Several engines on one store: who starts what, and what becomes of it when a node hangs, is cut
// off, dies or leaves.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fleet.h"

#define START "2026-03-10T00:00:30Z"

// Every slot once, on the node that goes first, and at its due time.
static void each_slot_is_run_once(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    char names[40][16];
    int used[3] = {0};
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "job-%d", i);
        fleet_job(f, names[i], "* * * * *");
    }
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(600));
    for (int i = 0; i < 40; i++) {
        int node = fleet_runner(f, names[i]);
        assert_int_equal(fleet_count(f, names[i], -1), 10);
        assert_int_equal(fleet_count(f, names[i], node), 10);
        used[node]++;
    }
    for (int i = 0; i < 3; i++) {
        assert_in_range(used[i], 4, 30);
        assert_int_equal(engine_member_count(f->nodes[i].engine), 3);
    }
    for (size_t i = 0; i < f->run_count; i++) {
        assert_true(instant_equal(f->runs[i].began, f->runs[i].due_at));
    }
    fleet_free(f);
}

// An idle node makes two statements in three seconds, but the one that keeps house for all.
static void an_idle_node_is_quiet(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "yearly", "0 0 1 1 *");
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(10));
    int seals = 0;
    for (int i = 0; i < 3; i++) {
        memset(f->nodes[i].operations, 0, sizeof f->nodes[i].operations);
    }
    fleet_advance(f, DURATION_S(100));
    for (int i = 0; i < 3; i++) {
        int all = 0;
        for (int kind = 0; kind < STORE_OP_COUNT; kind++) {
            all += kind == STORE_SEAL ? 0 : f->nodes[i].operations[kind];
        }
        seals += f->nodes[i].operations[STORE_SEAL] > 0;
        assert_in_range(all, 63, 68);
        assert_int_equal(f->nodes[i].operations[STORE_BEAT], all);
    }
    assert_int_equal(seals, 1);
    fleet_free(f);
}

// Of a node that goes first and does nothing others do each slot within five seconds, though it is
// alive for the store.
static void a_silent_node_delays_no_slot_for_long(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *");
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(35)); // 00:01:05
    f->nodes[fleet_runner(f, "a")].hung = true;
    fleet_advance(f, DURATION_S(60)); // 00:02:05
    assert_int_equal(fleet_count(f, "a", -1), 2);
    fleet_free(f);
}

// A node whose loop hangs: the others do its slots a little later; after its lease it is fenced,
// and what it ran is LOST.
static void a_hung_node_is_stood_in_for(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *");
    fleet_job(f, "quick", "* * * * * *");
    f->takes = DURATION_S(20);
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(35)); // 00:01:05: its run goes on
    int hung = fleet_runner(f, "a");
    f->nodes[hung].hung = true;
    fleet_advance(f, DURATION_S(115)); // 00:03:00
    assert_int_equal(fleet_count(f, "a", -1), 2);
    fleet_advance(f, DURATION_S(5));
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "LOST");
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:02:00Z"), "SKIPPED overlap");
    assert_int_equal(f->fenced, 1);
    assert_int_equal(fleet_overlaps(f, "a"), 0);
    f->nodes[hung].hung = false;
    fleet_advance(f, DURATION_S(5));
    assert_true(engine_is_fenced(f->nodes[hung].engine));
    assert_int_equal(engine_member_count(f->nodes[(hung + 1) % 3].engine), 2);
    fleet_free(f);
}

// A node that the store does not answer starts nothing after its deadline and ends what it runs;
// when the store is back before anybody fenced it, it goes on.
static void a_node_cut_off_stops_by_itself(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *");
    f->takes = DURATION_S(3000);
    fleet_start_all(f, 1);
    fleet_advance(f, DURATION_S(40));
    f->nodes[0].cut = true;
    fleet_advance(f, DURATION_S(43)); // 00:01:53
    assert_true(instant_is_none(f->runs[0].ended));
    fleet_advance(f, DURATION_S(3)); // past 45 s since the last beat
    assert_false(instant_is_none(f->runs[0].ended));
    fleet_advance(f, DURATION_S(20));
    assert_int_equal(f->run_count, 1);
    f->nodes[0].cut = false;
    fleet_advance(f, DURATION_S(60)); // 00:03:16
    assert_false(engine_is_fenced(f->nodes[0].engine));
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "LOST");
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:02:00Z"), "open");
    assert_int_equal(fleet_count(f, "a", -1), 2);
    fleet_free(f);
}

// A claim whose answer comes after the deadline starts nothing; the job says whether it is tried
// again.
static void a_claim_that_comes_too_late(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "fails", "1,2 0 * * *");
    fleet_job(f, "retries", "1,2 0 * * *")->on_lost = JOB_LOST_RETRY;
    fleet_start_all(f, 1);
    fleet_advance(f, DURATION_S(89));
    f->nodes[0].slow = true;
    fleet_advance(f, DURATION_S(50));
    f->nodes[0].slow = false;
    fleet_advance(f, DURATION_S(10));
    assert_string_equal(fleet_outcome(f, "fails", "2026-03-10T00:02:00Z"), "LOST");
    assert_string_equal(fleet_outcome(f, "retries", "2026-03-10T00:02:00Z"), "SUCCESS");
    assert_int_equal(f->run_count, 3);
    assert_int_equal(f->runs[2].attempt, 2);
    fleet_free(f);
}

// Trust counts from when the beat was sent, however late its answer comes.
static void a_late_answer_lengthens_no_trust(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1 0 * * *");
    f->takes = DURATION_S(3000);
    fleet_start_all(f, 1);
    fleet_advance(f, DURATION_MS(32500)); // each third second has a beat
    f->nodes[0].slow = true;
    fleet_advance(f, DURATION_S(40));
    f->nodes[0].slow = false;
    f->nodes[0].cut = true;
    fleet_advance(f, DURATION_S(9)); // at least 46 s after the beat
    assert_int_equal(f->run_count, 1);
    assert_false(instant_is_none(f->runs[0].ended));
    fleet_free(f);
}

// A claim of which nobody knows is settled when the store is back, and carried out once this node
// trusts itself again.
static void a_doubtful_claim_is_settled(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1,2 0 * * *");
    fleet_start_all(f, 1);
    fleet_advance(f, DURATION_S(89));
    f->nodes[0].doubtful = true;
    fleet_advance(f, DURATION_S(1));
    f->nodes[0].cut = true;
    fleet_advance(f, DURATION_S(55));
    assert_int_equal(f->run_count, 1);
    f->nodes[0].doubtful = f->nodes[0].cut = false;
    fleet_advance(f, DURATION_S(10));
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:02:00Z"), "SUCCESS");
    assert_int_equal(f->run_count, 2);
    fleet_free(f);
}

// Who learns that it was declared dead ends what it runs at once, whatever it thinks of itself.
static void a_fenced_node_ends_everything(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1 0 * * *");
    f->takes = DURATION_S(3000);
    fleet_start_all(f, 1);
    fleet_advance(f, DURATION_S(40));
    fleet_start_after(f, 1, f->nodes[0].id);
    fleet_advance(f, DURATION_S(2));
    assert_true(engine_is_fenced(f->nodes[0].engine));
    assert_true(engine_is_drained(f->nodes[0].engine));
    assert_true(f->runs[0].cancelled);
    assert_int_equal(f->stale, 1);
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "LOST");
    fleet_free(f);
}

// Cut off for good: its slots go to the other at once, its run is begun anew only when it is surely
// over.
static void a_node_cut_off_is_fenced(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *")->on_lost = JOB_LOST_RETRY;
    f->takes = DURATION_S(3000);
    fleet_start_all(f, 2);
    fleet_advance(f, DURATION_S(40));
    int cut = fleet_runner(f, "a");
    f->nodes[cut].cut = true;
    fleet_advance(f, DURATION_S(120));
    assert_int_equal(f->fenced, 1);
    assert_int_equal(fleet_count(f, "a", -1), 2);
    assert_int_equal(f->runs[1].attempt, 2);
    assert_int_equal(f->runs[1].node, 1 - cut);
    assert_int_equal(fleet_overlaps(f, "a"), 0);
    f->nodes[cut].cut = false;
    fleet_advance(f, DURATION_S(10));
    assert_true(engine_is_fenced(f->nodes[cut].engine));
    assert_true(engine_is_drained(f->nodes[cut].engine));
    fleet_free(f);
}

// Whom it has fenced, and what was lost by that, is learnt also where the first answer is lost:
// somebody has to end what the dead one does on other databases.
static void a_fencing_whose_answer_is_lost(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1 0 * * *");
    f->takes = DURATION_S(3000);
    fleet_start_all(f, 2);
    fleet_advance(f, DURATION_S(40));
    int hung = fleet_runner(f, "a");
    f->nodes[hung].hung = true;
    struct fleet_node *other = &f->nodes[1 - hung];
    other->doubtful_from = STORE_FENCE;
    for (int i = 0; i < 100 && !other->doubtful; i++) {
        fleet_advance(f, DURATION_S(1));
    }
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "LOST");
    assert_int_equal(f->fenced + f->ended[RUN_LOST], 0);
    other->doubtful_from = STORE_OP_COUNT;
    other->doubtful = false;
    fleet_advance(f, DURATION_S(10));
    assert_int_equal(f->fenced, 1);
    assert_int_equal(f->ended[RUN_LOST], 1);
    fleet_free(f);
}

// What waits on a node that dies or leaves is taken over, and tried as often as it should be.
static void attempts_that_wait_are_taken_over(void **state)
{
    (void)state;
    const struct job_retries retries = {
        .max = 3, .backoff = DURATION_S(100), .factor = 1, .max_backoff = DURATION_S(100)};
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1 0 * * *")->retries = &retries;
    f->exit_code = 1;
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(40)); // 00:01:10: the second attempt waits until 00:02:40
    int first = fleet_runner(f, "a");
    fleet_drain(f, first);
    fleet_leave(f, first);
    fleet_advance(f, DURATION_S(100)); // 00:02:50
    assert_int_equal(fleet_count(f, "a", -1), 2);
    int second = fleet_runner(f, "a");
    assert_int_not_equal(second, first);
    fleet_kill(f, second);
    fleet_advance(f, DURATION_S(300));
    assert_int_equal(fleet_count(f, "a", -1), 4);
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "FAILED");
    fleet_free(f);
}

// A host's next node takes over at once what its last one left: the lock proves that it is dead.
static void a_host_comes_back(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1 0 * * *")->on_lost = JOB_LOST_RETRY;
    f->takes = DURATION_S(30);
    fleet_start_all(f, 2);
    fleet_advance(f, DURATION_S(40));
    int died = fleet_runner(f, "a");
    struct uuid dead = f->nodes[died].id;
    fleet_kill(f, died);
    fleet_start_after(f, died, dead);
    fleet_advance(f, DURATION_S(5));
    assert_int_equal(fleet_count(f, "a", -1), 2);
    fleet_advance(f, DURATION_S(60));
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "SUCCESS");
    assert_int_equal(f->ended[RUN_LOST], 1);
    assert_int_equal(f->fenced, 0);
    fleet_free(f);
}

// Who is told to stop is not preferred any more at once.
static void a_draining_node_hands_over(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * * *");
    fleet_start_all(f, 2);
    fleet_advance(f, DURATION_S(10));
    int first = fleet_runner(f, "a");
    fleet_drain(f, first);
    fleet_advance(f, DURATION_S(3));
    size_t before = f->run_count;
    fleet_leave(f, first);
    fleet_advance(f, DURATION_S(10));
    assert_int_equal(fleet_runner(f, "a"), 1 - first);
    for (size_t i = before; i < f->run_count; i++) {
        assert_true(instant_equal(f->runs[i].began, f->runs[i].due_at));
    }
    for (size_t i = 1; i < f->run_count; i++) { // no slot was passed over
        assert_int_equal(instant_since(f->runs[i].due_at, f->runs[i - 1].due_at).us, 1000000);
    }
    fleet_free(f);
}

// Nobody decides by definitions that are not the active ones.
static void definitions_change(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *");
    fleet_start(f, 0);
    fleet_publish(f);
    fleet_advance(f, DURATION_S(5));
    fleet_start(f, 1);
    fleet_start(f, 2);
    fleet_advance(f, DURATION_S(60));
    assert_int_equal(fleet_count(f, "a", -1), 1);
    f->stays_behind = true;
    fleet_job(f, "b", "* * * * *");
    fleet_publish(f);
    fleet_advance(f, DURATION_S(60));
    assert_int_equal(f->run_count, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(engine_wants_version(f->nodes[i].engine), f->version);
        assert_true(instant_before(f->now, engine_turn(f->nodes[i].engine))); // it waits in peace
    }
    f->stays_behind = false;
    fleet_advance(f, DURATION_S(60));
    assert_int_equal(fleet_count(f, "a", -1), 3); // nothing was lost: 00:02 was late
    assert_int_equal(fleet_count(f, "b", -1), 1);
    fleet_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_slot_is_run_once),
        cmocka_unit_test(an_idle_node_is_quiet),
        cmocka_unit_test(a_silent_node_delays_no_slot_for_long),
        cmocka_unit_test(a_hung_node_is_stood_in_for),
        cmocka_unit_test(a_node_cut_off_stops_by_itself),
        cmocka_unit_test(a_claim_that_comes_too_late),
        cmocka_unit_test(a_late_answer_lengthens_no_trust),
        cmocka_unit_test(a_doubtful_claim_is_settled),
        cmocka_unit_test(a_fencing_whose_answer_is_lost),
        cmocka_unit_test(a_fenced_node_ends_everything),
        cmocka_unit_test(a_node_cut_off_is_fenced),
        cmocka_unit_test(attempts_that_wait_are_taken_over),
        cmocka_unit_test(a_host_comes_back),
        cmocka_unit_test(a_draining_node_hands_over),
        cmocka_unit_test(definitions_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
