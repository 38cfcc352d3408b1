// SPDX-License-Identifier: MIT
// Whatever becomes of the second connection, on which ends of runs go, each run ends once: the
// first one settles what it leaves.
#include "postgres_ends.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres_cluster.h"

// It hangs until its deadline: the first one writes the end. Woken, it finds that written.
static void a_connection_that_hangs_is_done_without(void **state)
{
    struct fleet *fleet = *state;
    struct ending ending;
    struct store_slot slot = ends_claim(fleet, 1000);
    int pid = ends_backend(fleet);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    ends_submit(fleet, &ending, &slot);
    ends_pump(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_OK);
    assert_false(ending.end.stale);
    store_op_release(&ending.finish.op);
    ends_once(fleet);
    (void)store_pump(fleet->nodes[0].store);
    assert_null(ends_store(fleet)->apart.store);
    assert_int_equal(kill(pid, SIGCONT), 0);
    char gone[120];
    snprintf(gone, sizeof gone,
             "select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid = %d", pid);
    free(postgres_cluster_psql(fleet->url, gone));
    ends_once(fleet);
}

static void a_session_that_is_ended_is_done_without(void **state)
{
    struct fleet *fleet = *state;
    struct ending ending;
    struct store_slot slot = ends_claim(fleet, 1000);
    char sql[80];
    int pid = ends_backend(fleet);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    ends_submit(fleet, &ending, &slot);
    ends_pump_a_while(fleet);
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%d)", pid);
    free(postgres_cluster_psql(fleet->url, sql));
    assert_int_equal(kill(pid, SIGCONT), 0);
    ends_pump(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_OK);
    store_op_release(&ending.finish.op);
    ends_once(fleet);
}

// With the first connection all is lost: nobody knows whether the end was written, and the same
// again says so.
static void both_are_lost_together(void **state)
{
    struct fleet *fleet = *state;
    struct ending ending;
    struct store_slot slot = ends_claim(fleet, 1000);
    char sql[80];
    int pid = ends_backend(fleet);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    ends_submit(fleet, &ending, &slot);
    ends_pump_a_while(fleet);
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%lld, 5000)",
             (long long)ends_store(fleet)->backend);
    free(postgres_cluster_psql(fleet->url, sql));
    ends_pump(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_UNKNOWN);
    assert_int_equal(kill(pid, SIGCONT), 0);
    ends_submit(fleet, &ending, &slot);
    ends_pump(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_OK);
    assert_false(ending.end.stale);
    store_op_release(&ending.finish.op);
    ends_once(fleet);
}

// Its answer was lost, and the job's next run is another node's: what has ended has no lock.
static void a_lock_is_only_demanded_for_runs_that_are_there(void **state)
{
    struct fleet *fleet = *state;
    struct postgres_store *store = ends_store(fleet);
    struct ending ending;
    struct error lost = ERROR_INIT;
    struct store_slot slot = ends_claim(fleet, 1000);
    struct store_slot next = fleet_slot(fleet, 2000, true);
    ends_submit(fleet, &ending, &slot);
    assert_int_equal(PQflush(store->connection), 0);
    ends_come_to(fleet, fleet_job_locks, "-");
    ends_come_to(fleet, "select count(*) from ironcron.run_ended", "1");
    assert_int_equal(contract_decide(&fleet->nodes[1], &next), VERDICT_CLAIMED);
    error_set(&lost, ERROR_UNAVAILABLE, "nothing comes back");
    link_lost(store->apart.store, &lost);
    ends_pump(fleet, &ending.finish.op);
    assert_int_equal(ending.finish.op.result, STORE_OK);
    assert_false(ending.end.stale);
    store_op_release(&ending.finish.op);
    store_settle(&store->store);
    assert_int_equal(store->link, LINK_UP);
    fleet_holds(fleet, fleet_job_locks, "node 1");
}

// What was acknowledged on it is known as well when it is gone.
static void its_last_end_is_the_witness(void **state)
{
    struct fleet *fleet = *state;
    struct postgres_store *store = ends_store(fleet);
    struct ending ending;
    struct error why = ERROR_INIT;
    struct store_slot slot = ends_claim(fleet, 1000);
    char sql[800];
    ends_submit(fleet, &ending, &slot);
    ends_pump(fleet, &ending.finish.op);
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

static void who_is_fenced_loses_both_sessions(void **state)
{
    struct fleet *fleet = *state;
    struct contract *other = &fleet->nodes[1];
    (void)ends_claim(fleet, 1000);
    ends_hold(fleet, "select from ironcron.run_started for update");
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
        ends_submit(fleet, &track->ending, &track->slot);
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
    struct postgres_store *store = ends_store(fleet);
    bool apart = number % 3 != 0 && store->apart.store != NULL;
    char sql[80];
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%lld)",
             (long long)(apart ? store->apart.store->backend : store->backend));
    free(postgres_cluster_try(fleet->url, sql));
}

static void each_run_ends_once_whatever_is_lost(void **state)
{
    struct fleet *fleet = *state;
    struct postgres_store *store = ends_store(fleet);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, ends_setup, fleet_teardown)

int main(void)
{
    postgres_cluster_start();
    const struct CMUnitTest tests[] = {
        TEST(a_connection_that_hangs_is_done_without),
        TEST(a_session_that_is_ended_is_done_without),
        TEST(both_are_lost_together),
        TEST(a_lock_is_only_demanded_for_runs_that_are_there),
        TEST(its_last_end_is_the_witness),
        TEST(who_is_fenced_loses_both_sessions),
        TEST(each_run_ends_once_whatever_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
