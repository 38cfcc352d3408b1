// SPDX-License-Identifier: MIT
// Several nodes on one PostgreSQL server: what they want at once, and who is declared dead.
#include "postgres_fleet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "postgres_cluster.h"

static struct store_op_fence fence_of(struct contract *c)
{
    return (struct store_op_fence){.op = {.kind = STORE_FENCE, .done = fleet_ended},
                                   .node = c->node,
                                   .fencing_id = contract_id(c)};
}

static void is_fenced(struct fleet *fleet, const struct store_op_fence *fence, int number)
{
    assert_int_equal(fence->op.result, STORE_OK);
    assert_int_equal(fence->fenced_count, 1);
    assert_true(uuid_equal(fence->fenced[0], fleet->nodes[number].node));
}

// ---- at once ------------------------------------------------------------------------------------

static void each_slot_is_claimed_by_one(void **state)
{
    struct fleet *fleet = *state;
    int claimed[2] = {0};
    for (int i = 1; i <= 40; i++) {
        struct store_slot slots[2] = {fleet_slot(fleet, i, false), fleet_slot(fleet, i, false)};
        struct store_op_decide decides[2];
        for (int j = 0; j < 2; j++) { // each is the first to send every other time
            int node = (i + j) % 2;
            decides[node] = fleet_decide(&fleet->nodes[node], &slots[node]);
            store_submit(fleet->nodes[node].store, &decides[node].op);
            (void)store_pump(fleet->nodes[node].store);
        }
        fleet_pump(fleet, &decides[0].op, &decides[1].op);
        for (int j = 0; j < 2; j++) {
            assert_int_equal(decides[j].op.result, STORE_OK);
            claimed[j] += slots[j].verdict == VERDICT_CLAIMED;
            store_op_release(&decides[j].op);
        }
        assert_int_equal(slots[0].verdict + slots[1].verdict, VERDICT_CLAIMED + VERDICT_TAKEN);
    }
    print_message("claimed %d and %d\n", claimed[0], claimed[1]);
    fleet_holds(fleet, "select count(*) from ironcron.job_runs", "40");
    fleet_holds(fleet, "select count(distinct due_at) from ironcron.slots", "40");
}

// Another node's run is never answered as this one's, not even under its id.
static void a_run_of_another_node_is_not_ours(void **state)
{
    struct fleet *fleet = *state;
    struct store_slot slot = fleet_slot(fleet, 1000, false);
    assert_int_equal(contract_decide(&fleet->nodes[0], &slot), VERDICT_CLAIMED);
    assert_int_equal(contract_decide(&fleet->nodes[0], &slot), VERDICT_CLAIMED);
    assert_int_equal(contract_decide(&fleet->nodes[1], &slot), VERDICT_TAKEN);
}

#define AUDIT_STANDS                                                                               \
    "begin; lock table ironcron.audit in exclusive mode; select pg_sleep(1); commit"

// The claim holds its node's row when the fencing comes: it is among the runs that are lost.
static void a_claim_before_the_fencing_is_lost_with_its_node(void **state)
{
    struct fleet *fleet = *state;
    fleet_make_overdue(fleet, 0);
    fleet_claims_wait(fleet);
    postgres_cluster_background(fleet->url, AUDIT_STANDS);
    struct store_slot slot = fleet_slot(fleet, 1000, false);
    struct store_op_decide decide = fleet_decide(&fleet->nodes[0], &slot);
    store_submit(fleet->nodes[0].store, &decide.op);
    fleet_pump_until_waiting(fleet, 1);
    struct store_op_fence fence = fence_of(&fleet->nodes[1]);
    store_submit(fleet->nodes[1].store, &fence.op);
    fleet_pump(fleet, &decide.op, &fence.op);
    assert_int_equal(decide.op.result, STORE_OK);
    assert_int_equal(slot.verdict, VERDICT_CLAIMED);
    is_fenced(fleet, &fence, 0);
    assert_int_equal(fence.lost_count, 1);
    assert_true(uuid_equal(fence.lost[0].run_id, slot.run_id));
    store_op_release(&fence.op);
    store_op_release(&decide.op);
    fleet_holds(fleet, "select state from ironcron.job_runs", "LOST");
}

static void a_claim_after_the_fencing_is_refused(void **state)
{
    struct fleet *fleet = *state;
    fleet_make_overdue(fleet, 0);
    fleet_claims_wait(fleet);
    postgres_cluster_background(fleet->url, AUDIT_STANDS);
    struct store_op_fence fence = fence_of(&fleet->nodes[1]);
    store_submit(fleet->nodes[1].store, &fence.op);
    fleet_pump_until_waiting(fleet, 1);
    struct store_slot slot = fleet_slot(fleet, 1000, false);
    struct store_op_decide decide = fleet_decide(&fleet->nodes[0], &slot);
    store_submit(fleet->nodes[0].store, &decide.op);
    fleet_pump(fleet, &decide.op, &fence.op);
    is_fenced(fleet, &fence, 0);
    assert_int_equal(fence.lost_count, 0);
    store_op_release(&fence.op);
    // Its session was ended as well: it may learn of that first.
    assert_int_not_equal(decide.op.result, STORE_OK);
    contract_call(&fleet->nodes[0], &decide.op, STORE_REFUSED);
    fleet_holds(fleet, "select count(*) from ironcron.job_runs", "0");
}

static void the_end_of_a_fenced_nodes_run_is_stale(void **state)
{
    struct fleet *fleet = *state;
    struct store_slot slot = fleet_slot(fleet, 1000, true);
    assert_int_equal(contract_decide(&fleet->nodes[0], &slot), VERDICT_CLAIMED);
    int pid = fleet_backend(fleet, 0);
    fleet_make_overdue(fleet, 0);
    struct store_op_fence fence = fence_of(&fleet->nodes[1]);
    CALL_OK(&fleet->nodes[1], &fence);
    is_fenced(fleet, &fence, 0);
    assert_int_equal(fence.lost_count, 1);
    store_op_release(&fence.op);
    assert_int_equal(kill(pid, 0), -1); // with its locks
    fleet_holds(fleet, fleet_job_locks, "-");
    struct store_slot next = fleet_slot(fleet, 2000, true);
    assert_int_equal(contract_decide(&fleet->nodes[1], &next), VERDICT_CLAIMED);
    struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = fleet->nodes[0].node};
    struct error err = ERROR_INIT;
    assert_false(store_call(fleet->nodes[0].store, &beat.op, &err)); // its connection has gone
    CALL_REFUSED(&fleet->nodes[0], &beat);
    assert_true(contract_end(&fleet->nodes[0], &slot, RUN_SUCCESS, INSTANT_NONE));
    assert_false(contract_end(&fleet->nodes[1], &next, RUN_SUCCESS, INSTANT_NONE));
}

// The server has not been up for as long as a lease: who is silent may not have been heard.
static void nobody_is_fenced_before_the_server_was_up_for_a_lease(void **state)
{
    struct fleet *fleet = *state;
    char id[UUID_TEXT_SIZE];
    char sql[200];
    uuid_format(fleet->nodes[0].node, id);
    snprintf(sql, sizeof sql,
             "update ironcron.node set valid_until = 0, lease = 864000000 where node = '%s'", id);
    free(postgres_cluster_psql(fleet->url, sql));
    struct store_op_fence fence = fence_of(&fleet->nodes[1]);
    CALL_OK(&fleet->nodes[1], &fence);
    assert_int_equal(fence.fenced_count, 0);
    store_op_release(&fence.op);
    fleet_make_overdue(fleet, 0);
    free(postgres_cluster_psql( // and it has been promoted in this very moment
        fleet->url,
        "select ironcron.meta_put('primary_since', (ironcron.now_ms(null) + 60000)::text)"));
    fence = fence_of(&fleet->nodes[1]);
    CALL_OK(&fleet->nodes[1], &fence);
    assert_int_equal(fence.fenced_count, 0);
    store_op_release(&fence.op);
    free(postgres_cluster_psql(fleet->url, "select ironcron.meta_put('primary_since', '1')"));
    fence = fence_of(&fleet->nodes[1]);
    CALL_OK(&fleet->nodes[1], &fence);
    is_fenced(fleet, &fence, 0);
    store_op_release(&fence.op);
}

// ---- what all share -----------------------------------------------------------------------------

static void look(struct contract *c, struct store_op_beat *out)
{
    *out = (struct store_op_beat){.op.kind = STORE_BEAT, .node = c->node, .look = true};
    CALL_OK(c, out);
    store_op_release(&out->op);
}

static void an_intent_is_carried_out_by_one(void **state)
{
    struct fleet *fleet = *state;
    struct store_op_beat before;
    struct store_op_beat after;
    look(&fleet->nodes[1], &before);
    struct store_op_intent_put put = {
        .op.kind = STORE_INTENT_PUT,
        .intent = {.intent_id = contract_id(&fleet->nodes[0]), .kind = INTENT_RUN, .job = "a"}};
    CALL_OK(&fleet->nodes[0], &put);
    look(&fleet->nodes[1], &after);
    assert_true(after.changes > before.changes);
    struct store_op_intent_own owns[2];
    for (int i = 0; i < 2; i++) {
        owns[i] =
            (struct store_op_intent_own){.op = {.kind = STORE_INTENT_OWN, .done = fleet_ended},
                                         .node = fleet->nodes[i].node,
                                         .intent_id = put.intent.intent_id};
        store_submit(fleet->nodes[i].store, &owns[i].op);
        (void)store_pump(fleet->nodes[i].store);
    }
    fleet_pump(fleet, &owns[0].op, &owns[1].op);
    assert_int_equal(owns[0].own + owns[1].own, 1);
}

// A version that becomes active while a claim is under way waits for it, and later ones know.
static void definitions_change_between_claims_not_amid_one(void **state)
{
    struct fleet *fleet = *state;
    fleet_claims_wait(fleet);
    postgres_cluster_background(fleet->url, AUDIT_STANDS);
    struct store_slot slot = fleet_slot(fleet, 1000, false);
    struct store_op_decide decide = fleet_decide(&fleet->nodes[0], &slot);
    store_submit(fleet->nodes[0].store, &decide.op);
    fleet_pump_until_waiting(fleet, 1);
    struct store_op_version version = {.op = {.kind = STORE_VERSION, .done = fleet_ended},
                                       .node = fleet->nodes[1].node,
                                       .hash = "h1",
                                       .text = "jobs: []"};
    store_submit(fleet->nodes[1].store, &version.op);
    fleet_pump_until_waiting(fleet, 2);
    assert_non_null(version.op.done);
    fleet_pump(fleet, &decide.op, &version.op);
    assert_int_equal(slot.verdict, VERDICT_CLAIMED);
    assert_true(version.activated);
    store_op_release(&decide.op);
    decide = fleet_decide(&fleet->nodes[0], &slot); // a repeat is told what became of the run
    CALL_OK(&fleet->nodes[0], &decide);
    assert_true(decide.outdated);
    assert_int_equal(slot.verdict, VERDICT_CLAIMED);
    struct store_slot next = fleet_slot(fleet, 2000, false);
    decide = fleet_decide(&fleet->nodes[0], &next);
    CALL_OK(&fleet->nodes[0], &decide);
    assert_true(decide.outdated);
    assert_int_equal(next.verdict, VERDICT_NONE);
    decide.version = version.version;
    CALL_OK(&fleet->nodes[0], &decide);
    assert_int_equal(next.verdict, VERDICT_CLAIMED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fleet_setup, fleet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_slot_is_claimed_by_one),
        TEST(a_run_of_another_node_is_not_ours),
        TEST(a_claim_before_the_fencing_is_lost_with_its_node),
        TEST(a_claim_after_the_fencing_is_refused),
        TEST(the_end_of_a_fenced_nodes_run_is_stale),
        TEST(nobody_is_fenced_before_the_server_was_up_for_a_lease),
        TEST(an_intent_is_carried_out_by_one),
        TEST(definitions_change_between_claims_not_amid_one),
    };
    postgres_cluster_start();
    return cmocka_run_group_tests_name("PostgreSQL store, a fleet", tests, NULL, NULL);
}
