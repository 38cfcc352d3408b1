// SPDX-License-Identifier: MIT
// Session locks beside the rows: who has them, and what becomes of them when something fails.
#include "postgres_fleet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "postgres_cluster.h"

static void a_run_that_forbids_overlap_has_its_jobs_lock(void **state)
{
    struct fleet *fleet = *state;
    fleet_holds(fleet, fleet_node_locks, "node 0,node 1,node 2");
    struct store_slot free_one = fleet_slot(fleet, 500, false);
    assert_int_equal(contract_decide(&fleet->nodes[0], &free_one), VERDICT_CLAIMED);
    fleet_holds(fleet, fleet_job_locks, "-");
    contract_end(&fleet->nodes[0], &free_one, RUN_SUCCESS, INSTANT_NONE);
    struct store_slot slot = fleet_slot(fleet, 1000, true);
    for (int repeat = 0; repeat < 3; repeat++) { // a session gets its lock again
        assert_int_equal(contract_decide(&fleet->nodes[0], &slot), VERDICT_CLAIMED);
    }
    fleet_holds(fleet, fleet_job_locks, "node 0");
    struct store_slot next = fleet_slot(fleet, 2000, true);
    assert_int_equal(contract_decide(&fleet->nodes[1], &next), VERDICT_OVERLAP);
    assert_int_equal(contract_decide(&fleet->nodes[0], &next), VERDICT_OVERLAP);
    fleet_holds(fleet, fleet_job_locks, "node 0");
    assert_false(contract_end(&fleet->nodes[0], &slot, RUN_SUCCESS, INSTANT_NONE));
    fleet_holds(fleet, fleet_job_locks, "-");
    assert_int_equal(contract_decide(&fleet->nodes[1], &next), VERDICT_CLAIMED);
    fleet_holds(fleet, fleet_job_locks, "node 1");
    struct store_slot manual = fleet_slot(fleet, 3000, true);
    manual.trigger = TRIGGER_MANUAL;
    assert_int_equal(contract_decide(&fleet->nodes[2], &manual), VERDICT_OVERLAP);
    assert_false(contract_end(&fleet->nodes[1], &next, RUN_FAILED, INSTANT_NONE));
    assert_int_equal(contract_decide(&fleet->nodes[2], &manual), VERDICT_CLAIMED);
    fleet_holds(fleet, fleet_job_locks, "node 2");
    assert_false(contract_end(&fleet->nodes[2], &manual, RUN_FAILED, INSTANT_NONE));
    fleet_holds(fleet, fleet_job_locks, "-");
}

// Rows were lost, say, or it is a stranger: whoever has the lock, nothing starts beside it.
static void a_lock_that_somebody_has_keeps_the_job_from_running(void **state)
{
    struct fleet *fleet = *state;
    postgres_cluster_background(fleet->url, "select pg_advisory_lock(1768124272, 1), pg_sleep(3)");
    struct store_slot slot = fleet_slot(fleet, 1000, true);
    struct store_op_decide decide = fleet_decide(&fleet->nodes[0], &slot);
    struct error err = ERROR_INIT;
    assert_true(store_call(fleet->nodes[0].store, &decide.op, &err));
    assert_int_equal(slot.verdict, VERDICT_OVERLAP);
    assert_non_null(slot.holder);
    assert_non_null(strstr(slot.holder, "(background, connected since 20"));
    assert_non_null(strstr(slot.holder, "): select pg_terminate_backend("));
    store_op_release(&decide.op);
    fleet_holds(fleet, "select count(*) from ironcron.slots", "0");
    struct store_slot skipping = fleet_slot(fleet, 2000, true);
    skipping.skip_on_overlap = true;
    assert_int_equal(contract_decide(&fleet->nodes[0], &skipping), VERDICT_OVERLAP);
    fleet_holds(fleet, "select outcome, reason from ironcron.slots", "SKIPPED|overlap");
    struct store_slot manual = fleet_slot(fleet, 3000, true);
    manual.trigger = TRIGGER_MANUAL;
    assert_int_equal(contract_decide(&fleet->nodes[0], &manual), VERDICT_OVERLAP);
    fleet_holds(fleet, "select count(*) from ironcron.job_runs", "0");
}

static void a_claim_that_failed_leaves_no_lock(void **state)
{
    struct fleet *fleet = *state;
    postgres_cluster_background( // for longer than anybody waits
        fleet->url,
        "begin; lock table ironcron.audit in exclusive mode; select pg_sleep(4); commit");
    struct store_slot slot = fleet_slot(fleet, 1000, true);
    struct store_op_decide decide = fleet_decide(&fleet->nodes[0], &slot);
    store_submit(fleet->nodes[0].store, &decide.op);
    fleet_pump_until_waiting(fleet, 1);
    fleet_holds(fleet, fleet_job_locks, "node 0");
    store_settle(fleet->nodes[0].store);
    assert_int_equal(decide.op.result, STORE_UNAVAILABLE);
    fleet_holds(fleet, fleet_job_locks, "-");
    struct error err = ERROR_INIT;
    do {
        decide = fleet_decide(&fleet->nodes[1], &slot);
    } while (!store_call(fleet->nodes[1].store, &decide.op, &err) &&
             decide.op.result == STORE_UNAVAILABLE);
    assert_int_equal(slot.verdict, VERDICT_CLAIMED); // at once, by another node
    store_op_release(&decide.op);
    fleet_holds(fleet, fleet_job_locks, "node 1");
}

static void a_new_connection_has_the_nodes_locks(void **state)
{
    struct fleet *fleet = *state;
    struct store_slot slot = fleet_slot(fleet, 1000, true);
    assert_int_equal(contract_decide(&fleet->nodes[0], &slot), VERDICT_CLAIMED);
    int before = fleet_backend(fleet, 0);
    assert_int_equal(kill(before, SIGTERM), 0);
    struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = fleet->nodes[0].node};
    struct error err = ERROR_INIT;
    for (int i = 0; i < 20 && !store_call(fleet->nodes[0].store, &beat.op, &err); i++) {
        usleep(20000);
    }
    assert_int_equal(beat.op.result, STORE_OK);
    store_op_release(&beat.op);
    assert_int_not_equal(fleet_backend(fleet, 0), before);
    fleet_holds(fleet, fleet_job_locks, "node 0");
    fleet_holds(fleet, fleet_node_locks, "node 0,node 1,node 2");
    fleet_holds(fleet,
                "select count(*) from ironcron.node n join pg_stat_activity a on a.pid = n.backend "
                "and a.backend_start = n.backend_start",
                "3");
    assert_false(contract_end(&fleet->nodes[0], &slot, RUN_SUCCESS, INSTANT_NONE));
    fleet_holds(fleet, fleet_job_locks, "-");
}

// A session that is said to be a node's, in the state that is given, and has the job's lock.
static void lock_elsewhere(struct fleet *fleet, int node_no, const char *state)
{
    char sql[400];
    snprintf(sql, sizeof sql,
             "begin; update ironcron.node set state = '%s', backend = pg_backend_pid(), "
             "backend_start = (select backend_start from pg_stat_get_activity(pg_backend_pid())) "
             "where node_no = %d; commit; select pg_advisory_lock(1768124272, 1), pg_sleep(600)",
             state, node_no);
    postgres_cluster_background(fleet->url, sql);
    fleet_holds(fleet, fleet_job_locks, "background");
}

static void a_dead_nodes_session_does_not_keep_a_lock(void **state)
{
    struct fleet *fleet = *state;
    lock_elsewhere(fleet, 2, "lost");
    struct store_slot slot = fleet_slot(fleet, 1000, true);
    assert_int_equal(contract_decide(&fleet->nodes[0], &slot), VERDICT_CLAIMED);
    fleet_holds(fleet, fleet_job_locks, "node 0");
    struct store_slot manual = fleet_slot(fleet, 2000, true);
    manual.trigger = TRIGGER_MANUAL;
    assert_false(contract_end(&fleet->nodes[0], &slot, RUN_SUCCESS, INSTANT_NONE));
    lock_elsewhere(fleet, 2, "lost");
    assert_int_equal(contract_decide(&fleet->nodes[0], &manual), VERDICT_CLAIMED);
    fleet_holds(fleet, fleet_job_locks, "node 0");
}

// What the node's row says was its session is ended, with its locks, before another one is used.
static void the_last_session_is_ended_before_the_next(void **state)
{
    struct fleet *fleet = *state;
    lock_elsewhere(fleet, 1, "live");
    assert_int_equal(kill(fleet_backend(fleet, 0), SIGTERM), 0);
    struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = fleet->nodes[0].node};
    struct error err = ERROR_INIT;
    for (int i = 0; i < 20 && !store_call(fleet->nodes[0].store, &beat.op, &err); i++) {
        usleep(20000);
    }
    assert_int_equal(beat.op.result, STORE_OK);
    store_op_release(&beat.op);
    fleet_holds(fleet, fleet_job_locks, "-");
}

// The node's last session hangs in the server, with its locks: it is ended before another is used.
static void a_session_that_hangs_is_not_gone_on_beside(void **state)
{
    struct fleet *fleet = *state;
    struct store_slot slot = fleet_slot(fleet, 1000, true);
    assert_int_equal(contract_decide(&fleet->nodes[0], &slot), VERDICT_CLAIMED);
    int before = fleet_backend(fleet, 0);
    assert_int_equal(kill(before, SIGSTOP), 0);
    struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = fleet->nodes[0].node};
    struct error err = ERROR_INIT;
    assert_false(store_call(fleet->nodes[0].store, &beat.op, &err));
    assert_int_equal(beat.op.result, STORE_UNKNOWN);
    assert_false(store_call(fleet->nodes[0].store, &beat.op, &err)); // its lock is not to be had
    assert_int_equal(beat.op.result, STORE_UNAVAILABLE);
    assert_non_null(strstr(err.text, "still holds this node's lock"));
    assert_int_equal(kill(before, SIGCONT), 0);
    for (int i = 0; i < 20 && !store_call(fleet->nodes[0].store, &beat.op, &err); i++) {
        usleep(20000);
    }
    assert_int_equal(beat.op.result, STORE_OK);
    store_op_release(&beat.op);
    fleet_holds(fleet, fleet_job_locks, "node 0");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fleet_setup, fleet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_run_that_forbids_overlap_has_its_jobs_lock),
        TEST(a_lock_that_somebody_has_keeps_the_job_from_running),
        TEST(a_claim_that_failed_leaves_no_lock),
        TEST(a_new_connection_has_the_nodes_locks),
        TEST(a_dead_nodes_session_does_not_keep_a_lock),
        TEST(the_last_session_is_ended_before_the_next),
        TEST(a_session_that_hangs_is_not_gone_on_beside),
    };
    postgres_cluster_start();
    return cmocka_run_group_tests_name("PostgreSQL store, its locks", tests, NULL, NULL);
}
