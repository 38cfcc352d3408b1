// SPDX-License-Identifier: MIT
// Claims, guards and their repeats.
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void claims_a_slot_once(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    contract_advance(&c->clock, 1005);
    struct store_slot slot = contract_claim(c, job, 1000);
    contract_holds(
        c, PART_RUNS | PART_SLOTS | PART_JOBS,
        "run 1 #2 a due +1000 attempt 1 schedule STARTED node #1 started +1005 ended - took 0 "
        "exit -0 none error -\n"
        "slot a +1000 - run #2 \n"
        "job 1 a s mark +1000 success - throttle 0\n");
    // Somebody else proposes the same slot.
    struct store_slot other = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    assert_int_equal(contract_decide(c, &other), VERDICT_TAKEN);
    assert_int_equal(other.fence, 0);
    // The same proposal again: its answer had been lost.
    struct store_slot again = slot;
    contract_advance(&c->clock, 50);
    assert_int_equal(contract_decide(c, &again), VERDICT_CLAIMED);
    assert_int_equal(again.fence, slot.fence);
    assert_true(again.started_at.us == slot.started_at.us);
    contract_holds(c, PART_AUDIT,
                   "audit 0 +0 NODE_STARTED - run - node #1 by - {\"host\":\"h1\"}\n"
                   "audit 0 +0 CONFIG_PUBLISHED - run - node #1 by me@h1 -\n"
                   "audit 0 +1005 STARTED a run #2 node #1 by - {\"attempt\":1,\"due_at\":"
                   "\"2025-11-24T16:00:01.000Z\",\"trigger\":\"schedule\"}\n");
}

static void an_ended_run_is_not_ours_to_start_again(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = contract_claim(c, job, 1000);
    contract_end(c, &slot, RUN_FAILED, INSTANT_NONE);
    assert_int_equal(contract_decide(c, &slot), VERDICT_TAKEN);
}

static void nothing_below_the_mark_is_decided_again(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot at_mark = contract_slot(c, job, 0, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    assert_int_equal(contract_decide(c, &at_mark), VERDICT_TAKEN);
    contract_claim(c, job, 5000);
    static const enum store_decision decisions[] = {DECIDE_RUN, DECIDE_SKIP, DECIDE_MISS,
                                                    DECIDE_DRY_RUN};
    for (size_t i = 0; i < 4; i++) {
        struct store_slot slot = contract_slot(c, job, 4000, decisions[i], TRIGGER_CATCHUP, 1);
        assert_int_equal(contract_decide(c, &slot), VERDICT_TAKEN);
    }
    contract_holds(c, PART_SLOTS, "slot a +5000 - run #3 \n");
}

static void skips_misses_and_rehearses(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot skip = contract_slot(c, job, 1000, DECIDE_SKIP, TRIGGER_SCHEDULE, 1);
    skip.reason = REASON_THROTTLED;
    skip.throttle_count = 2;
    struct store_slot miss = contract_slot(c, job, 2000, DECIDE_MISS, TRIGGER_SCHEDULE, 1);
    miss.reason = REASON_DOWNTIME;
    miss.detail = "{\"x\":1}";
    struct store_slot dry = contract_slot(c, job, 3000, DECIDE_DRY_RUN, TRIGGER_SCHEDULE, 1);
    for (int repeat = 0; repeat < 2; repeat++) { // the second time as after an unknown commit
        assert_int_equal(contract_decide(c, &skip), VERDICT_WRITTEN);
        if (repeat == 0) {
            contract_holds(c, PART_JOBS, "job 1 a s mark +1000 success - throttle 2\n");
        }
        assert_int_equal(contract_decide(c, &miss), VERDICT_WRITTEN);
        assert_int_equal(contract_decide(c, &dry), VERDICT_WRITTEN);
        assert_int_equal(dry.fence, 1);
    }
    contract_holds(
        c, PART_RUNS | PART_SLOTS,
        "run 1 #2 a due +3000 attempt 1 schedule DRY_RUN node #1 started +0 ended +0 took 0 "
        "exit -0 none error -\n"
        "slot a +1000 SKIPPED run - throttled\n"
        "slot a +2000 MISSED run - downtime\n"
        "slot a +3000 DRY_RUN run #2 \n");
    contract_holds(
        c, PART_AUDIT,
        "audit 0 +0 NODE_STARTED - run - node #1 by - {\"host\":\"h1\"}\n"
        "audit 0 +0 CONFIG_PUBLISHED - run - node #1 by me@h1 -\n"
        "audit 0 +0 SKIPPED a run - node #1 by - {\"due_at\":\"2025-11-24T16:00:01.000Z\","
        "\"reason\":\"throttled\",\"trigger\":\"schedule\"}\n"
        "audit 0 +0 MISSED a run - node #1 by - {\"x\":1}\n"
        "audit 0 +0 DRY_RUN a run #2 node #1 by - {\"attempt\":1,\"due_at\":"
        "\"2025-11-24T16:00:03.000Z\",\"trigger\":\"schedule\"}\n");
    // Another node that proposes the same finds it taken.
    contract_join(c);
    struct store_slot late = skip;
    assert_int_equal(contract_decide(c, &late), VERDICT_TAKEN);
}

// Who closes a schedule does so by what it has read: where another one has come into force since,
// nothing is written, though the slots are above the mark.
static void a_schedule_in_force_can_be_demanded(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct instant since = contract_slot(c, job, 0, DECIDE_SKIP, TRIGGER_SCHEDULE, 1).due_at;
    struct store_slot slots[] = {contract_slot(c, job, 1000, DECIDE_SKIP, TRIGGER_SCHEDULE, 1),
                                 contract_slot(c, job, 2000, DECIDE_MISS, TRIGGER_SCHEDULE, 1)};
    slots[0].reason = slots[1].reason = REASON_CHANGED;
    slots[0].in_force_at = slots[1].in_force_at = since;
    struct store_op_decide decide = {
        .op.kind = STORE_DECIDE, .node = c->node, .slots = slots, .slot_count = 2};
    for (int repeat = 0; repeat < 2; repeat++) {
        CALL_OK(c, &decide);
        assert_int_equal(slots[0].verdict, VERDICT_WRITTEN);
        assert_int_equal(slots[1].verdict, VERDICT_WRITTEN);
        store_op_release(&decide.op);
    }
    assert_int_equal(contract_publish(c, "a", "t"), job);
    slots[0].due_at = instant_add(since, DURATION_S(3));
    slots[1].due_at = instant_add(since, DURATION_S(4));
    for (int count = 2; count > 0; count--) {
        decide.slot_count = (size_t)count;
        CALL_OK(c, &decide);
        assert_int_equal(slots[0].verdict, VERDICT_TAKEN);
        assert_int_equal(slots[1].verdict, VERDICT_TAKEN);
        store_op_release(&decide.op);
    }
    contract_holds(c, PART_SLOTS,
                   "slot a +1000 SKIPPED run - changed\n"
                   "slot a +2000 MISSED run - changed\n");
}

static void overlap_waits_or_skips(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot first = contract_claim(c, job, 1000);
    struct store_slot waits = contract_slot(c, job, 2000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    waits.forbid_overlap = true;
    assert_int_equal(contract_decide(c, &waits), VERDICT_OVERLAP);
    contract_holds(c, PART_SLOTS | PART_JOBS,
                   "slot a +1000 - run #2 \njob 1 a s mark +1000 success - throttle 0\n");

    struct store_slot skips = contract_slot(c, job, 2000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    skips.forbid_overlap = true;
    skips.skip_on_overlap = true;
    for (int repeat = 0; repeat < 2; repeat++) {
        assert_int_equal(contract_decide(c, &skips), VERDICT_OVERLAP);
    }
    contract_holds(c, PART_SLOTS, "slot a +1000 - run #2 \nslot a +2000 SKIPPED run - overlap\n");
    // The repeat of a claim is not an overlap with itself.
    first.forbid_overlap = true;
    assert_int_equal(contract_decide(c, &first), VERDICT_CLAIMED);
    // allow: no guard.
    struct store_slot allowed = contract_slot(c, job, 3000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    assert_int_equal(contract_decide(c, &allowed), VERDICT_CLAIMED);
    contract_end(c, &first, RUN_SUCCESS, INSTANT_NONE);
    contract_end(c, &allowed, RUN_SUCCESS, INSTANT_NONE);
    struct store_slot free_again = contract_slot(c, job, 4000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    free_again.forbid_overlap = true;
    assert_int_equal(contract_decide(c, &free_again), VERDICT_CLAIMED);
}

static void overlap_counts_within_one_batch(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slots[2];
    for (int i = 0; i < 2; i++) {
        slots[i] = contract_slot(c, job, 1000 * (i + 1), DECIDE_RUN, TRIGGER_CATCHUP, 1);
        slots[i].forbid_overlap = true;
    }
    struct store_op_decide decide = {
        .op.kind = STORE_DECIDE, .node = c->node, .slots = slots, .slot_count = 2};
    CALL_OK(c, &decide);
    assert_int_equal(slots[0].verdict, VERDICT_CLAIMED);
    assert_int_equal(slots[1].verdict, VERDICT_OVERLAP);
}

static void retries_advance_by_one(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot first = contract_claim(c, job, 1000);
    struct store_slot early = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_RETRY, 2);
    assert_int_equal(contract_decide(c, &early), VERDICT_TAKEN); // attempt 1 still runs
    contract_end(c, &first, RUN_FAILED, at_ms(9000));
    contract_holds(c, PART_SLOTS | PART_RETRIES,
                   "slot a +1000 - run #2 \nretry of job 1 +1000 attempt 2 at +9000\n");
    struct store_slot jumps = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_RETRY, 3);
    assert_int_equal(contract_decide(c, &jumps), VERDICT_TAKEN);
    struct store_slot second = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_RETRY, 2);
    assert_int_equal(contract_decide(c, &second), VERDICT_CLAIMED);
    assert_true(second.fence > first.fence);
    int64_t fence = second.fence;
    assert_int_equal(contract_decide(c, &second), VERDICT_CLAIMED); // repeated
    assert_int_equal(second.fence, fence);
    struct store_slot rival = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_RETRY, 2);
    assert_int_equal(contract_decide(c, &rival), VERDICT_TAKEN);
    contract_holds(c, PART_SLOTS | PART_RETRIES, "slot a +1000 - run #5 \n");
    assert_false(contract_end(c, &second, RUN_SUCCESS, INSTANT_NONE));
    struct store_slot third = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_RETRY, 3);
    assert_int_equal(contract_decide(c, &third), VERDICT_TAKEN); // closed
    contract_holds(c, PART_SLOTS | PART_JOBS,
                   "slot a +1000 SUCCESS run #5 \njob 1 a s mark +1000 success +0 throttle 0\n");
}

static void a_waiting_retry_can_be_given_up(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot first = contract_claim(c, job, 1000);
    contract_end(c, &first, RUN_FAILED, at_ms(9000));
    struct store_slot skip = contract_slot(c, job, 1000, DECIDE_SKIP, TRIGGER_RETRY, 2);
    skip.reason = REASON_PAUSED;
    for (int repeat = 0; repeat < 2; repeat++) {
        assert_int_equal(contract_decide(c, &skip), VERDICT_WRITTEN);
    }
    contract_holds(c, PART_SLOTS | PART_RETRIES, "slot a +1000 SKIPPED run #2 paused\n");
}

static void manual_runs_have_no_slot(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot manual = contract_slot(c, job, 700, DECIDE_RUN, TRIGGER_MANUAL, 1);
    manual.forbid_overlap = true;
    struct store_op_decide decide = {.op.kind = STORE_DECIDE,
                                     .node = c->node,
                                     .actor = "ann@h1",
                                     .slots = &manual,
                                     .slot_count = 1};
    for (int repeat = 0; repeat < 2; repeat++) {
        CALL_OK(c, &decide);
        assert_int_equal(manual.verdict, VERDICT_CLAIMED);
        assert_int_equal(manual.fence, 1);
    }
    struct store_slot other = contract_slot(c, job, 800, DECIDE_RUN, TRIGGER_MANUAL, 1);
    other.forbid_overlap = true;
    assert_int_equal(contract_decide(c, &other), VERDICT_OVERLAP);
    assert_false(contract_end(c, &manual, RUN_SUCCESS, INSTANT_NONE));
    struct store_slot dry = contract_slot(c, job, 900, DECIDE_DRY_RUN, TRIGGER_MANUAL, 1);
    assert_int_equal(contract_decide(c, &dry), VERDICT_WRITTEN);
    contract_holds(
        c, PART_SLOTS | PART_RUNS | PART_JOBS,
        "run 2 #4 a due +900 attempt 1 manual DRY_RUN node #1 started +0 ended +0 took 0 exit -0 "
        "none error -\n"
        "run 1 #2 a due +700 attempt 1 manual SUCCESS node #1 started +0 ended +0 took 1500 exit "
        "-0 none error -\n"
        "job 1 a s mark +0 success +0 throttle 0\n");
}

static void backfills_below_the_mark(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot first = contract_claim(c, job, 5000);
    struct store_slot open = contract_slot(c, job, 5000, DECIDE_RUN, TRIGGER_BACKFILL, 2);
    assert_int_equal(contract_decide(c, &open), VERDICT_TAKEN);
    contract_end(c, &first, RUN_FAILED, INSTANT_NONE);
    assert_int_equal(contract_decide(c, &open), VERDICT_CLAIMED);
    assert_int_equal(contract_decide(c, &open), VERDICT_CLAIMED); // repeated
    struct store_slot missing = contract_slot(c, job, 3000, DECIDE_RUN, TRIGGER_BACKFILL, 1);
    assert_int_equal(contract_decide(c, &missing), VERDICT_CLAIMED);
    struct store_slot above = contract_slot(c, job, 6000, DECIDE_RUN, TRIGGER_BACKFILL, 1);
    assert_int_equal(contract_decide(c, &above), VERDICT_TAKEN);
    contract_end(c, &open, RUN_SUCCESS, INSTANT_NONE);
    struct store_slot dry = contract_slot(c, job, 5000, DECIDE_DRY_RUN, TRIGGER_BACKFILL, 3);
    assert_int_equal(contract_decide(c, &dry), VERDICT_WRITTEN);
    contract_holds(c, PART_SLOTS | PART_JOBS,
                   "slot a +3000 - run #4 \nslot a +5000 SUCCESS run #3 \n"
                   "job 1 a s mark +5000 success +0 throttle 0\n");
}

static void a_thousand_slots_in_one_operation(void **state)
{
    struct contract *c = *state;
    enum { COUNT = STORE_BATCH_MAX };
    struct store_slot *slots = calloc(COUNT + 1, sizeof *slots);
    for (int i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "j%d", i % 500);
        int64_t job = i < 500 ? contract_publish(c, name, "s") : slots[i - 500].job_id;
        slots[i] = contract_slot(c, job, 1000 * (1 + i / 500), DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    }
    struct store_op_decide decide = {
        .op.kind = STORE_DECIDE, .node = c->node, .slots = slots, .slot_count = COUNT};
    CALL_OK(c, &decide);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(slots[i].verdict, VERDICT_CLAIMED);
        assert_int_equal(slots[i].fence, i + 1);
    }
    slots[COUNT] = slots[0];
    decide.slot_count = COUNT + 1;
    CALL_REFUSED(c, &decide);
    free(slots);
}

static void refuses_what_makes_no_sense(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot good = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    struct store_slot bad[8];
    for (int i = 0; i < 8; i++) {
        bad[i] = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    }
    bad[0].job_id = 0;
    bad[1].job_id = 77;
    bad[2].run_id = (struct uuid){{0}};
    bad[3].attempt = 0;
    bad[4].decision = DECIDE_SKIP, bad[4].trigger = TRIGGER_MANUAL;
    bad[5].decision = DECIDE_MISS, bad[5].trigger = TRIGGER_BACKFILL;
    bad[6].due_at = INSTANT_NONE;
    bad[7].detail = "a\nb";
    for (int i = 0; i < 8; i++) {
        struct store_slot slots[2] = {good, bad[i]};
        struct store_op_decide decide = {
            .op.kind = STORE_DECIDE, .node = c->node, .slots = slots, .slot_count = 2};
        CALL_REFUSED(c, &decide);
    }
    contract_holds(c, PART_RUNS | PART_SLOTS | PART_JOBS,
                   "job 1 a s mark +0 success - throttle 0\n");
}

static void a_node_that_is_not_live_claims_nothing(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct uuid old = c->node;
    contract_join(c);
    struct store_slot slot = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    struct store_op_decide decide = {
        .op.kind = STORE_DECIDE, .node = old, .slots = &slot, .slot_count = 1};
    CALL_REFUSED(c, &decide);
    decide.node = contract_id(c);
    CALL_REFUSED(c, &decide);
    contract_holds(c, PART_RUNS | PART_SLOTS, "");
}

static const struct CMUnitTest tests[] = {
    CONTRACT_TEST(claims_a_slot_once),
    CONTRACT_TEST(an_ended_run_is_not_ours_to_start_again),
    CONTRACT_TEST(nothing_below_the_mark_is_decided_again),
    CONTRACT_TEST(skips_misses_and_rehearses),
    CONTRACT_TEST(a_schedule_in_force_can_be_demanded),
    CONTRACT_TEST(overlap_waits_or_skips),
    CONTRACT_TEST(overlap_counts_within_one_batch),
    CONTRACT_TEST(retries_advance_by_one),
    CONTRACT_TEST(a_waiting_retry_can_be_given_up),
    CONTRACT_TEST(manual_runs_have_no_slot),
    CONTRACT_TEST(backfills_below_the_mark),
    CONTRACT_TEST(a_thousand_slots_in_one_operation),
    CONTRACT_TEST(refuses_what_makes_no_sense),
    CONTRACT_TEST(a_node_that_is_not_live_claims_nothing),
};
const struct contract_tests contract_decide_tests = {tests, sizeof tests / sizeof tests[0]};
