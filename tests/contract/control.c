// SPDX-License-Identifier: MIT
// Runtime controls and intents.
#include "contract.h"

#include <stdlib.h>
#include <string.h>

static bool control(struct contract *c, const char *job, enum store_control_kind kind, int value,
                    const char *reason)
{
    struct store_op_control op = {.op.kind = STORE_CONTROL,
                                  .job = job,
                                  .kind = kind,
                                  .value = value,
                                  .actor = "ann@h1",
                                  .reason = reason};
    CALL_OK(c, &op);
    return op.changed;
}

static void controls_are_kept_with_from_and_to(void **state)
{
    struct contract *c = *state;
    assert_true(control(c, "a", CONTROL_PAUSE, 1, "deploy"));
    contract_advance(&c->clock, 100);
    assert_false(control(c, "a", CONTROL_PAUSE, 1, "again"));
    assert_true(control(c, NULL, CONTROL_PAUSE, 1, NULL));
    assert_true(control(c, "a", CONTROL_THROTTLE, 2, NULL));
    contract_advance(&c->clock, 100);
    assert_true(control(c, "a", CONTROL_THROTTLE, 5, NULL));
    assert_true(control(c, "a", CONTROL_PAUSE, 0, NULL));
    assert_false(control(c, "a", CONTROL_PAUSE, 0, NULL));
    assert_true(control(c, NULL, CONTROL_DRY_RUN, 1, NULL));
    contract_advance(&c->clock, 100);
    assert_true(control(c, NULL, CONTROL_DRY_RUN, 0, NULL));
    assert_true(control(c, "a", CONTROL_THROTTLE, 0, "calm"));
    contract_holds(c, PART_CONTROLS | PART_AUDIT,
                   "audit 0 +0 NODE_STARTED - run - node #1 by - {\"host\":\"h1\"}\n"
                   "audit 0 +0 PAUSED a run - node - by ann@h1 {\"reason\":\"deploy\"}\n"
                   "audit 0 +100 PAUSED - run - node - by ann@h1 -\n"
                   "audit 0 +100 THROTTLED a run - node - by ann@h1 {\"factor\":2}\n"
                   "audit 0 +200 THROTTLED a run - node - by ann@h1 {\"factor\":5}\n"
                   "audit 0 +200 RESUMED a run - node - by ann@h1 -\n"
                   "audit 0 +200 DRY_RUN_ON - run - node - by ann@h1 -\n"
                   "audit 0 +300 DRY_RUN_OFF - run - node - by ann@h1 -\n"
                   "audit 0 +300 UNTHROTTLED a run - node - by ann@h1 {\"reason\":\"calm\"}\n"
                   "control a pause 1 from +0 to +200 by ann@h1 deploy\n"
                   "control - pause 1 from +100 to - by ann@h1 -\n"
                   "control a throttle 2 from +100 to +200 by ann@h1 -\n"
                   "control a throttle 5 from +200 to +300 by ann@h1 -\n"
                   "control - dry-run 1 from +200 to +300 by ann@h1 -\n");
    struct store_op_intent_take take = {.op.kind = STORE_INTENT_TAKE};
    CALL_OK(c, &take);
    assert_int_equal(take.control_count, 1);
    assert_null(take.controls[0].job);
    assert_int_equal(take.controls[0].kind, CONTROL_PAUSE);
    assert_true(instant_is_none(take.controls[0].to));
    store_op_release(&take.op);
    take.ended_since = at_ms(200); // what ended just then is not meant
    CALL_OK(c, &take);
    assert_int_equal(take.control_count, 3);
    assert_true(instant_is_none(take.controls[0].to));
    assert_int_equal(take.controls[1].kind, CONTROL_THROTTLE);
    assert_int_equal(take.controls[1].value, 5);
    assert_true(take.controls[1].to.us == at_ms(300).us);
    assert_int_equal(take.controls[2].kind, CONTROL_DRY_RUN);
    store_op_release(&take.op);
}

static void says_for_whom_it_acts(void **state)
{
    struct contract *c = *state;
    struct store_op_control op = {.op.kind = STORE_CONTROL,
                                  .job = "a",
                                  .kind = CONTROL_THROTTLE,
                                  .value = 10,
                                  .actor = "ann@h1",
                                  .as = "Bob \"B\"",
                                  .reason = "x"};
    CALL_OK(c, &op);
    char *audit = contract_dump(c->store, PART_AUDIT);
    assert_non_null(strstr(audit, "{\"as\":\"Bob \\\"B\\\"\",\"factor\":10,\"reason\":\"x\"}"));
    free(audit);
}

static void a_control_never_ends_before_it_began(void **state)
{
    struct contract *c = *state;
    contract_advance(&c->clock, 500);
    control(c, "a", CONTROL_PAUSE, 1, NULL);
    contract_advance(&c->clock, -300); // the clock was set back
    control(c, "a", CONTROL_PAUSE, 0, NULL);
    contract_holds(c, PART_CONTROLS, "control a pause 1 from +500 to +500 by ann@h1 -\n");
}

static void refuses_impossible_controls(void **state)
{
    struct contract *c = *state;
    static const struct {
        enum store_control_kind kind;
        int value;
    } bad[] = {{CONTROL_PAUSE, 2},     {CONTROL_DRY_RUN, -1},    {CONTROL_THROTTLE, 1},
               {CONTROL_THROTTLE, -4}, {CONTROL_THROTTLE, 1001}, {CONTROL_KIND_COUNT, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct store_op_control op = {
            .op.kind = STORE_CONTROL, .kind = bad[i].kind, .value = bad[i].value};
        CALL_REFUSED(c, &op);
    }
    contract_holds(c, PART_CONTROLS, "");
}

// ---- intents ------------------------------------------------------------------------------------

static void intents_are_put_once_taken_in_order_and_ended(void **state)
{
    struct contract *c = *state;
    struct store_op_intent_put run = {.op.kind = STORE_INTENT_PUT,
                                      .intent = {.intent_id = contract_id(c),
                                                 .kind = INTENT_RUN,
                                                 .job = "a",
                                                 .params = "{\"k\":\"v\"}",
                                                 .dry_run = true,
                                                 .actor = "ann@h1",
                                                 .as = "bob",
                                                 .reason = "why"}};
    struct store_op_intent_put cancel = {.op.kind = STORE_INTENT_PUT,
                                         .intent = {.intent_id = contract_id(c),
                                                    .kind = INTENT_CANCEL,
                                                    .run_id = contract_id(c),
                                                    .actor = "ann@h1"}};
    CALL_OK(c, &run);
    contract_advance(&c->clock, 10);
    CALL_OK(c, &cancel);
    CALL_OK(c, &run); // repeated
    contract_holds(c, PART_INTENTS,
                   "intent #2 run a run - {\"k\":\"v\"} 1 by ann@h1 as bob why at +0\n"
                   "intent #3 cancel - run #4 - 0 by ann@h1 as - - at +10\n");
    struct store_op_intent_end end = {.op.kind = STORE_INTENT_END,
                                      .intent_id = run.intent.intent_id,
                                      .state = INTENT_DONE,
                                      .run_id = contract_id(c),
                                      .answer = "started"};
    CALL_OK(c, &end);
    CALL_OK(c, &end); // repeated
    end.intent_id = contract_id(c);
    CALL_REFUSED(c, &end);
    contract_holds(c, PART_INTENTS, "intent #3 cancel - run #4 - 0 by ann@h1 as - - at +10\n");

    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct store_intent found;
    struct error err = ERROR_INIT;
    assert_true(c->store->ops->read_intent(c->store, run.intent.intent_id, &arena, &found, &err));
    assert_int_equal(found.state, INTENT_DONE);
    assert_string_equal(found.answer, "started");
    assert_string_equal(found.job, "a");
    assert_null(found.params); // they may be secrets
    assert_false(uuid_is_nil(found.run_id));
    assert_false(c->store->ops->read_intent(c->store, contract_id(c), &arena, &found, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    arena_release(&arena);
}

static void an_ended_intent_stays_as_it_ended(void **state)
{
    struct contract *c = *state;
    struct store_op_intent_put put = {
        .op.kind = STORE_INTENT_PUT,
        .intent = {.intent_id = contract_id(c), .kind = INTENT_RELOAD}};
    CALL_OK(c, &put);
    struct store_op_intent_end end = {.op.kind = STORE_INTENT_END,
                                      .intent_id = put.intent.intent_id,
                                      .state = INTENT_REFUSED,
                                      .answer = "no"};
    CALL_OK(c, &end);
    end.state = INTENT_DONE;
    end.answer = "yes";
    CALL_OK(c, &end);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct store_intent found;
    struct error err = ERROR_INIT;
    assert_true(c->store->ops->read_intent(c->store, put.intent.intent_id, &arena, &found, &err));
    assert_int_equal(found.state, INTENT_REFUSED);
    assert_string_equal(found.answer, "no");
    arena_release(&arena);
    end.state = INTENT_PENDING;
    CALL_REFUSED(c, &end);
}

static const struct CMUnitTest tests[] = {
    CONTRACT_TEST(controls_are_kept_with_from_and_to),
    CONTRACT_TEST(says_for_whom_it_acts),
    CONTRACT_TEST(a_control_never_ends_before_it_began),
    CONTRACT_TEST(refuses_impossible_controls),
    CONTRACT_TEST(intents_are_put_once_taken_in_order_and_ended),
    CONTRACT_TEST(an_ended_intent_stays_as_it_ended),
};
const struct contract_tests contract_control_tests = {tests, sizeof tests / sizeof tests[0]};
