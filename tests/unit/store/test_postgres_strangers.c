// SPDX-License-Identifier: MIT
// A transaction that somebody has left open has a row of the store in hand: what needs that row is
// put off and told who has it, everything else goes on, and nothing is done twice.
#include "postgres_fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres_cluster.h"

#define HOLDS_JOB(name)                                                                            \
    "begin; select from ironcron.job where name = '" name "' for update; select pg_sleep(600)"
#define HOLDS_NODE                                                                                 \
    "begin; select from ironcron.node where node_no = 2 for update; select pg_sleep(600)"

static void let_go(const struct fleet *fleet)
{
    free(postgres_cluster_psql(fleet->url, "select pg_terminate_backend(pid, 5000) from "
                                           "pg_stat_activity where application_name = "
                                           "'background'"));
}

struct pair { // of slots of two jobs, "a" and "b"
    struct store_slot slots[2];
    struct store_op_decide decide;
};

static void pair_init(struct pair *pair, struct fleet *fleet)
{
    pair->slots[0] = fleet_slot(fleet, 1000, true);
    pair->slots[1] = fleet_slot(fleet, 1000, true);
    pair->slots[1].job_id = contract_publish(&fleet->nodes[0], "b", "s");
    pair->decide = fleet_decide(&fleet->nodes[0], pair->slots);
    pair->decide.slot_count = 2;
}

static void decide_pair(struct fleet *fleet, struct pair *pair)
{
    CALL_OK(&fleet->nodes[0], &pair->decide);
}

static struct store_end end_of(const struct store_slot *slot)
{
    return (struct store_end){.run_id = slot->run_id, .fence = slot->fence, .state = RUN_SUCCESS};
}

static void one_held_job_holds_up_no_other(void **state)
{
    struct fleet *fleet = *state;
    struct pair pair;
    pair_init(&pair, fleet);
    postgres_cluster_background(fleet->url, HOLDS_JOB("a"));
    struct store_op_beat beat = {.op = {.kind = STORE_BEAT, .done = fleet_ended},
                                 .node = fleet->nodes[0].node};
    store_submit(fleet->nodes[0].store, &pair.decide.op);
    store_submit(fleet->nodes[0].store, &beat.op);
    fleet_pump(fleet, &pair.decide.op, &beat.op);
    assert_int_equal(beat.op.result, STORE_OK);
    store_op_release(&beat.op);
    assert_int_equal(pair.decide.op.result, STORE_OK);
    assert_int_equal(pair.slots[0].verdict, VERDICT_LOCKED);
    assert_int_equal(pair.slots[1].verdict, VERDICT_CLAIMED);
    assert_non_null(strstr(pair.slots[0].holder, "(background, connected since 20"));
    assert_non_null(strstr(pair.slots[0].holder, ", in a transaction since 20"));
    assert_null(pair.slots[1].holder);
    store_op_release(&pair.decide.op);
    fleet_holds(fleet, "select job from ironcron.job_runs", "b");
    fleet_holds(fleet, fleet_job_locks, "node 0");
    let_go(fleet);
    decide_pair(fleet, &pair); // a repeat, as far as "b" goes
    assert_int_equal(pair.slots[0].verdict, VERDICT_CLAIMED);
    assert_int_equal(pair.slots[1].verdict, VERDICT_CLAIMED);
    store_op_release(&pair.decide.op);
    fleet_holds(fleet, "select count(*), count(distinct due_at) from ironcron.job_runs", "2|1");
    for (int i = 0; i < 2; i++) {
        assert_false(contract_end(&fleet->nodes[0], &pair.slots[i], RUN_SUCCESS, INSTANT_NONE));
    }
    fleet_holds(fleet, fleet_job_locks, "-");
}

// Passed over are all of a job's slots in an operation, or a later one would go before an earlier.
static void what_the_mark_does_not_guard_is_passed_over_as_well(void **state)
{
    struct fleet *fleet = *state;
    struct store_slot slots[4] = {fleet_slot(fleet, 1000, false), fleet_slot(fleet, 2000, false),
                                  fleet_slot(fleet, 3000, false), fleet_slot(fleet, 4000, false)};
    slots[1].trigger = slots[3].trigger = TRIGGER_MANUAL;
    slots[3].job_id = contract_publish(&fleet->nodes[0], "b", "s");
    struct store_op_decide decide = fleet_decide(&fleet->nodes[0], slots);
    decide.slot_count = 4;
    postgres_cluster_background( // by several
        fleet->url, "begin; select from ironcron.job where name = 'a' for key share; savepoint s; "
                    "select from ironcron.job where name = 'a' for share; select pg_sleep(600)");
    CALL_OK(&fleet->nodes[0], &decide);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(slots[i].verdict, VERDICT_LOCKED);
        assert_non_null(strstr(slots[i].holder, "(background"));
    }
    assert_int_equal(slots[3].verdict, VERDICT_CLAIMED);
    store_op_release(&decide.op);
    fleet_holds(fleet, "select count(*) from ironcron.slots", "0");
    let_go(fleet);
    CALL_OK(&fleet->nodes[0], &decide);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(slots[i].verdict, VERDICT_CLAIMED);
    }
    store_op_release(&decide.op);
}

static void an_end_waits_for_its_row_only(void **state)
{
    static const char *const holds[] = {
        HOLDS_JOB("a"), "begin; update ironcron.run_started set attempt = attempt where job_id = "
                        "(select job_id from ironcron.job where name = 'a'); select pg_sleep(600)"};
    struct fleet *fleet = *state;
    struct pair pair;
    pair_init(&pair, fleet);
    for (size_t i = 0; i < 2; i++) {
        decide_pair(fleet, &pair);
        store_op_release(&pair.decide.op);
        postgres_cluster_background(fleet->url, holds[i]);
        struct store_end ends[2] = {end_of(&pair.slots[0]), end_of(&pair.slots[1])};
        struct store_op_finish finish = {
            .op.kind = STORE_FINISH, .node = fleet->nodes[0].node, .ends = ends, .end_count = 2};
        CALL_OK(&fleet->nodes[0], &finish);
        assert_true(ends[0].later && !ends[0].stale);
        assert_non_null(strstr(ends[0].holder, "(background"));
        assert_false(ends[1].later || ends[1].stale);
        store_op_release(&finish.op);
        fleet_holds(fleet, "select job from ironcron.job_runs where state = 'STARTED'", "a");
        store_settle(fleet->nodes[0].store); // its locks are seen to
        fleet_holds(fleet, fleet_job_locks, "node 0");
        let_go(fleet);
        CALL_OK(&fleet->nodes[0], &finish);
        assert_false(ends[0].later || ends[0].stale || ends[1].stale);
        store_op_release(&finish.op);
        fleet_holds(fleet, fleet_job_locks, "-");
        for (int j = 0; j < 2; j++) {
            struct store_slot *slot = &pair.slots[j];
            int64_t job_id = slot->job_id;
            *slot = fleet_slot(fleet, 2000, true);
            slot->job_id = job_id;
        }
    }
    fleet_holds(fleet, "select count(*) from ironcron.audit_log where event = 'SUCCESS'", "4");
}

static size_t fence(struct fleet *fleet, size_t *fenced_out)
{
    struct store_op_fence fence = {.op.kind = STORE_FENCE,
                                   .node = fleet->nodes[2].node,
                                   .fencing_id = contract_id(&fleet->nodes[0])};
    CALL_OK(&fleet->nodes[2], &fence);
    size_t lost = fence.lost_count;
    *fenced_out = fence.fenced_count;
    store_op_release(&fence.op);
    return lost;
}

static void the_dead_are_declared_dead_all_the_same(void **state)
{
    struct fleet *fleet = *state;
    struct pair pair;
    size_t fenced = 0;
    pair_init(&pair, fleet);
    decide_pair(fleet, &pair);
    store_op_release(&pair.decide.op);
    fleet_make_overdue(fleet, 0);
    postgres_cluster_background(fleet->url, HOLDS_JOB("a"));
    assert_int_equal(fence(fleet, &fenced), 1);
    assert_int_equal(fenced, 1);
    fleet_holds(fleet, "select job, state from ironcron.job_runs order by job", "a|STARTED");
    struct store_op_beat look = {.op.kind = STORE_BEAT, .look = true, .node = fleet->nodes[2].node};
    CALL_OK(&fleet->nodes[2], &look);
    assert_true(look.orphans); // there is something left
    store_op_release(&look.op);
    let_go(fleet);
    assert_int_equal(fence(fleet, &fenced), 1);
    assert_int_equal(fenced, 0);
    fleet_holds(fleet, "select count(*) from ironcron.audit_log where event = 'LOST'", "2");
}

static void a_node_whose_row_is_held_keeps_no_other_from_being_declared_dead(void **state)
{
    struct fleet *fleet = *state;
    size_t fenced = 0;
    fleet_make_overdue(fleet, 0);
    fleet_make_overdue(fleet, 1);
    postgres_cluster_background(fleet->url, HOLDS_NODE);
    assert_int_equal(fence(fleet, &fenced), 0);
    assert_int_equal(fenced, 1);
    let_go(fleet);
    assert_int_equal(fence(fleet, &fenced), 0);
    assert_int_equal(fenced, 1);
}

static int overdue_seen(struct contract *node, struct store_op_beat *beat)
{
    int seen = 0;
    CALL_OK(node, beat);
    for (size_t i = 0; i < beat->member_count; i++) {
        seen += beat->members[i].is_overdue;
    }
    store_op_release(&beat->op);
    return seen;
}

// Nor does it die of that itself, and its next connection knows what it was told.
static void a_node_whose_row_is_held_gives_signs_of_life(void **state)
{
    struct fleet *fleet = *state;
    struct contract *node = &fleet->nodes[1];
    struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = node->node, .look = true};
    struct error err = ERROR_INIT;
    free(postgres_cluster_psql(fleet->url,
                               "update ironcron.node set valid_until = 0, lease = 2000, "
                               "grace = 1 where node_no = 2"));
    while (overdue_seen(node, &beat) == 0) { // the server has not been up for so long
    }
    postgres_cluster_background(fleet->url, HOLDS_NODE);
    beat.look = false;
    assert_int_equal(overdue_seen(node, &beat), 0);
    let_go(fleet);
    char sql[64];
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%d, 5000)", fleet_backend(fleet, 1));
    free(postgres_cluster_psql(fleet->url, sql));
    assert_false(store_call(node->store, &beat.op, &err)); // learns that it is gone
    error_reset(&err);
    (void)overdue_seen(node, &beat);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fleet_setup, fleet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_held_job_holds_up_no_other),
        TEST(what_the_mark_does_not_guard_is_passed_over_as_well),
        TEST(an_end_waits_for_its_row_only),
        TEST(the_dead_are_declared_dead_all_the_same),
        TEST(a_node_whose_row_is_held_keeps_no_other_from_being_declared_dead),
        TEST(a_node_whose_row_is_held_gives_signs_of_life),
    };
    postgres_cluster_start();
    return cmocka_run_group_tests_name("PostgreSQL store, strangers", tests, NULL, NULL);
}
