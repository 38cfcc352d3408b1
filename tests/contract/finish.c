// SPDX-License-Identifier: MIT
// Ends, fences, and output.
#include "contract.h"

#include <stdlib.h>
#include <string.h>

static void each_final_state_closes_the_slot(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    static const enum run_state states[] = {RUN_SUCCESS, RUN_FAILED, RUN_TIMED_OUT, RUN_LOST,
                                            RUN_CANCELLED};
    for (int i = 0; i < 5; i++) {
        struct store_slot slot = contract_claim(c, job, 1000 * (i + 1));
        contract_advance(&c->clock, 10);
        assert_false(contract_end(c, &slot, states[i], INSTANT_NONE));
    }
    contract_holds(c, PART_SLOTS | PART_JOBS,
                   "slot a +1000 SUCCESS run #2 \nslot a +2000 FAILED run #3 \n"
                   "slot a +3000 TIMED_OUT run #4 \nslot a +4000 LOST run #5 \n"
                   "slot a +5000 CANCELLED run #6 \njob 1 a s mark +5000 success +10 throttle 0\n");
}

static void an_end_carries_its_facts(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = contract_claim(c, job, 1000);
    contract_advance(&c->clock, 2500);
    struct store_end end = {.run_id = slot.run_id,
                            .fence = slot.fence,
                            .state = RUN_FAILED,
                            .failure = FAILURE_EXIT,
                            .has_exit_code = true,
                            .exit_code = 3,
                            .error = "exit status 3",
                            .duration = DURATION_MS(2400),
                            .detail = "{\"cpu_ms\":7}"};
    struct store_op_finish finish = {
        .op.kind = STORE_FINISH, .node = c->node, .ends = &end, .end_count = 1};
    CALL_OK(c, &finish);
    contract_holds(
        c, PART_RUNS,
        "run 1 #2 a due +1000 attempt 1 schedule FAILED node #1 started +0 ended +2400 took 2400 "
        "exit 3 exit error exit status 3\n");
    // The repeat of a lost answer: nothing more is written.
    contract_advance(&c->clock, 100);
    CALL_OK(c, &finish);
    assert_false(end.stale);
    contract_holds(c, PART_AUDIT,
                   "audit 0 +0 NODE_STARTED - run - node #1 by - {\"host\":\"h1\"}\n"
                   "audit 0 +0 CONFIG_PUBLISHED - run - node #1 by me@h1 -\n"
                   "audit 0 +0 STARTED a run #2 node #1 by - {\"attempt\":1,\"due_at\":"
                   "\"2025-11-24T16:00:01.000Z\",\"trigger\":\"schedule\"}\n"
                   "audit 0 +2500 FAILED a run #2 node #1 by - {\"cpu_ms\":7}\n");
}

// What ended while nobody could be told is recorded as of then; the audit has when it was recorded.
static void an_end_that_is_told_late(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slots[3] = {contract_claim(c, job, 1000), contract_claim(c, job, 2000),
                                  contract_claim(c, job, 3000)};
    const struct duration durations[3] = {DURATION_MS(700), DURATION_MS(90000), DURATION_MS(-5)};
    struct store_end ends[3];
    for (int i = 0; i < 3; i++) {
        ends[i] = (struct store_end){.run_id = slots[i].run_id,
                                     .fence = slots[i].fence,
                                     .state = i == 1 ? RUN_FAILED : RUN_SUCCESS,
                                     .duration = durations[i]};
    }
    contract_advance(&c->clock, 60000);
    struct store_op_finish finish = {
        .op.kind = STORE_FINISH, .node = c->node, .ends = ends, .end_count = 3};
    CALL_OK(c, &finish);
    assert_true(finish.now.us == at_ms(60000).us);
    store_op_release(&finish.op);
    char *runs = contract_dump(c->store, PART_RUNS);
    assert_non_null(strstr(runs, "started +0 ended +700 took 700"));
    assert_non_null(strstr(runs, "started +0 ended +60000 took 90000")); // not later than now
    assert_non_null(strstr(runs, "started +0 ended +0 took"));           // nor before it began
    free(runs);
    contract_holds(c, PART_JOBS, "job 1 a s mark +3000 success +700 throttle 0\n");
    char *audit = contract_dump(c->store, PART_AUDIT);
    assert_non_null(strstr(audit, "+60000 SUCCESS a run #2"));
    free(audit);
}

static void a_stale_end_changes_nothing(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = contract_claim(c, job, 1000);
    struct store_slot wrong_fence = slot;
    wrong_fence.fence++;
    assert_true(contract_end(c, &wrong_fence, RUN_SUCCESS, INSTANT_NONE));
    struct store_slot unknown = slot;
    unknown.run_id = contract_id(c);
    assert_true(contract_end(c, &unknown, RUN_SUCCESS, INSTANT_NONE));
    contract_holds(c, PART_SLOTS, "slot a +1000 - run #2 \n");
    contract_end(c, &slot, RUN_TIMED_OUT, INSTANT_NONE);
    assert_true(contract_end(c, &slot, RUN_SUCCESS, INSTANT_NONE)); // another end than was written
    contract_holds(c, PART_SLOTS | PART_JOBS,
                   "slot a +1000 TIMED_OUT run #2 \njob 1 a s mark +1000 success - throttle 0\n");
    contract_holds(c, PART_AUDIT,
                   "audit 0 +0 NODE_STARTED - run - node #1 by - {\"host\":\"h1\"}\n"
                   "audit 0 +0 CONFIG_PUBLISHED - run - node #1 by me@h1 -\n"
                   "audit 0 +0 STARTED a run #2 node #1 by - {\"attempt\":1,\"due_at\":"
                   "\"2025-11-24T16:00:01.000Z\",\"trigger\":\"schedule\"}\n"
                   "audit 0 +0 STALE a run #2 node #1 by - -\n"
                   "audit 0 +0 STALE - run #3 node #1 by - -\n"
                   "audit 0 +0 TIMED_OUT a run #2 node #1 by - -\n"
                   "audit 0 +0 STALE a run #2 node #1 by - -\n");
}

static void an_end_of_an_older_attempt_leaves_the_slot(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot first = contract_claim(c, job, 1000);
    struct uuid dead = c->node;
    contract_join(c); // the first attempt is LOST
    struct store_slot second = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_RETRY, 2);
    assert_int_equal(contract_decide(c, &second), VERDICT_CLAIMED);
    struct uuid live = c->node;
    c->node = dead;
    assert_true(contract_end(c, &first, RUN_SUCCESS, INSTANT_NONE));
    c->node = live;
    contract_holds(c, PART_SLOTS, "slot a +1000 - run #4 \n");
}

// What a run on the store's own database has written by itself stands, whatever its node believed.
static void a_success_that_was_there_settles(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slots[2] = {contract_claim(c, job, 1000), contract_claim(c, job, 2000)};
    contract_end(c, &slots[0], RUN_SUCCESS, INSTANT_NONE);
    struct store_end ends[2];
    for (int i = 0; i < 2; i++) {
        ends[i] = (struct store_end){.run_id = slots[i].run_id,
                                     .fence = slots[i].fence,
                                     .state = RUN_FAILED,
                                     .failure = FAILURE_SQL,
                                     .error = "the connection was lost",
                                     .settles = true};
    }
    struct store_op_finish finish = {
        .op.kind = STORE_FINISH, .node = c->node, .ends = ends, .end_count = 2};
    CALL_OK(c, &finish);
    store_op_release(&finish.op);
    assert_true(ends[0].succeeded && !ends[0].stale);
    assert_false(ends[1].succeeded || ends[1].stale);
    contract_holds(c, PART_SLOTS, "slot a +1000 SUCCESS run #2 \nslot a +2000 FAILED run #3 \n");
    ends[0].fence++; // another claim's
    CALL_OK(c, &finish);
    store_op_release(&finish.op);
    assert_true(ends[0].stale && !ends[0].succeeded);
    assert_false(ends[1].stale || ends[1].succeeded);
}

static void long_errors_are_cut_at_a_character(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = contract_claim(c, job, 1000);
    char *text = malloc(8001);
    for (int i = 0; i < 4000; i++) {
        memcpy(text + 2 * i, "\xc3\xa9", 2); // é
    }
    text[0] = 'x';
    text[1] = 'y';
    memmove(text + 1, text + 2, 7998);
    text[7999] = '\0';
    struct store_end end = {
        .run_id = slot.run_id, .fence = slot.fence, .state = RUN_FAILED, .error = text};
    struct store_op_finish finish = {
        .op.kind = STORE_FINISH, .node = c->node, .ends = &end, .end_count = 1};
    CALL_OK(c, &finish);
    char *runs = contract_dump(c->store, PART_RUNS);
    const char *kept = strstr(runs, "error x");
    assert_non_null(kept);
    assert_int_equal(strlen(kept), strlen("error ") + 4095 + 1); // 1 + 2047 × 2 bytes, line feed
    free(runs);
    free(text);
}

static void refuses_an_end_that_is_none(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = contract_claim(c, job, 1000);
    struct store_end end = {.run_id = slot.run_id, .fence = slot.fence, .state = RUN_STARTED};
    struct store_op_finish finish = {
        .op.kind = STORE_FINISH, .node = c->node, .ends = &end, .end_count = 1};
    CALL_REFUSED(c, &finish);
}

// ---- output -------------------------------------------------------------------------------------

static void append(struct contract *c, struct uuid run, int64_t offset, const char *bytes,
                   size_t length, enum store_result expected)
{
    struct store_chunk chunk = {.run_id = run, .offset = offset, .bytes = bytes, .length = length};
    struct store_op_output output = {.op.kind = STORE_OUTPUT, .chunks = &chunk, .chunk_count = 1};
    contract_call(c, &output.op, expected);
}

static void output_is(struct contract *c, struct uuid run, int64_t offset, size_t size,
                      const char *expected)
{
    char bytes[64];
    size_t length = 99;
    struct error err = ERROR_INIT;
    assert_true(c->store->ops->read_output(c->store, run, offset, bytes, size, &length, &err));
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(bytes, expected, length);
}

static void output_is_appended_once(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct uuid run = contract_claim(c, job, 1000).run_id;
    append(c, run, 0, "hello ", 6, STORE_OK);
    append(c, run, 0, "hello ", 6, STORE_OK); // repeated
    append(c, run, 6, "wor", 3, STORE_OK);
    append(c, run, 6, "world", 5, STORE_OK); // overlaps
    append(c, run, 20, "x", 1, STORE_REFUSED);
    append(c, contract_id(c), 0, "x", 1, STORE_REFUSED);
    output_is(c, run, 0, 64, "hello world");
    output_is(c, run, 3, 5, "lo wo");
    output_is(c, run, 8, 64, "rld");
    output_is(c, run, 11, 64, "");
    output_is(c, run, 50, 64, "");
    output_is(c, contract_id(c), 0, 64, "");
}

static void output_keeps_any_byte(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct uuid run = contract_claim(c, job, 1000).run_id;
    char bytes[256];
    for (int i = 0; i < 256; i++) {
        bytes[i] = (char)i;
    }
    append(c, run, 0, bytes, sizeof bytes, STORE_OK);
    char found[300];
    size_t length;
    struct error err = ERROR_INIT;
    assert_true(c->store->ops->read_output(c->store, run, 0, found, sizeof found, &length, &err));
    assert_int_equal(length, 256);
    assert_memory_equal(found, bytes, 256);
}

static void a_bad_chunk_takes_none_of_its_operation(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct uuid run = contract_claim(c, job, 1000).run_id;
    struct store_chunk chunks[2] = {{.run_id = run, .offset = 0, .bytes = "abc", .length = 3},
                                    {.run_id = run, .offset = 9, .bytes = "x", .length = 1}};
    struct store_op_output output = {.op.kind = STORE_OUTPUT, .chunks = chunks, .chunk_count = 2};
    CALL_REFUSED(c, &output);
    output_is(c, run, 0, 64, "");
    chunks[1].offset = 3;
    CALL_OK(c, &output);
    output_is(c, run, 0, 64, "abcx");
}

static const struct CMUnitTest tests[] = {
    CONTRACT_TEST(each_final_state_closes_the_slot),
    CONTRACT_TEST(an_end_carries_its_facts),
    CONTRACT_TEST(an_end_that_is_told_late),
    CONTRACT_TEST(a_stale_end_changes_nothing),
    CONTRACT_TEST(an_end_of_an_older_attempt_leaves_the_slot),
    CONTRACT_TEST(a_success_that_was_there_settles),
    CONTRACT_TEST(long_errors_are_cut_at_a_character),
    CONTRACT_TEST(refuses_an_end_that_is_none),
    CONTRACT_TEST(output_is_appended_once),
    CONTRACT_TEST(output_keeps_any_byte),
    CONTRACT_TEST(a_bad_chunk_takes_none_of_its_operation),
};
const struct contract_tests contract_finish_tests = {tests, sizeof tests / sizeof tests[0]};
