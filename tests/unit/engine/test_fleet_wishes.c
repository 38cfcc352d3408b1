// SPDX-License-Identifier: MIT
// What operators wish of a fleet: who carries it out, and who when that one dies.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "fleet.h"

#define START "2026-03-10T00:00:30Z"
#define BACKFILL_OF_TWO                                                                            \
    "{\"force\":\"true\",\"from\":\"2026-03-10T00:01:00Z\",\"to\":\"2026-03-10T00:02:00Z\"}"

// A wish is carried out once, by the first for its job; where that one hangs, by the next.
static void a_wish_is_carried_out_once(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "0 0 1 1 *");
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(5));
    struct store_intent wish = {.kind = INTENT_RUN, .job = "a"};
    struct uuid id = fleet_wish(f, &wish);
    fleet_advance(f, DURATION_S(2));
    assert_int_equal(fleet_count(f, "a", -1), 1);
    assert_memory_equal(fleet_answer(f, id), "DONE", 4);
    f->nodes[fleet_runner(f, "a")].hung = true;
    id = fleet_wish(f, &wish);
    fleet_advance(f, DURATION_S(4));
    assert_int_equal(fleet_count(f, "a", -1), 2);
    assert_memory_equal(fleet_answer(f, id), "DONE", 4);
    fleet_free(f);
}

// A run is cancelled where it is; a job wherever it runs; what is nowhere is refused.
static void cancelling(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "0 0 1 1 *")->overlap = JOB_OVERLAP_ALLOW;
    f->takes = DURATION_S(3000);
    fleet_start_all(f, 3);
    struct uuid run = fleet_wish_run(f, "a");
    fleet_advance(f, DURATION_S(3));
    int first = fleet_runner(f, "a");
    fleet_drain(f, first); // the next one runs elsewhere
    fleet_advance(f, DURATION_S(2));
    fleet_wish_run(f, "a");
    fleet_advance(f, DURATION_S(3));
    assert_int_not_equal(fleet_runner(f, "a"), first);
    struct store_intent one = {.kind = INTENT_CANCEL, .run_id = run};
    struct store_intent all = {.kind = INTENT_CANCEL, .job = "a"};
    struct uuid id = fleet_wish(f, &all);
    fleet_advance(f, DURATION_S(4));
    fleet_leave(f, first); // nothing is left to it
    fleet_advance(f, DURATION_S(2));
    assert_string_equal(fleet_answer(f, id), "DONE 1 run told to end");
    assert_int_equal(f->ended[RUN_CANCELLED], 2);
    id = fleet_wish(f, &one);
    struct uuid other = fleet_wish(f, &all);
    fleet_advance(f, DURATION_S(10));
    assert_memory_equal(fleet_answer(f, id), "REFUSED", 7);
    assert_memory_equal(fleet_answer(f, other), "REFUSED", 7);
    fleet_free(f);
}

// What a node that stops still runs can be ended, however long it may take to stop.
static void cancelling_where_a_node_stops(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "0 0 1 1 *");
    f->takes = DURATION_S(3000);
    fleet_start_all(f, 3);
    struct uuid run = fleet_wish_run(f, "a");
    fleet_advance(f, DURATION_S(3));
    fleet_drain(f, fleet_runner(f, "a"));
    fleet_advance(f, DURATION_S(2));
    run = fleet_wish(f, &(struct store_intent){.kind = INTENT_CANCEL, .run_id = run});
    fleet_advance(f, DURATION_S(5));
    assert_string_equal(fleet_answer(f, run), "DONE 1 run told to end");
    assert_int_equal(f->ended[RUN_CANCELLED], 1);
    fleet_free(f);
}

// Each node has files of its own, so that it matters who reads them.
static void a_reload_is_for_the_node_that_is_named(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "0 0 1 1 *");
    fleet_start_all(f, 3);
    for (int named = 0; named < 3; named++) {
        struct uuid intent = fleet_wish_of_node(f, INTENT_RELOAD, f->nodes[named].id);
        fleet_advance(f, DURATION_S(3));
        for (int i = 0; i < 3; i++) {
            assert_int_equal(engine_wants_reload(f->nodes[i].engine), i == named);
        }
        engine_reload_begins(f->nodes[named].engine);
        engine_reload_done(f->nodes[named].engine, NULL);
        fleet_advance(f, DURATION_S(1));
        assert_memory_equal(fleet_answer(f, intent), "DONE", 4);
    }
    fleet_free(f);
}

// A wish that a dead node had taken: who fences that one may not be one that may carry it out.
static void labels_bind_what_was_wished(void **state)
{
    (void)state;
    const struct job_variable eu[] = {{"region", "eu"}, {NULL, NULL}};
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1,2 0 * * *")->nodes = eu;
    f->nodes[0].labels = f->nodes[3].labels = "{\"region\":\"eu\"}";
    fleet_start_all(f, 3);
    fleet_advance(f, DURATION_S(120)); // 00:02:30
    f->takes = DURATION_S(3000);
    struct uuid id = fleet_wish(
        f, &(struct store_intent){.kind = INTENT_BACKFILL, .job = "a", .params = BACKFILL_OF_TWO});
    fleet_advance(f, DURATION_S(5));
    assert_int_equal(f->run_count, 3);
    f->takes = DURATION_S(1);
    fleet_kill(f, 0);
    fleet_start(f, 3); // the only one that may
    fleet_advance(f, DURATION_S(110));
    assert_string_equal(fleet_answer(f, id),
                        "DONE {\"failed\":1,\"passed_over\":0,\"slots\":2,\"succeeded\":1}");
    assert_int_equal(fleet_count(f, "a", 3), 1);
    fleet_free(f);
}

// Of a job's backfills one goes on in the whole fleet; another node resumes it when its own dies.
static void one_backfill_of_a_job(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "1,2 0 * * *");
    fleet_start_all(f, 2);
    fleet_advance(f, DURATION_S(120));
    f->takes = DURATION_S(3000);
    struct store_intent wish = {.kind = INTENT_BACKFILL, .job = "a", .params = BACKFILL_OF_TWO};
    struct uuid first = fleet_wish(f, &wish);
    fleet_advance(f, DURATION_S(5));
    assert_int_equal(f->run_count, 3);
    int carrier = f->runs[2].node;
    f->nodes[carrier].hung = true; // the other one takes the next wish
    struct uuid second = fleet_wish(f, &wish);
    fleet_advance(f, DURATION_S(6));
    char id[UUID_TEXT_SIZE];
    char refused[200];
    uuid_format(first, id);
    snprintf(refused, sizeof refused, "REFUSED a backfill of this job is going on (%s);", id);
    assert_memory_equal(fleet_answer(f, second), refused, strlen(refused));
    f->takes = DURATION_S(1);
    fleet_kill(f, carrier);
    fleet_advance(f, DURATION_S(120));
    assert_string_equal(fleet_answer(f, first),
                        "DONE {\"failed\":1,\"passed_over\":0,\"slots\":2,\"succeeded\":1}");
    assert_int_equal(f->run_count, 4);
    assert_int_equal(f->runs[3].node, 1 - carrier);
    fleet_free(f);
}

// For a node that cannot execute the definitions in force no wish waits for ever, whether it has
// taken it or nobody else will; what another one can do, that one does.
static void what_nobody_can_execute_is_refused(void **state)
{
    (void)state;
    static const char in_vain[] = "REFUSED no node that executes the definitions in force took it,";
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "0 0 1 1 *");
    fleet_start(f, 0);
    fleet_publish(f);
    fleet_advance(f, DURATION_S(5));
    f->stays_behind = true;
    fleet_job(f, "b", "0 0 1 1 *");
    fleet_publish(f);
    fleet_advance(f, DURATION_S(3));
    engine_refuses(f->nodes[0].engine, "no curl here");
    struct uuid id = fleet_wish_run(f, "a");
    fleet_advance(f, DURATION_S(15));
    assert_memory_equal(fleet_answer(f, id), in_vain, sizeof in_vain - 1);
    fleet_start(f, 1); // with the definitions in force
    fleet_advance(f, DURATION_S(5));
    id = fleet_wish_run(f, "a");
    fleet_advance(f, DURATION_S(15));
    assert_memory_equal(fleet_answer(f, id), "DONE", 4);
    assert_int_equal(fleet_count(f, "a", 1), 1);
    id = fleet_wish_run(f, "a");
    struct error err = ERROR_INIT;
    struct store_op_intent_own own = {
        .op.kind = STORE_INTENT_OWN, .node = f->nodes[0].id, .intent_id = id};
    assert_true(store_call(f->store, &own.op, &err) && own.own);
    store_op_release(&own.op);
    fleet_advance(f, DURATION_S(5));
    assert_memory_equal(fleet_answer(f, id), in_vain, sizeof in_vain - 1);
    assert_int_equal(f->run_count, 1);
    fleet_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wish_is_carried_out_once),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(cancelling_where_a_node_stops),
        cmocka_unit_test(a_reload_is_for_the_node_that_is_named),
        cmocka_unit_test(labels_bind_what_was_wished),
        cmocka_unit_test(one_backfill_of_a_job),
        cmocka_unit_test(what_nobody_can_execute_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
