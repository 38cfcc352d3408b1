// SPDX-License-Identifier: MIT
// Several nodes on one store: who is there, who is overdue, who takes over. Only for stores that a
// fleet can share.
#include "contract.h"

#include <stdlib.h>
#include <string.h>

#define LEASE_MS 20000
#define GRACE_MS 5000

static struct store_op_join join_of(struct contract *c, const char *host)
{
    return (struct store_op_join){.op.kind = STORE_JOIN,
                                  .node = contract_id(c),
                                  .host = host,
                                  .version = "1.0",
                                  .lease = DURATION_MS(LEASE_MS),
                                  .grace = DURATION_MS(GRACE_MS)};
}

static struct uuid join_beside(struct contract *c, const char *host)
{
    struct store_op_join join = join_of(c, host);
    CALL_OK(c, &join);
    assert_int_equal(join.lost_count, 0);
    store_op_release(&join.op);
    return join.node;
}

static void beat_as(struct contract *c, struct uuid node)
{
    struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = node};
    CALL_OK(c, &beat);
    store_op_release(&beat.op);
}

static struct store_op_fence fence_of(struct contract *c, struct uuid node)
{
    return (struct store_op_fence){
        .op.kind = STORE_FENCE, .node = node, .fencing_id = contract_id(c)};
}

// Which members are overdue, one letter each in the order of their ids: '.' or 'O'; then '!' where
// there are orphans.
static void sees(struct contract *c, struct uuid node, const char *expected)
{
    struct store_op_beat look = {.op.kind = STORE_BEAT, .node = node, .look = true};
    char seen[16] = "";
    CALL_OK(c, &look);
    assert_true(look.member_count < sizeof seen - 1);
    for (size_t i = 0; i < look.member_count; i++) {
        seen[i] = look.members[i].is_overdue ? 'O' : '.';
    }
    seen[look.member_count] = look.orphans ? '!' : '\0';
    store_op_release(&look.op);
    assert_string_equal(seen, expected);
}

// Two nodes: c->node, and the one that is returned. The first node of the set-up has left.
static struct uuid two_nodes(struct contract *c)
{
    struct store_op_leave leave = {.op.kind = STORE_LEAVE, .node = c->node};
    CALL_OK(c, &leave);
    c->node = join_beside(c, "h1");
    return join_beside(c, "h2");
}

static void nodes_live_beside_each_other(void **state)
{
    struct contract *c = *state;
    struct uuid a = c->node;
    struct store_op_join join = join_of(c, "h2");
    join.labels = "{\"region\":\"eu\"}";
    join.dry_run = true;
    join.max_running = 7;
    CALL_OK(c, &join);
    store_op_release(&join.op);
    struct store_op_beat beat = {
        .op.kind = STORE_BEAT, .node = join.node, .full = true, .draining = true};
    CALL_OK(c, &beat);
    assert_int_equal(beat.member_count, 2);
    assert_true(uuid_equal(beat.members[0].node, a)); // by id
    assert_null(beat.members[0].labels);
    assert_false(beat.members[0].dry_run || beat.members[0].full || beat.members[0].draining);
    const struct store_member *second = &beat.members[1];
    assert_true(uuid_equal(second->node, join.node));
    assert_string_equal(second->host, "h2");
    assert_string_equal(second->labels, "{\"region\":\"eu\"}");
    assert_true(second->dry_run && second->full && second->draining);
    store_op_release(&beat.op);
    struct store_op_leave leave = {.op.kind = STORE_LEAVE, .node = a};
    CALL_OK(c, &leave);
    sees(c, join.node, ".");
}

static void nobody_is_overdue_before_lease_and_grace_are_over(void **state)
{
    struct contract *c = *state;
    struct uuid other = two_nodes(c);
    contract_advance(&c->clock, LEASE_MS + GRACE_MS);
    sees(c, other, "..");
    contract_advance(&c->clock, 1);
    sees(c, other, "OO");
    beat_as(c, other);
    sees(c, other, "O.");
    contract_advance(&c->clock, 1000);
    beat_as(c, c->node); // late, but nobody fenced it
    sees(c, other, "..");
    struct store_op_fence fence = fence_of(c, other);
    CALL_OK(c, &fence);
    assert_int_equal(fence.fenced_count + fence.lost_count + fence.waiting_count, 0);
    store_op_release(&fence.op);
}

static struct instant retry_b_soon(void *context, const struct store_lost *lost, struct instant now)
{
    (void)context;
    return strcmp(lost->job, "b") == 0 ? instant_add(now, DURATION_S(5)) : INSTANT_NONE;
}

static void who_is_overdue_is_fenced_and_its_runs_are_lost(void **state)
{
    struct contract *c = *state;
    int64_t a = contract_publish(c, "a", "s");
    int64_t b = contract_publish(c, "b", "s");
    struct uuid other = two_nodes(c);
    struct store_slot runs[2] = {contract_claim(c, a, 1000), contract_claim(c, b, 1000)};
    contract_advance(&c->clock, LEASE_MS + GRACE_MS + 1);
    beat_as(c, other);
    struct store_op_fence fence = fence_of(c, other);
    fence.lost_retry = retry_b_soon;
    CALL_OK(c, &fence);
    assert_true(fence.now.us == c->clock.now.us);
    assert_int_equal(fence.fenced_count, 1);
    assert_true(uuid_equal(fence.fenced[0], c->node));
    assert_int_equal(fence.lost_count, 2);
    assert_true(uuid_equal(fence.lost[0].run_id, runs[0].run_id));
    assert_string_equal(fence.lost[1].job, "b");
    assert_int_equal(fence.waiting_count, 1);
    assert_int_equal(fence.waiting[0].job_id, b);
    assert_int_equal(fence.waiting[0].attempt, 2);
    assert_true(fence.waiting[0].retry_at.us == at_ms(LEASE_MS + GRACE_MS + 5001).us);
    store_op_release(&fence.op);
    CALL_OK(c, &fence); // repeated, as after an unknown commit: the same is told again
    assert_int_equal(fence.fenced_count, 1);
    assert_true(uuid_equal(fence.fenced[0], c->node));
    assert_int_equal(fence.lost_count, 2);
    assert_true(uuid_equal(fence.lost[1].run_id, runs[1].run_id));
    assert_int_equal(fence.waiting_count, 1);
    store_op_release(&fence.op);
    fence.fencing_id = contract_id(c);
    CALL_OK(c, &fence); // another one
    assert_int_equal(fence.fenced_count + fence.lost_count, 0);
    assert_int_equal(fence.waiting_count, 1);
    store_op_release(&fence.op);
    char *audit = contract_dump(c->store, PART_AUDIT);
    assert_non_null(strstr(audit, "+25001 NODE_FENCED - run - node #3 by - "
                                  "{\"host\":\"h1\",\"node\":\"01990000-0000-7000-8000-"
                                  "000000000002\"}\n"
                                  "audit 0 +25001 LOST a run #4 node #3 by - -\n"
                                  "audit 0 +25001 LOST b run #5 node #3 by - -\n"));
    free(audit);
    contract_holds(c, PART_SLOTS, "slot a +1000 LOST run #4 \nslot b +1000 - run #5 \n");
    assert_true(contract_end(c, &runs[0], RUN_SUCCESS, INSTANT_NONE)); // stale
    struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = c->node};
    CALL_REFUSED(c, &beat);
    c->node = other;
    struct store_slot second = contract_slot(c, b, 1000, DECIDE_RUN, TRIGGER_RETRY, 2);
    assert_int_equal(contract_decide(c, &second), VERDICT_CLAIMED);
}

static void a_join_ends_only_the_one_that_is_proven_dead(void **state)
{
    struct contract *c = *state;
    int64_t a = contract_publish(c, "a", "s");
    int64_t b = contract_publish(c, "b", "s");
    struct uuid other = two_nodes(c);
    struct uuid dead = c->node;
    struct store_slot lost = contract_claim(c, a, 1000);
    c->node = other;
    struct store_slot kept = contract_claim(c, b, 1000);
    struct store_op_join join = join_of(c, "h1");
    join.dead = dead;
    for (int repeat = 0; repeat < 2; repeat++) {
        CALL_OK(c, &join);
        assert_int_equal(join.lost_count, 1);
        assert_true(uuid_equal(join.lost[0].run_id, lost.run_id));
        store_op_release(&join.op);
    }
    assert_false(contract_end(c, &kept, RUN_SUCCESS, INSTANT_NONE));
    sees(c, other, "..");
    struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = dead};
    CALL_REFUSED(c, &beat);
}

// Whichever way a node goes, others take over what waits for it: attempts, slots, intents.
static void what_waits_is_taken_over(void **state)
{
    struct contract *c = *state;
    int64_t a = contract_publish(c, "a", "s");
    int64_t b = contract_publish(c, "b", "s");
    struct uuid other = two_nodes(c);
    struct store_slot run = contract_claim(c, a, 1000);
    assert_false(contract_end(c, &run, RUN_FAILED, at_ms(9000)));
    struct store_slot wait = contract_slot(c, b, 1000, DECIDE_WAIT, TRIGGER_SCHEDULE, 1);
    wait.wait_until = at_ms(8000);
    assert_int_equal(contract_decide(c, &wait), VERDICT_WRITTEN);
    struct store_op_intent_put put = {
        .op.kind = STORE_INTENT_PUT,
        .intent = {.intent_id = contract_id(c), .kind = INTENT_RUN, .job = "a"}};
    CALL_OK(c, &put);
    struct store_op_intent_own own = {
        .op.kind = STORE_INTENT_OWN, .node = c->node, .intent_id = put.intent.intent_id};
    CALL_OK(c, &own);
    struct store_op_fence fence = fence_of(c, other);
    CALL_OK(c, &fence);
    assert_int_equal(fence.waiting_count, 0); // the other one lives
    store_op_release(&fence.op);
    sees(c, other, "..");

    struct store_op_leave leave = {.op.kind = STORE_LEAVE, .node = c->node};
    CALL_OK(c, &leave);
    sees(c, other, ".!");
    const int64_t for_others[] = {a, b};
    fence.except = for_others;
    fence.except_count = 2;
    CALL_OK(c, &fence);
    assert_int_equal(fence.waiting_count, 0);
    store_op_release(&fence.op);
    sees(c, other, ".!"); // there still
    fence.except_count = 0;
    CALL_OK(c, &fence);
    assert_int_equal(fence.waiting_count, 2);
    assert_int_equal(fence.waiting[0].job_id, b);
    assert_int_equal(fence.waiting[0].attempt, 1);
    assert_true(fence.waiting[0].retry_at.us == at_ms(8000).us);
    assert_int_equal(fence.waiting[1].job_id, a);
    assert_int_equal(fence.waiting[1].attempt, 2);
    store_op_release(&fence.op);
    sees(c, other, ".");
    struct store_op_intent_take take = {.op.kind = STORE_INTENT_TAKE};
    CALL_OK(c, &take);
    assert_true(uuid_is_nil(take.intents[0].node)); // for whoever may carry it out
    store_op_release(&take.op);
}

// A node that drains keeps what it runs, and gives what waits to the others.
static void what_waits_where_a_node_drains_is_taken_over(void **state)
{
    struct contract *c = *state;
    int64_t a = contract_publish(c, "a", "s");
    int64_t b = contract_publish(c, "b", "s");
    struct uuid other = two_nodes(c);
    struct store_slot failed = contract_claim(c, a, 1000);
    assert_false(contract_end(c, &failed, RUN_FAILED, at_ms(9000)));
    struct store_slot runs = contract_claim(c, b, 1000);
    struct store_op_report report = {
        .op.kind = STORE_REPORT, .node = c->node, .draining_since = at_ms(1)};
    CALL_OK(c, &report);
    sees(c, other, "..!");
    sees(c, c->node, ".."); // it is not for itself
    struct store_op_fence fence = fence_of(c, other);
    CALL_OK(c, &fence);
    assert_int_equal(fence.fenced_count + fence.lost_count, 0);
    assert_int_equal(fence.waiting_count, 1);
    assert_int_equal(fence.waiting[0].job_id, a);
    store_op_release(&fence.op);
    sees(c, other, "..");
    assert_false(contract_end(c, &runs, RUN_FAILED, at_ms(9500))); // and what comes to wait later
    sees(c, other, "..!");
    report.draining_since = INSTANT_NONE;
    CALL_OK(c, &report);
    sees(c, other, "..");
    fence = fence_of(c, c->node);
    CALL_OK(c, &fence);
    assert_int_equal(fence.waiting_count, 1);
    assert_int_equal(fence.waiting[0].job_id, b);
    store_op_release(&fence.op);
}

static void an_intent_is_one_nodes_as_long_as_it_lives(void **state)
{
    struct contract *c = *state;
    struct uuid other = two_nodes(c);
    struct store_op_intent_put put = {
        .op.kind = STORE_INTENT_PUT,
        .intent = {.intent_id = contract_id(c), .kind = INTENT_RUN, .job = "a"}};
    CALL_OK(c, &put);
    struct store_op_intent_own own = {
        .op.kind = STORE_INTENT_OWN, .node = c->node, .intent_id = put.intent.intent_id};
    CALL_OK(c, &own);
    assert_true(own.own);
    own.node = other;
    CALL_OK(c, &own);
    assert_false(own.own);
    struct store_op_leave leave = {.op.kind = STORE_LEAVE, .node = c->node};
    CALL_OK(c, &leave);
    struct store_op_intent_take take = {.op.kind = STORE_INTENT_TAKE};
    CALL_OK(c, &take);
    assert_true(uuid_is_nil(take.intents[0].node));
    store_op_release(&take.op);
    CALL_OK(c, &own);
    assert_true(own.own);
}

static void a_slot_is_one_nodes(void **state)
{
    struct contract *c = *state;
    int64_t a = contract_publish(c, "a", "s");
    int64_t b = contract_publish(c, "b", "s");
    struct uuid other = two_nodes(c);
    struct store_slot mine = contract_claim(c, a, 1000);
    struct store_slot wait = contract_slot(c, b, 1000, DECIDE_WAIT, TRIGGER_SCHEDULE, 1);
    wait.wait_until = at_ms(8000);
    assert_int_equal(contract_decide(c, &wait), VERDICT_WRITTEN);
    c->node = other;
    assert_int_equal(contract_decide(c, &wait), VERDICT_TAKEN);
    struct store_slot same = mine; // even under the very same id
    assert_int_equal(contract_decide(c, &same), VERDICT_TAKEN);
    assert_int_equal(same.fence, 0);
    struct store_slot theirs = contract_slot(c, a, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    assert_int_equal(contract_decide(c, &theirs), VERDICT_TAKEN);
    theirs = contract_slot(c, a, 2000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    theirs.forbid_overlap = true;
    assert_int_equal(contract_decide(c, &theirs), VERDICT_OVERLAP);
    assert_false(contract_end(c, &mine, RUN_SUCCESS, INSTANT_NONE));
    assert_int_equal(contract_decide(c, &theirs), VERDICT_CLAIMED);
}

static void fences(struct contract *c, struct uuid node, const struct uuid *ended,
                   size_t ended_count, const struct uuid *left, size_t left_count)
{
    struct store_op_fence fence = fence_of(c, node);
    fence.ended = ended;
    fence.ended_count = ended_count;
    CALL_OK(c, &fence);
    assert_int_equal(fence.left_count, left_count);
    for (size_t i = 0; i < left_count; i++) {
        assert_true(uuid_equal(fence.left[i], left[i]));
    }
    store_op_release(&fence.op);
}

// Whoever declares a node dead has its sessions to end, and when it dies itself another one has.
static void somebody_ends_the_sessions_of_the_dead(void **state)
{
    struct contract *c = *state;
    struct uuid other = two_nodes(c);
    struct uuid third = join_beside(c, "h3");
    const struct uuid dead[] = {c->node, other};
    contract_advance(&c->clock, LEASE_MS + GRACE_MS + 1);
    beat_as(c, other);
    beat_as(c, third);
    fences(c, other, NULL, 0, dead, 1);
    sees(c, third, ".."); // it is about to be done
    fences(c, third, NULL, 0, NULL, 0);
    contract_advance(&c->clock, LEASE_MS + GRACE_MS + 1);
    beat_as(c, third);
    fences(c, third, NULL, 0, dead, 2); // it was not, as far as anybody knows
    sees(c, third, ".");
    fences(c, third, NULL, 0, dead, 2);
    fences(c, third, dead, 1, dead + 1, 1);
    struct store_op_leave leave = {.op.kind = STORE_LEAVE, .node = third};
    struct store_op_join join = join_of(c, "h4");
    CALL_OK(c, &join);
    assert_int_equal(join.left_count, 0);
    store_op_release(&join.op);
    CALL_OK(c, &leave);
    sees(c, join.node, ".!");
    fences(c, join.node, NULL, 0, dead + 1, 1);
    sees(c, join.node, ".");
    fences(c, join.node, dead + 1, 1, NULL, 0);
    CALL_OK(c, &leave);
    sees(c, join.node, ".");
}

static void a_successor_ends_the_sessions_of_the_one_before(void **state)
{
    struct contract *c = *state;
    struct uuid other = two_nodes(c);
    struct uuid before = c->node;
    struct store_op_join join = join_of(c, "h1");
    join.dead = before;
    for (int repeat = 0; repeat < 2; repeat++) {
        CALL_OK(c, &join);
        assert_int_equal(join.left_count, 1);
        assert_true(uuid_equal(join.left[0], before));
        store_op_release(&join.op);
    }
    sees(c, other, "..");
    fences(c, join.node, &before, 1, NULL, 0);
}

static void a_join_alone_takes_everything(void **state)
{
    struct contract *c = *state;
    int64_t a = contract_publish(c, "a", "s");
    struct uuid other = two_nodes(c);
    struct store_slot run = contract_claim(c, a, 1000);
    assert_false(contract_end(c, &run, RUN_FAILED, at_ms(9000)));
    struct uuid alone = contract_join(c);
    sees(c, alone, ".");
    struct store_op_fence fence = fence_of(c, alone);
    CALL_OK(c, &fence);
    assert_int_equal(fence.waiting_count, 1);
    store_op_release(&fence.op);
    fence.node = other;
    CALL_REFUSED(c, &fence);
}

static const struct CMUnitTest tests[] = {
    CONTRACT_TEST(nodes_live_beside_each_other),
    CONTRACT_TEST(nobody_is_overdue_before_lease_and_grace_are_over),
    CONTRACT_TEST(who_is_overdue_is_fenced_and_its_runs_are_lost),
    CONTRACT_TEST(a_join_ends_only_the_one_that_is_proven_dead),
    CONTRACT_TEST(what_waits_is_taken_over),
    CONTRACT_TEST(what_waits_where_a_node_drains_is_taken_over),
    CONTRACT_TEST(an_intent_is_one_nodes_as_long_as_it_lives),
    CONTRACT_TEST(a_slot_is_one_nodes),
    CONTRACT_TEST(somebody_ends_the_sessions_of_the_dead),
    CONTRACT_TEST(a_successor_ends_the_sessions_of_the_one_before),
    CONTRACT_TEST(a_join_alone_takes_everything),
};
const struct contract_tests contract_fleet_tests = {tests, sizeof tests / sizeof tests[0]};
