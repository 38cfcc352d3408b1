// SPDX-License-Identifier: MIT
// The model's faults, and what a caller that repeats itself gets after them.
#include "../../contract/contract.h"

#include <string.h>

#include "store/model/model_store.h"

static int setup(void **state)
{
    static struct contract contract;
    memset(&contract, 0, sizeof contract);
    contract_clock_init(&contract.clock);
    contract.store = model_store_new(&contract.clock.clock);
    contract_join(&contract);
    *state = &contract;
    return 0;
}

static int teardown(void **state)
{
    store_close(((struct contract *)*state)->store);
    return 0;
}

static struct store_op_decide claim(struct contract *c, struct store_slot *slot)
{
    return (struct store_op_decide){
        .op.kind = STORE_DECIDE, .node = c->node, .slots = slot, .slot_count = 1};
}

static void unavailable_means_certainly_not_done(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    struct store_op_decide decide = claim(c, &slot);
    model_store_fault(c->store, MODEL_FAULT_UNAVAILABLE, 2);
    contract_call(c, &decide.op, STORE_UNAVAILABLE);
    contract_call(c, &decide.op, STORE_UNAVAILABLE);
    contract_holds(c, PART_SLOTS | PART_RUNS, "");
    CALL_OK(c, &decide);
    assert_int_equal(slot.verdict, VERDICT_CLAIMED);
}

static void an_unknown_claim_is_settled_by_asking_again(void **state)
{
    static const enum model_fault faults[] = {MODEL_FAULT_UNKNOWN_APPLIED,
                                              MODEL_FAULT_UNKNOWN_LOST};
    for (int i = 0; i < 2; i++) {
        struct contract *c = *state;
        int64_t job = contract_publish(c, i == 0 ? "a" : "b", "s");
        struct store_slot slot = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
        slot.forbid_overlap = true;
        struct store_op_decide decide = claim(c, &slot);
        model_store_fault(c->store, faults[i], 1);
        contract_call(c, &decide.op, STORE_UNKNOWN);
        CALL_OK(c, &decide);
        assert_int_equal(slot.verdict, VERDICT_CLAIMED);
        assert_int_equal(slot.fence, i + 1);
    }
    struct contract *c = *state;
    contract_holds(c, PART_SLOTS, "slot a +1000 - run #2 \nslot b +1000 - run #3 \n");
}

static void an_unknown_end_is_settled_by_asking_again(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = contract_claim(c, job, 1000);
    struct store_end end = {.run_id = slot.run_id, .fence = slot.fence, .state = RUN_SUCCESS};
    struct store_op_finish finish = {
        .op.kind = STORE_FINISH, .node = c->node, .ends = &end, .end_count = 1};
    model_store_fault(c->store, MODEL_FAULT_UNKNOWN_APPLIED, 1);
    contract_call(c, &finish.op, STORE_UNKNOWN);
    CALL_OK(c, &finish);
    assert_false(end.stale);
    contract_holds(c, PART_SLOTS, "slot a +1000 SUCCESS run #2 \n");
}

static void a_fault_strikes_the_whole_pump(void **state)
{
    struct contract *c = *state;
    struct store_op_audit first = {.op.kind = STORE_AUDIT, .event = "A"};
    struct store_op_audit second = {.op.kind = STORE_AUDIT, .event = "B"};
    model_store_fault(c->store, MODEL_FAULT_UNAVAILABLE, 1);
    struct error err = ERROR_INIT;
    first.op.done = store_op_release;
    store_submit(c->store, &first.op);
    assert_false(store_call(c->store, &second.op, &err));
    assert_int_equal(first.op.result, STORE_UNAVAILABLE);
    CALL_OK(c, &first);
}

static void each_session_has_faults_of_its_own(void **state)
{
    struct contract *c = *state;
    struct contract other = *c;
    other.store = model_store_attach(c->store);
    model_store_fault(c->store, MODEL_FAULT_UNAVAILABLE, 1);
    int64_t job = contract_publish(&other, "a", "s");
    struct store_op_audit note = {.op.kind = STORE_AUDIT, .event = "A"};
    contract_call(c, &note.op, STORE_UNAVAILABLE);
    contract_claim(c, job, 1000); // the rows are the same
    store_close(other.store);
}

static void nobody_is_overdue_before_the_store_was_up_for_as_long(void **state)
{
    struct contract *c = *state;
    struct store_op_join join = {.op.kind = STORE_JOIN,
                                 .node = contract_id(c),
                                 .host = "h2",
                                 .version = "1",
                                 .lease = DURATION_S(60),
                                 .grace = DURATION_S(10)};
    CALL_OK(c, &join);
    store_op_release(&join.op);
    contract_advance(&c->clock, 100000);
    model_store_up_since(c->store, at_ms(60000));
    struct store_op_fence fence = {
        .op.kind = STORE_FENCE, .node = c->node, .fencing_id = contract_id(c)};
    CALL_OK(c, &fence);
    assert_int_equal(fence.fenced_count, 0);
    store_op_release(&fence.op);
    contract_advance(&c->clock, 30001);
    CALL_OK(c, &fence);
    assert_int_equal(fence.fenced_count, 1);
    store_op_release(&fence.op);
}

#define MODEL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(unavailable_means_certainly_not_done),
        MODEL_TEST(an_unknown_claim_is_settled_by_asking_again),
        MODEL_TEST(an_unknown_end_is_settled_by_asking_again),
        MODEL_TEST(a_fault_strikes_the_whole_pump),
        MODEL_TEST(each_session_has_faults_of_its_own),
        MODEL_TEST(nobody_is_overdue_before_the_store_was_up_for_as_long),
    };
    return cmocka_run_group_tests_name("the model's faults", tests, NULL, NULL);
}
