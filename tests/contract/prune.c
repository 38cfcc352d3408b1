// SPDX-License-Identifier: MIT
// History goes, oldest first; what is still needed stays.
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct store_op_prune prune(struct contract *c, int64_t runs, int64_t output, int64_t audit,
                                   size_t limit)
{
    struct store_op_prune op = {.op.kind = STORE_PRUNE,
                                .runs_before = INSTANT_NONE,
                                .output_before = INSTANT_NONE,
                                .audit_before = INSTANT_NONE,
                                .limit = limit};
    if (runs >= 0) {
        op.runs_before = at_ms(runs);
    }
    if (output >= 0) {
        op.output_before = at_ms(output);
    }
    if (audit >= 0) {
        op.audit_before = at_ms(audit);
    }
    CALL_OK(c, &op);
    return op;
}

// Five slots a second apart: SUCCESS, FAILED, open with a retry, running, SUCCESS.
static void write_history(struct contract *c)
{
    int64_t job = contract_publish(c, "a", "s");
    static const enum run_state ends[] = {RUN_SUCCESS, RUN_FAILED, RUN_FAILED, RUN_STARTED,
                                          RUN_SUCCESS};
    for (int i = 0; i < 5; i++) {
        contract_advance(&c->clock, 1000);
        struct store_slot slot = contract_claim(c, job, 1000 * (i + 1));
        if (ends[i] != RUN_STARTED) {
            contract_end(c, &slot, ends[i], i == 2 ? at_ms(99000) : INSTANT_NONE);
        }
    }
}

static void keeps_what_is_open(void **state)
{
    struct contract *c = *state;
    write_history(c);
    struct store_op_prune done = prune(c, 5000, -1, -1, 100);
    assert_int_equal(done.deleted, 4); // two slots, two runs
    assert_false(done.more);
    char *runs = contract_dump(c->store, PART_RUNS);
    assert_non_null(strstr(runs, "run 5 "));
    assert_non_null(strstr(runs, "run 4 "));
    assert_non_null(strstr(runs, "run 3 ")); // its slot waits for a retry
    assert_null(strstr(runs, "run 2 "));
    assert_null(strstr(runs, "run 1 "));
    free(runs);
    contract_holds(c, PART_SLOTS | PART_JOBS | PART_RETRIES,
                   "slot a +3000 - run #4 \nslot a +4000 - run #5 \nslot a +5000 SUCCESS run #6 \n"
                   "job 1 a s mark +5000 success +5000 throttle 0\n"
                   "retry of job 1 +3000 attempt 2 at +99000\n");
    struct store_anchor anchor;
    struct error err = ERROR_INIT;
    assert_true(c->store->ops->read_anchor(c->store, &anchor, &err));
    assert_true(anchor.slots_from.us == at_ms(5000).us);
    assert_int_equal(anchor.seq, 0);
    // A slot that was pruned does not come back.
    struct store_slot old = contract_slot(c, 1, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    assert_int_equal(contract_decide(c, &old), VERDICT_TAKEN);
}

static void goes_piece_by_piece(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    for (int i = 1; i <= 5; i++) {
        contract_advance(&c->clock, 1000);
        struct store_slot slot = contract_claim(c, job, 1000 * i);
        contract_end(c, &slot, RUN_SUCCESS, INSTANT_NONE);
    }
    contract_advance(&c->clock, 1000);
    struct store_op_prune piece = prune(c, 6000, -1, -1, 2);
    assert_int_equal(piece.deleted, 4);
    assert_true(piece.more);
    contract_holds(c, PART_SLOTS,
                   "slot a +3000 SUCCESS run #4 \nslot a +4000 SUCCESS run #5 \nslot a +5000 "
                   "SUCCESS run #6 \n");
    piece = prune(c, 6000, -1, -1, 2);
    piece = prune(c, 6000, -1, -1, 2);
    assert_int_equal(piece.deleted, 2);
    assert_false(piece.more);
    contract_holds(c, PART_SLOTS | PART_RUNS, "");
    // Fences go on rising when no run is left.
    struct store_slot next = contract_claim(c, job, 6000);
    assert_int_equal(next.fence, 6);
}

static void output_goes_before_its_run_and_with_it(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slots[3];
    for (int i = 0; i < 3; i++) {
        contract_advance(&c->clock, 1000);
        slots[i] = contract_claim(c, job, 1000 * (i + 1));
        struct store_chunk chunks[2] = {{slots[i].run_id, 0, "abc", 3},
                                        {slots[i].run_id, 3, "def", 3}};
        struct store_op_output output = {
            .op.kind = STORE_OUTPUT, .chunks = chunks, .chunk_count = 2};
        CALL_OK(c, &output);
        if (i != 1) { // the second one runs on
            contract_end(c, &slots[i], RUN_SUCCESS, INSTANT_NONE);
        }
    }
    assert_int_equal(prune(c, -1, 2500, -1, 100).deleted, 2);
    static const size_t left[] = {0, 6, 6};
    for (int i = 0; i < 3; i++) {
        char bytes[16];
        size_t length;
        struct error err = ERROR_INIT;
        assert_true(c->store->ops->read_output(c->store, slots[i].run_id, 0, bytes, sizeof bytes,
                                               &length, &err));
        assert_int_equal(length, left[i]);
    }
    assert_int_equal(prune(c, 9000, -1, -1, 100).deleted,
                     2 + 2 + 2); // slots, runs, output of the third
}

static void the_anchor_takes_over_from_pruned_audit_rows(void **state)
{
    struct contract *c = *state;
    write_history(c);
    assert_int_equal(prune(c, -1, -1, 3000, 100).deleted, 0); // nothing is sealed
    contract_seal(c);
    char *before = contract_dump(c->store, PART_ALL);
    // NODE_STARTED, CONFIG_PUBLISHED, then two rows a slot: the rows before +3000 are six.
    struct store_op_prune piece = prune(c, -1, -1, 3000, 4);
    assert_int_equal(piece.deleted, 4);
    assert_true(piece.more);
    piece = prune(c, -1, -1, 3000, 4);
    assert_int_equal(piece.deleted, 2);
    struct store_anchor anchor;
    struct error err = ERROR_INIT;
    assert_true(c->store->ops->read_anchor(c->store, &anchor, &err));
    assert_int_equal(anchor.seq, 6);
    // The rows that are left are, hashes included, what they were.
    char *after = contract_dump(c->store, PART_ALL);
    const char *kept = strstr(after, "audit 7 ");
    assert_non_null(kept);
    size_t length = (size_t)(strstr(kept, "force ") - kept);
    const char *same = strstr(before, "audit 7 ");
    assert_memory_equal(kept, same, length);
    assert_null(strstr(after, "audit 6 "));
    free(before);
    free(after);
    // All of them: the chain goes on from the anchor alone.
    prune(c, -1, -1, 100000, 100);
    contract_holds(c, PART_AUDIT, "");
    struct store_op_audit op = {.op.kind = STORE_AUDIT, .event = "AFTER"};
    CALL_OK(c, &op);
    assert_int_equal(contract_seal(c), 1);
    contract_holds(c, PART_AUDIT, "audit 12 +5000 AFTER - run - node - by - -\n");
}

static void ended_intents_go_pending_ones_stay(void **state)
{
    struct contract *c = *state;
    struct uuid ids[2];
    for (int i = 0; i < 2; i++) {
        struct store_op_intent_put put = {
            .op.kind = STORE_INTENT_PUT,
            .intent = {.intent_id = contract_id(c), .kind = INTENT_RELOAD}};
        CALL_OK(c, &put);
        ids[i] = put.intent.intent_id;
    }
    struct store_op_intent_end end = {
        .op.kind = STORE_INTENT_END, .intent_id = ids[0], .state = INTENT_DONE};
    CALL_OK(c, &end);
    assert_int_equal(prune(c, 1000, -1, -1, 100).deleted, 1);
    contract_holds(c, PART_INTENTS, "intent #3 reload - run - - 0 by - as - - at +0\n");
}

static void control(struct contract *c, const char *job, int value)
{
    struct store_op_control op = {
        .op.kind = STORE_CONTROL, .kind = CONTROL_PAUSE, .job = job, .value = value, .actor = "by"};
    CALL_OK(c, &op);
}

static void ended_controls_go_once_no_slot_needs_them(void **state)
{
    struct contract *c = *state;
    control(c, "a", 1);
    contract_advance(&c->clock, 1000);
    control(c, "a", 0); // ended at +1000
    control(c, NULL, 1);
    contract_advance(&c->clock, 1000);
    control(c, NULL, 0); // ended at +2000
    control(c, "b", 1);  // still in force
    assert_int_equal(prune(c, 61000, -1, -1, 100).deleted, 0);
    assert_int_equal(prune(c, 61001, -1, -1, 100).deleted, 1);
    struct store_op_prune piece = prune(c, 900000, -1, -1, 1);
    assert_int_equal(piece.deleted, 1);
    assert_true(piece.more);
    assert_int_equal(prune(c, 900000, -1, -1, 1).deleted, 0);
    char *left = contract_dump(c->store, PART_CONTROLS);
    assert_non_null(strstr(left, "b"));
    assert_null(strchr(strchr(left, '\n') + 1, '\n')); // one line
    free(left);
    struct store_anchor anchor;
    struct error err = ERROR_INIT;
    assert_true(c->store->ops->read_anchor(c->store, &anchor, &err));
    assert_int_equal(anchor.slots_from.us, at_ms(900000).us); // nobody recomputes earlier slots
}

static void refuses_a_limit_of_zero(void **state)
{
    struct contract *c = *state;
    struct store_op_prune op = {.op.kind = STORE_PRUNE};
    CALL_REFUSED(c, &op);
}

static const struct CMUnitTest tests[] = {
    CONTRACT_TEST(keeps_what_is_open),
    CONTRACT_TEST(goes_piece_by_piece),
    CONTRACT_TEST(output_goes_before_its_run_and_with_it),
    CONTRACT_TEST(the_anchor_takes_over_from_pruned_audit_rows),
    CONTRACT_TEST(ended_intents_go_pending_ones_stay),
    CONTRACT_TEST(ended_controls_go_once_no_slot_needs_them),
    CONTRACT_TEST(refuses_a_limit_of_zero),
};
const struct contract_tests contract_prune_tests = {tests, sizeof tests / sizeof tests[0]};
