// SPDX-License-Identifier: MIT
// Slots that wait for other jobs, slots that somebody wants tried again, and looking at slots.
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

static struct store_slot waiting(struct contract *c, int64_t job, int64_t due_ms)
{
    struct store_slot slot = contract_slot(c, job, due_ms, DECIDE_WAIT, TRIGGER_SCHEDULE, 1);
    slot.wait_until = at_ms(due_ms + 60000);
    return slot;
}

static struct store_slot awaited(struct contract *c, int64_t job, int64_t due_ms,
                                 enum store_decision decision)
{
    struct store_slot slot = contract_slot(c, job, due_ms, decision, TRIGGER_SCHEDULE, 1);
    slot.awaited = true;
    return slot;
}

static void a_slot_waits_without_a_word_in_the_audit(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = waiting(c, job, 1000);
    for (int repeat = 0; repeat < 2; repeat++) { // the second time as after an unknown commit
        assert_int_equal(contract_decide(c, &slot), VERDICT_WRITTEN);
    }
    contract_holds(c, PART_SLOTS | PART_JOBS | PART_RETRIES,
                   "slot a +1000 - run - after\n"
                   "job 1 a s mark +1000 success - throttle 0\n"
                   "retry of job 1 +1000 attempt 1 at +61000\n");
    contract_holds(c, PART_AUDIT,
                   "audit 0 +0 NODE_STARTED - run - node #1 by - {\"host\":\"h1\"}\n"
                   "audit 0 +0 CONFIG_PUBLISHED - run - node #1 by me@h1 -\n");
    // Later slots go their way.
    struct store_slot later = contract_claim(c, job, 2000);
    contract_end(c, &later, RUN_SUCCESS, INSTANT_NONE);
    // It is the next node's that is alone.
    contract_join(c);
    struct store_slot other = waiting(c, job, 1000);
    assert_int_equal(contract_decide(c, &other), VERDICT_WRITTEN);
}

static void an_awaited_slot_runs_under_its_own_trigger(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = waiting(c, job, 1000);
    contract_decide(c, &slot);
    struct store_slot next = contract_claim(c, job, 2000); // above it
    struct store_slot run = awaited(c, job, 1000, DECIDE_RUN);
    run.forbid_overlap = true;
    assert_int_equal(contract_decide(c, &run), VERDICT_OVERLAP);
    contract_end(c, &next, RUN_SUCCESS, INSTANT_NONE);
    for (int repeat = 0; repeat < 2; repeat++) {
        assert_int_equal(contract_decide(c, &run), VERDICT_CLAIMED);
    }
    contract_holds(c, PART_SLOTS | PART_RETRIES | PART_JOBS,
                   "slot a +1000 - run #3 \nslot a +2000 SUCCESS run #2 \n"
                   "job 1 a s mark +2000 success +0 throttle 0\n");
    struct store_slot twice = awaited(c, job, 1000, DECIDE_RUN);
    assert_int_equal(contract_decide(c, &twice), VERDICT_TAKEN);
    contract_end(c, &run, RUN_FAILED, at_ms(5000));
    // It waits for its second attempt now, which is nothing to be awaited.
    assert_int_equal(contract_decide(c, &twice), VERDICT_TAKEN);
    struct store_slot retry = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_RETRY, 2);
    assert_int_equal(contract_decide(c, &retry), VERDICT_CLAIMED);
}

static void an_awaited_slot_is_passed_over_or_rehearsed(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    for (int i = 1; i <= 4; i++) {
        struct store_slot slot = waiting(c, job, 1000 * i);
        assert_int_equal(contract_decide(c, &slot), VERDICT_WRITTEN);
    }
    struct store_slot skip = awaited(c, job, 1000, DECIDE_SKIP);
    skip.reason = REASON_AFTER;
    struct store_slot dry = awaited(c, job, 2000, DECIDE_DRY_RUN);
    for (int repeat = 0; repeat < 2; repeat++) {
        assert_int_equal(contract_decide(c, &skip), VERDICT_WRITTEN);
        assert_int_equal(contract_decide(c, &dry), VERDICT_WRITTEN);
    }
    // As the first attempt of a retry it can be given up.
    struct store_slot gone = contract_slot(c, job, 3000, DECIDE_SKIP, TRIGGER_RETRY, 1);
    gone.reason = REASON_REMOVED;
    assert_int_equal(contract_decide(c, &gone), VERDICT_WRITTEN);
    struct store_slot running = contract_claim(c, job, 9000);
    struct store_slot overlap = awaited(c, job, 4000, DECIDE_RUN);
    overlap.forbid_overlap = overlap.skip_on_overlap = true;
    assert_int_equal(contract_decide(c, &overlap), VERDICT_OVERLAP);
    contract_end(c, &running, RUN_SUCCESS, INSTANT_NONE);
    contract_holds(c, PART_SLOTS | PART_RETRIES,
                   "slot a +1000 SKIPPED run - after\nslot a +2000 DRY_RUN run #2 \n"
                   "slot a +3000 SKIPPED run - removed\nslot a +4000 SKIPPED run - overlap\n"
                   "slot a +9000 SUCCESS run #3 \n");
}

static void waiting_survives_the_node(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = waiting(c, job, 1000);
    contract_decide(c, &slot);
    contract_join(c);
    contract_holds(c, PART_SLOTS | PART_RETRIES,
                   "slot a +1000 - run - after\nretry of job 1 +1000 attempt 1 at +61000\n");
    struct store_slot run = awaited(c, job, 1000, DECIDE_RUN);
    assert_int_equal(contract_decide(c, &run), VERDICT_CLAIMED);
}

static void by_hand_a_slot_that_ended_badly_is_tried_again(void **state)
{
    struct contract *c = *state;
    static const enum run_state states[] = {RUN_FAILED, RUN_TIMED_OUT, RUN_LOST, RUN_CANCELLED,
                                            RUN_SUCCESS};
    int64_t job = contract_publish(c, "a", "s");
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        int64_t due = 1000 * (int64_t)(i + 1);
        struct store_slot first = contract_claim(c, job, due);
        struct store_slot open = contract_slot(c, job, due, DECIDE_RUN, TRIGGER_RETRY, 2);
        open.by_hand = true;
        assert_int_equal(contract_decide(c, &open), VERDICT_TAKEN);
        contract_end(c, &first, states[i], INSTANT_NONE);
        struct store_slot skipped = contract_slot(c, job, due, DECIDE_RUN, TRIGGER_RETRY, 3);
        skipped.by_hand = true;
        assert_int_equal(contract_decide(c, &skipped), VERDICT_TAKEN);
        struct store_slot again = contract_slot(c, job, due, DECIDE_RUN, TRIGGER_RETRY, 2);
        again.by_hand = true;
        for (int repeat = 0; repeat < 2; repeat++) {
            assert_int_equal(contract_decide(c, &again),
                             states[i] == RUN_SUCCESS ? VERDICT_TAKEN : VERDICT_CLAIMED);
        }
        if (states[i] != RUN_SUCCESS) {
            contract_end(c, &again, RUN_SUCCESS, INSTANT_NONE);
        }
    }
}

static void by_hand_a_waiting_attempt_is_left_alone(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot first = contract_claim(c, job, 1000);
    contract_end(c, &first, RUN_FAILED, at_ms(5000));
    struct store_slot again = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_RETRY, 2);
    again.by_hand = true;
    assert_int_equal(contract_decide(c, &again), VERDICT_TAKEN);
}

// ---- looking ------------------------------------------------------------------------------------

// All that is found, in as many calls as it takes: "1000=FAILED/2 …".
static void look(struct contract *c, struct store_slots_item item, const char *expected)
{
    char found[4096] = "";
    int calls = 0;
    do {
        struct store_op_slots op = {.op.kind = STORE_SLOTS, .items = &item, .item_count = 1};
        CALL_OK(c, &op);
        assert_true(item.found_count <= item.limit);
        assert_false(instant_before(item.until, item.seen));
        for (size_t i = 0; i < item.found_count; i++) {
            const char *outcome = slot_outcome_name(item.found[i].outcome);
            size_t used = strlen(found);
            snprintf(found + used, sizeof found - used, "%s%lld=%s/%d", used > 0 ? " " : "",
                     (long long)(instant_ms(item.found[i].due_at) - T0),
                     outcome == NULL ? "open" : outcome, item.found[i].attempt);
        }
        store_op_release(&op.op);
        item.since = instant_add(item.seen, DURATION_MS(1));
    } while (instant_before(item.seen, item.until) && ++calls < 100);
    assert_string_equal(found, expected);
}

static void finds_the_slots_of_one_job(void **state)
{
    struct contract *c = *state;
    int64_t before = contract_publish(c, "a", "s");
    int64_t job = contract_publish(c, "b", "s");
    int64_t behind = contract_publish(c, "c", "s");
    int64_t jobs[] = {before, job, behind};
    for (int64_t due = 1000; due <= 5000; due += 1000) {
        for (size_t i = 0; i < 3; i++) {
            if (i == 1 && due == 3000) {
                continue; // all have it but ours
            }
            struct store_slot slot = contract_claim(c, jobs[i], due);
            if (due != 5000) {
                contract_end(c, &slot, due == 2000 ? RUN_FAILED : RUN_SUCCESS, INSTANT_NONE);
            }
        }
    }
    struct store_slots_item all = {
        .job_id = job, .since = at_ms(0), .until = at_ms(9000), .limit = 100};
    look(c, all, "1000=SUCCESS/1 2000=FAILED/1 4000=SUCCESS/1 5000=open/1");
    all.limit = 1; // in many calls
    look(c, all, "1000=SUCCESS/1 2000=FAILED/1 4000=SUCCESS/1 5000=open/1");
    all.unsuccessful = true;
    look(c, all, "2000=FAILED/1 5000=open/1");
    all.since = at_ms(2000); // both ends belong to it
    all.until = at_ms(5000);
    look(c, all, "2000=FAILED/1 5000=open/1");
    all.since = at_ms(2001);
    all.until = at_ms(4999);
    look(c, all, "");
    all.until = at_ms(2000); // nothing lies between
    look(c, all, "");
}

static void tells_what_else_is_to_be_known(void **state)
{
    struct contract *c = *state;
    contract_advance(&c->clock, 500);
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = contract_claim(c, job, 2000);
    struct store_slots_item items[] = {
        {.job_id = job, .since = at_ms(0), .until = at_ms(9000), .limit = 9},
        {.job_id = 77, .since = at_ms(0), .until = at_ms(9000), .limit = 9},
    };
    struct store_op_slots op = {.op.kind = STORE_SLOTS, .items = items, .item_count = 2};
    CALL_OK(c, &op);
    assert_int_equal(items[0].found_count, 1);
    assert_true(uuid_equal(items[0].found[0].run_id, slot.run_id));
    assert_true(instant_equal(items[0].high_water, at_ms(2000)));
    assert_true(instant_equal(items[0].force_from, at_ms(500)));
    assert_int_equal(items[1].found_count, 0);
    assert_true(instant_is_none(items[1].high_water));
    assert_true(instant_is_none(items[1].force_from));
    assert_true(instant_equal(items[1].seen, at_ms(9000)));
    assert_true(instant_is_none(op.slots_from));
    store_op_release(&op.op);
    items[0].limit = 0;
    CALL_REFUSED(c, &op);
}

static void says_how_far_an_intent_is(void **state)
{
    struct contract *c = *state;
    struct store_op_intent_put put = {.op.kind = STORE_INTENT_PUT,
                                      .intent = {.intent_id = contract_id(c),
                                                 .kind = INTENT_BACKFILL,
                                                 .job = "a",
                                                 .params = "{}",
                                                 .actor = "me"}};
    CALL_OK(c, &put);
    store_op_release(&put.op);
    for (int i = 0; i < 3; i++) {
        static const char *const words[] = {"1 of 3", "2 of 3", "done"};
        struct store_op_intent_note note = {
            .op.kind = STORE_INTENT_NOTE, .intent_id = put.intent.intent_id, .answer = words[i]};
        struct store_op_intent_end end = {.op.kind = STORE_INTENT_END,
                                          .intent_id = put.intent.intent_id,
                                          .state = INTENT_DONE,
                                          .answer = words[i]};
        contract_call(c, i < 2 ? &note.op : &end.op, STORE_OK);
        store_op_release(i < 2 ? &note.op : &end.op);
        struct arena arena;
        struct store_intent found;
        struct error err = ERROR_INIT;
        arena_init(&arena, 65536);
        assert_true(
            c->store->ops->read_intent(c->store, put.intent.intent_id, &arena, &found, &err));
        assert_string_equal(found.answer, words[i]);
        assert_int_equal(found.state, i < 2 ? INTENT_PENDING : INTENT_DONE);
        arena_release(&arena);
    }
    // What has ended is not written to any more.
    struct store_op_intent_note late = {
        .op.kind = STORE_INTENT_NOTE, .intent_id = put.intent.intent_id, .answer = "late"};
    CALL_OK(c, &late);
    store_op_release(&late.op);
    struct arena arena;
    struct store_intent found;
    struct error err = ERROR_INIT;
    arena_init(&arena, 65536);
    assert_true(c->store->ops->read_intent(c->store, put.intent.intent_id, &arena, &found, &err));
    assert_string_equal(found.answer, "done");
    arena_release(&arena);
}

static const struct CMUnitTest tests[] = {
    CONTRACT_TEST(a_slot_waits_without_a_word_in_the_audit),
    CONTRACT_TEST(an_awaited_slot_runs_under_its_own_trigger),
    CONTRACT_TEST(an_awaited_slot_is_passed_over_or_rehearsed),
    CONTRACT_TEST(waiting_survives_the_node),
    CONTRACT_TEST(by_hand_a_slot_that_ended_badly_is_tried_again),
    CONTRACT_TEST(by_hand_a_waiting_attempt_is_left_alone),
    CONTRACT_TEST(finds_the_slots_of_one_job),
    CONTRACT_TEST(tells_what_else_is_to_be_known),
    CONTRACT_TEST(says_how_far_an_intent_is),
};
const struct contract_tests contract_slots_tests = {tests, sizeof tests / sizeof tests[0]};
