// SPDX-License-Identifier: MIT
// While there is much to do, ends of runs go on a second connection: they keep their order with
// what they have to do with.
#include "postgres_ends.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres_cluster.h"

static void an_end_goes_apart_and_its_lock_goes_with_it(void **state)
{
    struct fleet *fleet = *state;
    struct ending ending;
    struct store_slot slot = ends_claim(fleet, 1000);
    fleet_holds(fleet, fleet_job_locks, "node 0");
    ends_submit(fleet, &ending, &slot);
    ends_pump(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_OK);
    assert_false(ending.end.stale);
    store_op_release(&ending.finish.op);
    ends_once(fleet);
    char sql[160];
    snprintf(sql, sizeof sql,
             "select query like '%%ironcron.finish(%%' from pg_stat_activity where pid = %d",
             ends_backend(fleet));
    fleet_holds(fleet, sql, "t");
}

// The next slot of the job whose run is ending waits, since it would be one too many; that of
// another job does not.
static void a_claim_waits_for_the_end_of_its_own_job_only(void **state)
{
    struct fleet *fleet = *state;
    struct ending ending;
    struct store_slot slot = ends_claim(fleet, 1000);
    struct store_slot next = fleet_slot(fleet, 2000, true);
    struct store_slot other = fleet_slot(fleet, 2000, true);
    next.skip_on_overlap = true;
    other.job_id = contract_publish(&fleet->nodes[0], "b", "s");
    struct store_op_decide first = fleet_decide(&fleet->nodes[0], &other);
    struct store_op_decide second = fleet_decide(&fleet->nodes[0], &next);
    assert_int_equal(kill(ends_backend(fleet), SIGSTOP), 0);
    ends_submit(fleet, &ending, &slot);
    store_submit(fleet->nodes[0].store, &first.op);
    store_submit(fleet->nodes[0].store, &second.op);
    ends_pump(fleet, &first.op);
    assert_int_equal(other.verdict, VERDICT_CLAIMED);
    ends_pump_a_while(fleet);
    assert_true(second.op.done != NULL && ending.finish.op.done != NULL);
    assert_int_equal(kill(ends_backend(fleet), SIGCONT), 0);
    fleet_pump(fleet, &ending.finish.op, &second.op);
    assert_int_equal(ending.finish.op.result, STORE_OK);
    assert_int_equal(next.verdict, VERDICT_CLAIMED);
    store_op_release(&first.op);
    store_op_release(&second.op);
    store_op_release(&ending.finish.op);
}

// Nothing but claims, signs of life and seals goes before an end that was submitted earlier, and no
// end before what was.
static void all_else_keeps_its_order(void **state)
{
    struct fleet *fleet = *state;
    struct ending ending;
    struct store_slot slot = ends_claim(fleet, 1000);
    struct store_op_marks marks = {.op = {.kind = STORE_MARKS, .done = fleet_ended},
                                   .marks = &(struct store_mark){.job_id = fleet->job},
                                   .mark_count = 1};
    struct store_op_marks before = marks;
    before.marks = &(struct store_mark){.job_id = fleet->job};
    assert_int_equal(kill(ends_backend(fleet), SIGSTOP), 0);
    store_submit(fleet->nodes[0].store, &before.op);
    ends_submit(fleet, &ending, &slot);
    store_submit(fleet->nodes[0].store, &marks.op);
    ends_pump(fleet, &before.op);
    ends_pump_a_while(fleet);
    assert_true(marks.op.done != NULL);
    assert_int_equal(kill(ends_backend(fleet), SIGCONT), 0);
    fleet_pump(fleet, &ending.finish.op, &marks.op);
    assert_true(before.marks[0].running);
    assert_false(marks.marks[0].running);
    store_op_release(&before.op);
    store_op_release(&marks.op);
    store_op_release(&ending.finish.op);
}

#define STREAMS 20 // more than are sent at once

// Ends without a pause: each one's answer brings the next.
struct stream {
    struct store_op_finish finish;
    struct store *store;
    const struct store_op *waits; // NULL = nothing does yet
    int *overtaking;              // ends since then
};

static void stream_goes_on(struct store_op *op)
{
    struct stream *stream = CONTAINER_OF(op, struct stream, finish.op);
    assert_int_equal(op->result, STORE_OK);
    op->done = NULL;
    if (stream->waits != NULL && stream->waits->done == NULL) {
        return;
    }
    *stream->overtaking += stream->waits != NULL ? 1 : 0;
    op->done = stream_goes_on;
    store_submit(stream->store, op);
}

static void what_waits_for_ends_waits_for_those_before_it(void **state)
{
    struct fleet *fleet = *state;
    struct store *store = fleet->nodes[0].store;
    struct stream streams[STREAMS] = {{.store = NULL}};
    struct store_op_marks marks = {.op = {.kind = STORE_MARKS, .done = fleet_ended},
                                   .marks = &(struct store_mark){.job_id = fleet->job},
                                   .mark_count = 1};
    int overtaking = 0;
    for (int i = 0; i < STREAMS; i++) {
        streams[i] =
            (struct stream){.finish = {.op = {.kind = STORE_FINISH, .done = stream_goes_on},
                                       .node = fleet->nodes[0].node},
                            .store = store,
                            .overtaking = &overtaking};
        store_submit(store, &streams[i].finish.op);
    }
    ends_pump_a_while(fleet);
    for (int i = 0; i < STREAMS; i++) {
        streams[i].waits = &marks.op;
    }
    store_submit(store, &marks.op);
    ends_pump(fleet, &marks.op);
    store_settle(store);
    assert_in_range(overtaking, 1, STREAMS);
    for (int i = 0; i < STREAMS; i++) {
        assert_null(streams[i].finish.op.done);
        store_op_release(&streams[i].finish.op);
    }
    store_op_release(&marks.op);
}

// An end that somebody's transaction holds up comes back undone, and its lock stays.
static void an_end_that_has_to_wait_keeps_its_lock(void **state)
{
    struct fleet *fleet = *state;
    struct ending ending;
    struct store_slot slot = ends_claim(fleet, 1000);
    postgres_cluster_background(fleet->url, "begin; select from ironcron.job where name = 'a' for "
                                            "update; select pg_sleep(600)");
    ends_submit(fleet, &ending, &slot);
    ends_pump(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_OK);
    assert_true(ending.end.later);
    assert_non_null(strstr(ending.end.holder, "(background"));
    store_op_release(&ending.finish.op);
    store_settle(fleet->nodes[0].store);
    fleet_holds(fleet, fleet_job_locks, "node 0");
    free(postgres_cluster_psql(fleet->url, "select pg_terminate_backend(pid, 5000) from "
                                           "pg_stat_activity where application_name = "
                                           "'background'"));
    ends_submit(fleet, &ending, &slot);
    ends_pump(fleet, &ending.finish.op);
    assert_false(ending.end.later || ending.end.stale);
    store_op_release(&ending.finish.op);
    ends_once(fleet);
}

// Nobody is asked to end the session of a node that lives.
static void a_nodes_session_is_no_stranger(void **state)
{
    struct fleet *fleet = *state;
    struct store_slot slot = fleet_slot(fleet, 1000, true);
    struct store_op_decide decide = fleet_decide(&fleet->nodes[1], &slot);
    ends_hold(fleet, "select from ironcron.job for update");
    CALL_OK(&fleet->nodes[1], &decide);
    assert_int_equal(slot.verdict, VERDICT_LOCKED);
    assert_null(slot.holder);
    store_op_release(&decide.op);
}

static void another_server_is_not_worked_on(void **state)
{
    struct fleet *fleet = *state;
    struct store *store = fleet->nodes[1].store;
    postgres_of(store)->found.up_since--; // as if it was one before that
    apart_open(postgres_of(store));
    store_settle(store);
    (void)store_pump(store);
    assert_null(postgres_of(store)->apart.store);
}

static void an_idle_node_has_one_connection(void **state)
{
    struct fleet *fleet = *state;
    struct postgres_store *store = ends_store(fleet);
    (void)store_pump(&store->store);
    assert_non_null(store->apart.store);
    store->apart.used_at.us -= 11 * 1000000;
    (void)store_pump(&store->store);
    assert_null(store->apart.store);
}

#define MANY STORE_BATCH_MAX

static void claim_many(struct fleet *fleet, struct store_slot *slots, int64_t from_ms)
{
    for (int i = 0; i < MANY; i++) {
        slots[i] = fleet_slot(fleet, from_ms + i, false);
    }
    struct store_op_decide decide = fleet_decide(&fleet->nodes[0], slots);
    decide.slot_count = MANY;
    CALL_OK(&fleet->nodes[0], &decide);
    store_op_release(&decide.op);
}

// As many as that on a connection that is at work, in a second.
static void many_ends_open_it(void **state)
{
    static struct store_slot slots[2][MANY];
    static struct store_end ends[2][MANY];
    struct store_op_finish finish[2];
    struct fleet *fleet = *state;
    struct postgres_store *store = ends_store(fleet);
    for (int i = 0; i < 2; i++) {
        claim_many(fleet, slots[i], (i + 1) * 10000);
        for (int j = 0; j < MANY; j++) {
            ends[i][j] = (struct store_end){
                .run_id = slots[i][j].run_id, .fence = slots[i][j].fence, .state = RUN_SUCCESS};
        }
        finish[i] = (struct store_op_finish){.op = {.kind = STORE_FINISH, .done = fleet_ended},
                                             .node = fleet->nodes[0].node,
                                             .ends = ends[i],
                                             .end_count = MANY};
    }
    struct store_op_beat beat = {.op = {.kind = STORE_BEAT, .done = fleet_ended},
                                 .node = fleet->nodes[0].node};
    store_submit(&store->store, &beat.op);
    store_submit(&store->store, &finish[0].op);
    assert_null(store->apart.store);
    store_submit(&store->store, &finish[1].op);
    assert_non_null(store->apart.store);
    ends_pump(fleet, &beat.op);
    fleet_pump(fleet, &finish[0].op, &finish[1].op);
    store_settle(&store->store);
    assert_int_equal(store->apart.store->link, LINK_UP);
    store_op_release(&beat.op);
    store_op_release(&finish[0].op);
    store_op_release(&finish[1].op);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, ends_setup, fleet_teardown)

int main(void)
{
    postgres_cluster_start();
    const struct CMUnitTest tests[] = {
        TEST(an_end_goes_apart_and_its_lock_goes_with_it),
        TEST(a_claim_waits_for_the_end_of_its_own_job_only),
        TEST(all_else_keeps_its_order),
        TEST(what_waits_for_ends_waits_for_those_before_it),
        TEST(an_end_that_has_to_wait_keeps_its_lock),
        TEST(a_nodes_session_is_no_stranger),
        TEST(another_server_is_not_worked_on),
        TEST(an_idle_node_has_one_connection),
        cmocka_unit_test_setup_teardown(many_ends_open_it, fleet_setup, fleet_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
