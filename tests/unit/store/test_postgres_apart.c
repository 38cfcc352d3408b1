// SPDX-License-Identifier: MIT
// While there is much to do, ends of runs go on a second connection: they keep their order with
// what they have to do with, and whatever becomes of that connection, the first one settles them.
#include "postgres_fleet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "postgres_cluster.h"
#include "store/postgres/postgres_private.h"

static int setup(void **state)
{
    (void)fleet_setup(state);
    struct fleet *fleet = *state;
    postgres_cluster_apart(fleet->nodes[0].store);
    return 0;
}

static struct postgres_store *store_of(struct fleet *fleet)
{
    return postgres_of(fleet->nodes[0].store);
}

static int apart_backend(struct fleet *fleet)
{
    return (int)store_of(fleet)->apart.store->backend;
}

// ---- operations ---------------------------------------------------------------------------------

struct ending {
    struct store_end end;
    struct store_op_finish finish;
};

static void submit_end(struct fleet *fleet, struct ending *ending, const struct store_slot *slot)
{
    ending->end =
        (struct store_end){.run_id = slot->run_id, .fence = slot->fence, .state = RUN_SUCCESS};
    ending->finish = (struct store_op_finish){.op = {.kind = STORE_FINISH, .done = fleet_ended},
                                              .node = fleet->nodes[0].node,
                                              .ends = &ending->end,
                                              .end_count = 1};
    store_submit(fleet->nodes[0].store, &ending->finish.op);
}

static struct store_slot claim(struct fleet *fleet, int64_t due_ms)
{
    struct store_slot slot = fleet_slot(fleet, due_ms, true);
    assert_int_equal(contract_decide(&fleet->nodes[0], &slot), VERDICT_CLAIMED);
    return slot;
}

static void pump_until_over(struct fleet *fleet, const struct store_op *op)
{
    fleet_pump(fleet, op, op);
}

static void pump_a_while(struct fleet *fleet)
{
    for (int i = 0; i < 100; i++) {
        (void)store_pump(fleet->nodes[0].store);
        usleep(1000);
    }
}

// What is done to the rows meanwhile needs no pump.
static void comes_to(struct fleet *fleet, const char *sql, const char *expected)
{
    bool come = false;
    for (int tries = 0; tries < 2000 && !come; tries++) {
        char *found = postgres_cluster_psql(fleet->url, sql);
        found[strcspn(found, "\n")] = '\0';
        come = strcmp(found, expected) == 0;
        free(found);
        usleep(5000);
    }
    assert_true(come);
}

static void is_ended_once(struct fleet *fleet)
{
    store_settle(fleet->nodes[0].store);
    fleet_holds(fleet, fleet_job_locks, "-");
    fleet_holds(fleet,
                "select string_agg(event, ',' order by event) from ironcron.audit_log "
                "where run_id is not null",
                "STARTED,SUCCESS");
}

// ---- tests --------------------------------------------------------------------------------------

static void an_end_goes_apart_and_its_lock_goes_with_it(void **state)
{
    struct fleet *fleet = *state;
    struct ending ending;
    struct store_slot slot = claim(fleet, 1000);
    fleet_holds(fleet, fleet_job_locks, "node 0");
    submit_end(fleet, &ending, &slot);
    pump_until_over(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_OK);
    assert_false(ending.end.stale);
    store_op_release(&ending.finish.op);
    is_ended_once(fleet);
    char sql[160];
    snprintf(sql, sizeof sql,
             "select query like '%%ironcron.finish(%%' from pg_stat_activity where pid = %d",
             apart_backend(fleet));
    fleet_holds(fleet, sql, "t");
}

// The next slot of the job whose run is ending waits, since it would be one too many; that of
// another job does not.
static void a_claim_waits_for_the_end_of_its_own_job_only(void **state)
{
    struct fleet *fleet = *state;
    struct ending ending;
    struct store_slot slot = claim(fleet, 1000);
    struct store_slot next = fleet_slot(fleet, 2000, true);
    struct store_slot other = fleet_slot(fleet, 2000, true);
    next.skip_on_overlap = true;
    other.job_id = contract_publish(&fleet->nodes[0], "b", "s");
    struct store_op_decide first = fleet_decide(&fleet->nodes[0], &other);
    struct store_op_decide second = fleet_decide(&fleet->nodes[0], &next);
    assert_int_equal(kill(apart_backend(fleet), SIGSTOP), 0);
    submit_end(fleet, &ending, &slot);
    store_submit(fleet->nodes[0].store, &first.op);
    store_submit(fleet->nodes[0].store, &second.op);
    pump_until_over(fleet, &first.op);
    assert_int_equal(other.verdict, VERDICT_CLAIMED);
    pump_a_while(fleet);
    assert_true(second.op.done != NULL && ending.finish.op.done != NULL);
    assert_int_equal(kill(apart_backend(fleet), SIGCONT), 0);
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
    struct store_slot slot = claim(fleet, 1000);
    struct store_op_marks marks = {.op = {.kind = STORE_MARKS, .done = fleet_ended},
                                   .marks = &(struct store_mark){.job_id = fleet->job},
                                   .mark_count = 1};
    struct store_op_marks before = marks;
    before.marks = &(struct store_mark){.job_id = fleet->job};
    assert_int_equal(kill(apart_backend(fleet), SIGSTOP), 0);
    store_submit(fleet->nodes[0].store, &before.op);
    submit_end(fleet, &ending, &slot);
    store_submit(fleet->nodes[0].store, &marks.op);
    pump_until_over(fleet, &before.op);
    pump_a_while(fleet);
    assert_true(marks.op.done != NULL);
    assert_int_equal(kill(apart_backend(fleet), SIGCONT), 0);
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
    pump_a_while(fleet);
    for (int i = 0; i < STREAMS; i++) {
        streams[i].waits = &marks.op;
    }
    store_submit(store, &marks.op);
    pump_until_over(fleet, &marks.op);
    store_settle(store);
    assert_in_range(overtaking, 1, STREAMS);
    for (int i = 0; i < STREAMS; i++) {
        assert_null(streams[i].finish.op.done);
        store_op_release(&streams[i].finish.op);
    }
    store_op_release(&marks.op);
}

// It hangs until its deadline: the first one writes the end. Woken, it finds that written.
static void a_connection_that_hangs_is_done_without(void **state)
{
    struct fleet *fleet = *state;
    struct ending ending;
    struct store_slot slot = claim(fleet, 1000);
    int pid = apart_backend(fleet);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    submit_end(fleet, &ending, &slot);
    pump_until_over(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_OK);
    assert_false(ending.end.stale);
    store_op_release(&ending.finish.op);
    is_ended_once(fleet);
    (void)store_pump(fleet->nodes[0].store);
    assert_null(store_of(fleet)->apart.store);
    assert_int_equal(kill(pid, SIGCONT), 0);
    char gone[120];
    snprintf(gone, sizeof gone,
             "select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid = %d", pid);
    free(postgres_cluster_psql(fleet->url, gone));
    is_ended_once(fleet);
}

static void a_session_that_is_ended_is_done_without(void **state)
{
    struct fleet *fleet = *state;
    struct ending ending;
    struct store_slot slot = claim(fleet, 1000);
    char sql[80];
    int pid = apart_backend(fleet);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    submit_end(fleet, &ending, &slot);
    pump_a_while(fleet);
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%d)", pid);
    free(postgres_cluster_psql(fleet->url, sql));
    assert_int_equal(kill(pid, SIGCONT), 0);
    pump_until_over(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_OK);
    store_op_release(&ending.finish.op);
    is_ended_once(fleet);
}

// With the first connection all is lost: nobody knows whether the end was written, and the same
// again says so.
static void both_are_lost_together(void **state)
{
    struct fleet *fleet = *state;
    struct ending ending;
    struct store_slot slot = claim(fleet, 1000);
    char sql[80];
    int pid = apart_backend(fleet);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    submit_end(fleet, &ending, &slot);
    pump_a_while(fleet);
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%lld, 5000)",
             (long long)store_of(fleet)->backend);
    free(postgres_cluster_psql(fleet->url, sql));
    pump_until_over(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_UNKNOWN);
    assert_int_equal(kill(pid, SIGCONT), 0);
    submit_end(fleet, &ending, &slot);
    pump_until_over(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_OK);
    assert_false(ending.end.stale);
    store_op_release(&ending.finish.op);
    is_ended_once(fleet);
}

// Its answer was lost, and the job's next run is another node's: what has ended has no lock any more.
static void a_lock_is_only_demanded_for_runs_that_are_there(void **state)
{
    struct fleet *fleet = *state;
    struct postgres_store *store = store_of(fleet);
    struct ending ending;
    struct error lost = ERROR_INIT;
    struct store_slot slot = claim(fleet, 1000);
    struct store_slot next = fleet_slot(fleet, 2000, true);
    submit_end(fleet, &ending, &slot);
    assert_int_equal(PQflush(store->connection), 0);
    comes_to(fleet, fleet_job_locks, "-");
    comes_to(fleet, "select count(*) from ironcron.run_ended", "1");
    assert_int_equal(contract_decide(&fleet->nodes[1], &next), VERDICT_CLAIMED);
    error_set(&lost, ERROR_UNAVAILABLE, "nothing comes back");
    link_lost(store->apart.store, &lost);
    pump_until_over(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_OK);
    assert_false(ending.end.stale);
    store_op_release(&ending.finish.op);
    store_settle(&store->store);
    assert_int_equal(store->link, LINK_UP);
    fleet_holds(fleet, fleet_job_locks, "node 1");
}

// An end that somebody's transaction holds up comes back undone, and its lock stays.
static void an_end_that_has_to_wait_keeps_its_lock(void **state)
{
    struct fleet *fleet = *state;
    struct ending ending;
    struct store_slot slot = claim(fleet, 1000);
    postgres_cluster_background(fleet->url, "begin; select from ironcron.job where name = 'a' for "
                                            "update; select pg_sleep(600)");
    submit_end(fleet, &ending, &slot);
    pump_until_over(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_OK);
    assert_true(ending.end.later);
    assert_non_null(strstr(ending.end.holder, "(background"));
    store_op_release(&ending.finish.op);
    store_settle(fleet->nodes[0].store);
    fleet_holds(fleet, fleet_job_locks, "node 0");
    free(postgres_cluster_psql(fleet->url, "select pg_terminate_backend(pid, 5000) from "
                                           "pg_stat_activity where application_name = "
                                           "'background'"));
    submit_end(fleet, &ending, &slot);
    pump_until_over(fleet, &ending.finish.op);
    assert_false(ending.end.later || ending.end.stale);
    store_op_release(&ending.finish.op);
    is_ended_once(fleet);
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

// What was acknowledged on it is known as well when it is gone.
static void its_last_end_is_the_witness(void **state)
{
    struct fleet *fleet = *state;
    struct postgres_store *store = store_of(fleet);
    struct ending ending;
    struct error why = ERROR_INIT;
    struct store_slot slot = claim(fleet, 1000);
    char sql[800];
    submit_end(fleet, &ending, &slot);
    pump_until_over(fleet, &ending.finish.op);
    store_op_release(&ending.finish.op);
    store_settle(&store->store);
    store->apart.used_at.us -= 11 * 1000000;
    (void)store_pump(&store->store);
    assert_null(store->apart.store);
    snprintf(sql, sizeof sql,
             "with e as (delete from ironcron.run_ended returning *) insert into "
             "ironcron.run_started (run_id, fence, job_id, job, due_at, started_at, node_no, "
             "attempt, trigger) select run_id, fence, job_id, 'a', due_at, started_at, node_no, "
             "attempt, trigger from e; select pg_terminate_backend(%lld, 5000)",
             (long long)store->backend);
    free(postgres_cluster_psql(fleet->url, sql));
    for (int i = 0; i < 2; i++) { // the first one learns that the connection is gone
        struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = fleet->nodes[0].node};
        assert_false(store_call(&store->store, &beat.op, &why));
    }
    assert_true(postgres_store_is_behind(&store->store, &why));
    assert_non_null(strstr(why.text, "the end of run "));
}

// As if it was amid an end.
static void has_in_hand(struct fleet *fleet, const char *sql)
{
    PGconn *connection = store_of(fleet)->apart.store->connection;
    assert_int_equal(PQsendQueryParams(connection, "begin", 0, NULL, NULL, NULL, NULL, 0), 1);
    assert_int_equal(PQsendQueryParams(connection, sql, 0, NULL, NULL, NULL, NULL, 0), 1);
    assert_int_equal(PQpipelineSync(connection), 1);
    assert_int_equal(PQflush(connection), 0);
    comes_to(fleet,
             "select count(*) from pg_stat_activity where state = 'idle in transaction' and "
             "datname = current_database()",
             "1");
}

static void who_is_fenced_loses_both_sessions(void **state)
{
    struct fleet *fleet = *state;
    struct contract *other = &fleet->nodes[1];
    (void)claim(fleet, 1000);
    has_in_hand(fleet, "select from ironcron.run_started for update");
    fleet_make_overdue(fleet, 0);
    struct store_op_fence fence = {
        .op.kind = STORE_FENCE, .node = other->node, .fencing_id = contract_id(other)};
    CALL_OK(other, &fence);
    assert_int_equal(fence.fenced_count, 1);
    assert_int_equal(fence.lost_count, 1);
    store_op_release(&fence.op);
    fleet_holds(fleet, fleet_node_locks, "node 1,node 2");
    fleet_holds(fleet,
                "select count(*) from pg_stat_activity where application_name like 'ironcron/%'",
                "0");
}

// Nobody is asked to end the session of a node that lives.
static void a_nodes_session_is_no_stranger(void **state)
{
    struct fleet *fleet = *state;
    struct store_slot slot = fleet_slot(fleet, 1000, true);
    struct store_op_decide decide = fleet_decide(&fleet->nodes[1], &slot);
    has_in_hand(fleet, "select from ironcron.job for update");
    CALL_OK(&fleet->nodes[1], &decide);
    assert_int_equal(slot.verdict, VERDICT_LOCKED);
    assert_null(slot.holder);
    store_op_release(&decide.op);
}

static void an_idle_node_has_one_connection(void **state)
{
    struct fleet *fleet = *state;
    struct postgres_store *store = store_of(fleet);
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
    struct postgres_store *store = store_of(fleet);
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
    pump_until_over(fleet, &beat.op);
    fleet_pump(fleet, &finish[0].op, &finish[1].op);
    store_settle(&store->store);
    assert_int_equal(store->apart.store->link, LINK_UP);
    store_op_release(&beat.op);
    store_op_release(&finish[0].op);
    store_op_release(&finish[1].op);
}

// ---- whatever is lost, and when -----------------------------------------------------------------

#define TRACKS 6  // jobs that begin and end one run after the other …
#define LOSSES 20 // … until so many sessions were ended, of either connection

struct track {
    struct store_slot slot;
    struct store_op_decide decide;
    struct ending ending;
    bool ends; // the run is there, its end is on its way
    int done;
};

static void begin_next(struct fleet *fleet, struct track *track)
{
    int64_t job_id = track->slot.job_id;
    track->slot = fleet_slot(fleet, (track->done + 1) * 1000, true);
    track->slot.job_id = job_id;
    track->decide = fleet_decide(&fleet->nodes[0], &track->slot);
    track->ends = false;
    store_submit(fleet->nodes[0].store, &track->decide.op);
}

// What is not known or not done comes again.
static void go_on(struct fleet *fleet, struct track *track, bool to_the_end)
{
    struct store_op *op = track->ends ? &track->ending.finish.op : &track->decide.op;
    if (op->done != NULL) { // on its way
        return;
    }
    if (op->result != STORE_OK) {
        assert_int_not_equal(op->result, STORE_REFUSED);
        op->done = fleet_ended;
        store_submit(fleet->nodes[0].store, op);
    } else if (!track->ends) {
        assert_int_equal(track->slot.verdict, VERDICT_CLAIMED);
        store_op_release(op);
        track->ends = true;
        submit_end(fleet, &track->ending, &track->slot);
    } else if (!to_the_end) {
        assert_false(track->ending.end.stale || track->ending.end.later);
        store_op_release(op);
        track->done++;
        begin_next(fleet, track);
    }
}

static bool all_rest(const struct track *tracks)
{
    for (int i = 0; i < TRACKS; i++) {
        const struct store_op *op = &tracks[i].ending.finish.op;
        if (!tracks[i].ends || op->done != NULL || op->result != STORE_OK) {
            return false;
        }
    }
    return true;
}

static void lose_a_session(struct fleet *fleet, int number)
{
    struct postgres_store *store = store_of(fleet);
    bool apart = number % 3 != 0 && store->apart.store != NULL;
    char sql[80];
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%lld)",
             (long long)(apart ? store->apart.store->backend : store->backend));
    free(postgres_cluster_try(fleet->url, sql));
}

static void each_run_ends_once_whatever_is_lost(void **state)
{
    struct fleet *fleet = *state;
    struct postgres_store *store = store_of(fleet);
    struct track tracks[TRACKS] = {{.done = 0}};
    char name[] = "b";
    int losses = 0;
    int done = 0;
    for (int i = 0; i < TRACKS; i++, name[0]++) {
        tracks[i].slot.job_id = contract_publish(&fleet->nodes[0], name, "s");
        begin_next(fleet, &tracks[i]);
    }
    for (int turn = 1; losses < LOSSES || !all_rest(tracks); turn++) {
        for (int i = 0; i < TRACKS; i++) {
            go_on(fleet, &tracks[i], losses == LOSSES);
        }
        if (store->link == LINK_UP && store->apart.store == NULL) {
            apart_open(store); // at once again
        }
        (void)store_pump(&store->store);
        if (turn % 40 == 0 && losses < LOSSES) {
            lose_a_session(fleet, ++losses);
        }
        (void)store_wait(&store->store, 1);
    }
    store_settle(&store->store);
    for (int i = 0; i < TRACKS; i++) {
        assert_false(tracks[i].ending.end.stale);
        store_op_release(&tracks[i].ending.finish.op);
        done += tracks[i].done + 1;
    }
    fleet_holds(fleet, fleet_job_locks, "-");
    char expected[80];
    snprintf(expected, sizeof expected, "%d|%d|%d|0", done, done, done);
    fleet_holds(fleet,
                "select count(*) filter (where event = 'STARTED'), "
                "count(*) filter (where event = 'SUCCESS'), "
                "count(distinct run_id) filter (where event = 'SUCCESS'), "
                "count(*) filter (where event = 'STALE') from ironcron.audit_log",
                expected);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fleet_teardown)

int main(void)
{
    postgres_cluster_start();
    const struct CMUnitTest tests[] = {
        TEST(an_end_goes_apart_and_its_lock_goes_with_it),
        TEST(a_claim_waits_for_the_end_of_its_own_job_only),
        TEST(all_else_keeps_its_order),
        TEST(what_waits_for_ends_waits_for_those_before_it),
        TEST(a_connection_that_hangs_is_done_without),
        TEST(a_session_that_is_ended_is_done_without),
        TEST(both_are_lost_together),
        TEST(a_lock_is_only_demanded_for_runs_that_are_there),
        TEST(an_end_that_has_to_wait_keeps_its_lock),
        TEST(another_server_is_not_worked_on),
        TEST(its_last_end_is_the_witness),
        TEST(who_is_fenced_loses_both_sessions),
        TEST(a_nodes_session_is_no_stranger),
        TEST(an_idle_node_has_one_connection),
        TEST(each_run_ends_once_whatever_is_lost),
        cmocka_unit_test_setup_teardown(many_ends_open_it, fleet_setup, fleet_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
