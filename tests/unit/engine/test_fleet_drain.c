// SPDX-License-Identifier: MIT
// A node that an operator has told to drain: others do its work, and it takes its share again.
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

static void answers(struct fleet *f, int node, enum store_intent_kind kind, const char *expected)
{
    struct uuid id = fleet_wish_of_node(f, kind, f->nodes[node].id);
    fleet_advance(f, DURATION_S(3));
    assert_string_equal(fleet_answer(f, id), expected);
}

static void drain(struct fleet *f, int node)
{
    struct uuid id = fleet_wish_of_node(f, INTENT_DRAIN, f->nodes[node].id);
    fleet_advance(f, DURATION_S(3));
    assert_memory_equal(fleet_answer(f, id), "DONE", 4);
}

struct search {
    struct uuid node;
    char text[256];
};

static bool describe(void *context, const struct store_node_row *row)
{
    struct search *search = context;
    if (uuid_equal(row->node, search->node)) {
        snprintf(search->text, sizeof search->text, "%s %s v%lld %s by %s: %s", row->state,
                 row->draining ? "drains" : "works", (long long)row->definitions,
                 row->refused == NULL ? "-" : row->refused,
                 row->draining_by == NULL ? "-" : row->draining_by,
                 row->draining_reason == NULL ? "-" : row->draining_reason);
    }
    return true;
}

static void row_is(struct fleet *f, int node, const char *expected)
{
    struct search search = {.node = f->nodes[node].id};
    struct error err = ERROR_INIT;
    assert_true(f->store->ops->read_nodes(f->store, describe, &search, &err));
    assert_string_equal(search.text, expected);
}

// ---- slots --------------------------------------------------------------------------------------

// Its jobs go to the others at once, what it runs goes on, and no slot is passed over; resumed, it
// has the same share as before.
static void its_jobs_go_to_the_others(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * * *")->overlap = JOB_OVERLAP_ALLOW;
    f->takes = DURATION_S(4);
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(10));
    int first = fleet_runner(f, "a");
    drain(f, first);
    row_is(f, first, "live drains v0 - by op@sim: new disk");
    size_t before = f->run_count;
    int runs = fleet_count(f, "a", first);
    fleet_advance(f, DURATION_S(200)); // longer than its lease
    row_is(f, first, "live drains v0 - by op@sim: new disk");
    assert_int_equal(f->fenced, 0);
    assert_int_equal(fleet_count(f, "a", first), runs);
    assert_int_equal(engine_running(f->nodes[first].engine), 0);
    for (size_t i = before; i < f->run_count; i++) {
        assert_true(instant_equal(f->runs[i].began, f->runs[i].due_at));
    }
    answers(f, first, INTENT_RESUME, "DONE it takes jobs again");
    row_is(f, first, "live works v0 - by -: -");
    fleet_advance(f, DURATION_S(10));
    assert_int_equal(fleet_runner(f, "a"), first);
    for (size_t i = 1; i < f->run_count; i++) {
        assert_int_equal(instant_since(f->runs[i].due_at, f->runs[i - 1].due_at).us, 1000000);
    }
    assert_int_equal(f->ended[RUN_SUCCESS],
                     (int)f->run_count - engine_running(f->nodes[first].engine));
    fleet_free(f);
}

static void it_is_told_what_it_should_know(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1 0 * * *");
    f->takes = DURATION_S(100);
    fleet_start_all(f, 2);
    fleet_advance(f, DURATION_S(40)); // its run goes on
    int first = fleet_runner(f, "a");
    answers(f, first, INTENT_RESUME, "DONE it was not draining");
    answers(f, first, INTENT_DRAIN, "DONE 1 run goes on there");
    struct uuid again = fleet_wish_of_node(f, INTENT_DRAIN, f->nodes[first].id);
    fleet_advance(f, DURATION_S(3));
    assert_memory_equal(fleet_answer(f, again), "DONE it drains already, since 2026-03-10", 40);
    assert_non_null(strstr(fleet_answer(f, again), " by op@sim; 1 run goes on there"));
    answers(f, 1 - first, INTENT_DRAIN,
            "DONE 0 runs go on there; no other node takes jobs: nothing starts until one does");
    struct uuid gone = fleet_wish_of_node(f, INTENT_DRAIN, (struct uuid){{9}});
    fleet_advance(f, DURATION_S(8));
    assert_string_equal(fleet_answer(f, gone),
                        "REFUSED that node is not there any more. All nodes: ironcron nodes");
    fleet_drain(f, first);
    answers(f, first, INTENT_RESUME, "REFUSED the node is stopping");
    fleet_free(f);
}

// A slot that waited there for the run before it is decided elsewhere, or there again.
static void a_slot_that_waits_for_its_run(void **state)
{
    (void)state;
    for (int resumes = 0; resumes < 2; resumes++) {
        struct fleet *f = fleet_new(START);
        fleet_job(f, "a", "1,2 0 * * *")->overlap = JOB_OVERLAP_QUEUE;
        f->takes = DURATION_S(100); // until 00:02:40
        fleet_start_all(f, 2);
        fleet_advance(f, DURATION_S(95)); // 00:02:05
        int first = fleet_runner(f, "a");
        drain(f, first);
        if (resumes) {
            drain(f, 1 - first);
            fleet_advance(f, DURATION_S(60));
            assert_int_equal(f->run_count, 1);
            fleet_wish_of_node(f, INTENT_RESUME, f->nodes[first].id);
        }
        fleet_advance(f, DURATION_S(60));
        assert_int_equal(fleet_overlaps(f, "a"), 0);
        assert_int_equal(f->run_count, 2);
        assert_int_equal(f->runs[1].node, resumes ? first : 1 - first);
        fleet_advance(f, DURATION_S(120));
        assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:02:00Z"), "SUCCESS");
        fleet_free(f);
    }
}

// ---- what waits ---------------------------------------------------------------------------------

static struct fleet *with_attempts(void)
{
    static struct job_retries retries;
    retries = (struct job_retries){
        .max = 3, .backoff = DURATION_S(100), .factor = 1, .max_backoff = DURATION_S(100)};
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1 0 * * *")->retries = &retries;
    f->exit_code = 1;
    return f;
}

// Attempts that wait there are made elsewhere, also those that it leaves behind later.
static void attempts_are_made_elsewhere(void **state)
{
    (void)state;
    struct fleet *f = with_attempts();
    fleet_start_all(f, 2);
    fleet_advance(f, DURATION_S(40)); // 00:01:10: the second attempt waits until 00:02:40
    int first = fleet_runner(f, "a");
    drain(f, first);
    fleet_advance(f, DURATION_S(100)); // 00:02:53
    assert_int_equal(fleet_count(f, "a", 1 - first), 1);
    f->takes = DURATION_S(30);
    fleet_advance(f, DURATION_S(100)); // 00:04:33: the third goes on
    assert_int_equal(fleet_count(f, "a", 1 - first), 2);
    fleet_wish_of_node(f, INTENT_RESUME, f->nodes[first].id);
    drain(f, 1 - first);
    fleet_advance(f, DURATION_S(150));
    assert_int_equal(fleet_count(f, "a", first), 2); // the first and the last
    assert_int_equal(fleet_count(f, "a", -1), 4);
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "FAILED");
    fleet_free(f);
}

// Where nobody else may have it, it waits, and goes on when the node takes jobs again.
static void what_only_it_may_run_waits(void **state)
{
    (void)state;
    static const struct job_variable eu[] = {{"region", "eu"}, {NULL, NULL}};
    struct fleet *f = with_attempts();
    f->jobs[0].nodes = eu;
    f->nodes[0].labels = "{\"region\":\"eu\"}";
    fleet_start_all(f, 2);
    fleet_advance(f, DURATION_S(40));
    drain(f, 0);
    fleet_advance(f, DURATION_S(300));
    assert_int_equal(f->run_count, 1);
    fleet_wish_of_node(f, INTENT_RESUME, f->nodes[0].id);
    fleet_advance(f, DURATION_S(5));
    assert_int_equal(fleet_count(f, "a", 0), 2);
    fleet_advance(f, DURATION_S(300));
    assert_int_equal(fleet_count(f, "a", 0), 4);
    fleet_free(f);
}

static void a_slot_that_waits_for_others(void **state)
{
    (void)state;
    static const char *const after[] = {"first", NULL};
    struct fleet *f = fleet_new(START);
    fleet_job(f, "first", "1 0 * * *");
    struct job *second = fleet_job(f, "second", "1 0 * * *");
    second->after = after;
    second->after_within = DURATION_S(3600);
    f->takes = DURATION_S(100); // until 00:02:40
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(40));
    for (int i = 0; i < 2; i++) { // the third has it then, wherever it was
        drain(f, i);
    }
    fleet_advance(f, DURATION_S(250));
    assert_string_equal(fleet_outcome(f, "second", "2026-03-10T00:01:00Z"), "SUCCESS");
    assert_int_equal(fleet_runner(f, "second"), 2);
    fleet_free(f);
}

// A backfill goes on elsewhere, and waits where all drain.
static void a_backfill_goes_on_elsewhere(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "*/5 * * * *");
    fleet_start_all(f, 2);
    fleet_advance(f, DURATION_S(3600)); // 01:00:30
    f->takes = DURATION_S(10);
    int first = fleet_runner(f, "a");
    struct uuid id =
        fleet_wish(f, &(struct store_intent){
                          .kind = INTENT_BACKFILL,
                          .job = "a",
                          .params = "{\"force\":\"yes\",\"from\":\"2026-03-10T00:10:00Z\","
                                    "\"max_parallel\":\"1\",\"to\":\"2026-03-10T00:50:00Z\"}"});
    fleet_advance(f, DURATION_S(25));
    size_t before = f->run_count;
    drain(f, first);
    fleet_advance(f, DURATION_S(20));
    assert_int_equal(f->runs[f->run_count - 1].node, 1 - first);
    drain(f, 1 - first);
    fleet_advance(f, DURATION_S(20));
    size_t all_drain = f->run_count;
    fleet_advance(f, DURATION_S(20));
    assert_int_equal(f->run_count, all_drain);
    assert_memory_equal(fleet_answer(f, id), "PENDING", 7);
    fleet_wish_of_node(f, INTENT_RESUME, f->nodes[first].id);
    fleet_advance(f, DURATION_S(100));
    assert_memory_equal(fleet_answer(f, id), "DONE", 4);
    assert_true(before < all_drain && all_drain < f->run_count);
    int slots[10] = {0};
    for (size_t i = 12; i < f->run_count; i++) { // behind those of the schedule
        int64_t slot =
            (instant_unix(f->runs[i].due_at) - instant_unix(ground_time("2026-03-10T00:10:00Z"))) /
            300;
        if (slot >= 0 && slot < 9) {
            slots[slot]++;
        }
    }
    for (int i = 0; i < 9; i++) {
        assert_int_equal(slots[i], 1);
    }
    fleet_free(f);
}

// ---- all of them --------------------------------------------------------------------------------

// Nothing starts, what is asked for by hand is refused, and the audit is sealed all the same.
static void where_all_drain(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *");
    fleet_start_all(f, 2);
    drain(f, 0);
    drain(f, 1);
    size_t before = f->run_count;
    fleet_operations(f, 0, STORE_SEAL);
    fleet_operations(f, 1, STORE_SEAL);
    struct uuid run = fleet_wish_run(f, "a");
    fleet_advance(f, DURATION_S(600));
    assert_string_equal(fleet_answer(f, run),
                        "REFUSED all live nodes that may run it are draining; let one take jobs "
                        "again: ironcron nodes resume NODE");
    assert_int_equal(f->run_count, before);
    assert_int_equal(f->fenced, 0);
    assert_true(fleet_operations(f, 0, STORE_SEAL) + fleet_operations(f, 1, STORE_SEAL) > 0);
    answers(f, 0, INTENT_RESUME, "DONE it takes jobs again");
    fleet_advance(f, DURATION_S(60));
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:08:00Z"), "MISSED downtime");
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:10:00Z"), "SUCCESS"); // the last one
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:11:00Z"), "SUCCESS");
    fleet_free(f);
}

// Then one of them does what is to be done once: another node that dies is declared dead.
static void where_all_drain_the_dead_are_found(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1 0 * * *");
    f->takes = DURATION_S(3600);
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(40)); // its run goes on
    int first = fleet_runner(f, "a");
    for (int i = 0; i < 3; i++) {
        if (i != first) {
            drain(f, i);
        }
    }
    fleet_kill(f, first);
    fleet_advance(f, DURATION_S(90));
    assert_int_equal(f->fenced, 1);
    row_is(f, first, "lost works v0 - by -: -");
    assert_string_equal(fleet_outcome(f, "a", "2026-03-10T00:01:00Z"), "LOST");
    fleet_free(f);
}

// What an operator wants of a node outlives its death.
static void its_successor_drains_as_well(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * * *");
    fleet_start_all(f, 2);
    drain(f, 0);
    fleet_kill(f, 0);
    fleet_start_after(f, 0, f->nodes[0].id);
    fleet_advance(f, DURATION_S(30));
    row_is(f, 0, "live drains v0 - by op@sim: new disk");
    assert_int_equal(fleet_runner(f, "a"), 1);
    answers(f, 0, INTENT_RESUME, "DONE it takes jobs again");
    fleet_kill(f, 0);
    fleet_start_after(f, 0, f->nodes[0].id);
    row_is(f, 0, "live works v0 - by -: -");
    fleet_free(f);
}

// A wish goes to a node that takes jobs, and runs there once.
static void a_wish_goes_to_another(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "0 0 1 1 *");
    fleet_start_all(f, 2);
    fleet_advance(f, DURATION_S(2));
    drain(f, 0);
    struct uuid run = fleet_wish_run(f, "a");
    fleet_advance(f, DURATION_S(3));
    assert_memory_equal(fleet_answer(f, run), "DONE", 4);
    assert_int_equal(fleet_count(f, "a", 1), 1);
    assert_int_equal(f->run_count, 1);
    fleet_free(f);
}

// ---- what else a node says of itself ------------------------------------------------------------

static void nodes_say_which_definitions_they_execute(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "* * * * *");
    fleet_start(f, 0);
    fleet_publish(f);
    fleet_advance(f, DURATION_S(5));
    row_is(f, 0, "live works v1 - by -: -");
    f->stays_behind = true;
    fleet_job(f, "b", "* * * * *");
    fleet_publish(f);
    fleet_advance(f, DURATION_S(3));
    assert_int_equal(engine_active_version(f->nodes[0].engine), 2);
    engine_refuses(f->nodes[0].engine, "no curl here");
    fleet_advance(f, DURATION_S(3));
    row_is(f, 0, "live works v1 no curl here by -: -");
    drain(f, 0);
    row_is(f, 0, "live drains v1 no curl here by op@sim: new disk");
    f->stays_behind = false;
    engine_refuses(f->nodes[0].engine, NULL);
    fleet_advance(f, DURATION_S(3));
    row_is(f, 0, "live drains v2 - by op@sim: new disk");
    fleet_free(f);
}

// What was told while the store was away is told when it is back.
static void it_is_told_when_the_store_is_back(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "0 0 1 1 *");
    fleet_start_all(f, 2);
    fleet_advance(f, DURATION_S(3));
    f->nodes[0].cut = true;
    engine_refuses(f->nodes[0].engine, "one");
    fleet_advance(f, DURATION_S(3));
    engine_refuses(f->nodes[0].engine, "two");
    fleet_advance(f, DURATION_S(3));
    f->nodes[0].cut = false;
    fleet_advance(f, DURATION_S(15));
    row_is(f, 0, "live works v0 two by -: -");
    fleet_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_jobs_go_to_the_others),
        cmocka_unit_test(it_is_told_what_it_should_know),
        cmocka_unit_test(a_slot_that_waits_for_its_run),
        cmocka_unit_test(attempts_are_made_elsewhere),
        cmocka_unit_test(what_only_it_may_run_waits),
        cmocka_unit_test(a_slot_that_waits_for_others),
        cmocka_unit_test(a_backfill_goes_on_elsewhere),
        cmocka_unit_test(where_all_drain),
        cmocka_unit_test(where_all_drain_the_dead_are_found),
        cmocka_unit_test(its_successor_drains_as_well),
        cmocka_unit_test(a_wish_goes_to_another),
        cmocka_unit_test(nodes_say_which_definitions_they_execute),
        cmocka_unit_test(it_is_told_when_the_store_is_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
