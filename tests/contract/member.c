// SPDX-License-Identifier: MIT
// What a member of a fleet asks the store, and a node that is alone may ask as well: looks, marks,
// intents of its own, versions of the definitions.
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t changes(struct contract *c)
{
    struct store_op_beat look = {.op.kind = STORE_BEAT, .node = c->node, .look = true};
    CALL_OK(c, &look);
    store_op_release(&look.op);
    return look.changes;
}

static void a_look_writes_nothing(void **state)
{
    struct contract *c = *state;
    char *before = contract_dump(c->store, PART_ALL);
    contract_advance(&c->clock, 700);
    struct store_op_beat look = {
        .op.kind = STORE_BEAT, .node = c->node, .look = true, .running = 5, .draining = true};
    CALL_OK(c, &look);
    assert_true(look.now.us == at_ms(700).us);
    assert_int_equal(look.version, 0);
    assert_false(look.orphans);
    assert_int_equal(look.member_count, 1);
    assert_true(uuid_equal(look.members[0].node, c->node));
    assert_string_equal(look.members[0].host, "h1");
    assert_false(look.members[0].draining || look.members[0].is_overdue);
    store_op_release(&look.op);
    char *after = contract_dump(c->store, PART_ALL);
    assert_string_equal(before, after);
    free(before);
    free(after);
    look.node = contract_id(c);
    CALL_REFUSED(c, &look);
}

static void a_beat_says_what_it_was_told(void **state)
{
    struct contract *c = *state;
    struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = c->node, .draining = true};
    CALL_OK(c, &beat);
    assert_int_equal(beat.member_count, 1);
    assert_true(beat.members[0].draining);
    assert_false(beat.members[0].full || beat.members[0].dry_run);
    store_op_release(&beat.op);
}

static void changes_rise_with_controls_intents_and_versions(void **state)
{
    struct contract *c = *state;
    int64_t first = changes(c);
    assert_int_equal(changes(c), first);
    struct store_op_control pause = {.op.kind = STORE_CONTROL, .kind = CONTROL_PAUSE, .value = 1};
    CALL_OK(c, &pause);
    int64_t second = changes(c);
    assert_true(second > first);
    CALL_OK(c, &pause); // it already was so
    assert_int_equal(changes(c), second);
    pause.value = 0;
    CALL_OK(c, &pause);
    int64_t third = changes(c);
    assert_true(third > second);
    struct store_op_intent_put put = {
        .op.kind = STORE_INTENT_PUT,
        .intent = {.intent_id = contract_id(c), .kind = INTENT_RELOAD}};
    CALL_OK(c, &put);
    int64_t fourth = changes(c);
    assert_true(fourth > third);
    struct store_op_version version = {
        .op.kind = STORE_VERSION, .node = c->node, .hash = "h", .text = "t"};
    CALL_OK(c, &version);
    store_op_release(&version.op);
    assert_true(changes(c) > fourth);
}

// ---- marks --------------------------------------------------------------------------------------

static struct store_mark mark_of(struct contract *c, int64_t job_id)
{
    struct store_mark marks[2] = {{.job_id = job_id}, {.job_id = 999}};
    struct store_op_marks op = {.op.kind = STORE_MARKS, .marks = marks, .mark_count = 2};
    CALL_OK(c, &op);
    store_op_release(&op.op);
    assert_true(instant_is_none(marks[1].high_water)); // nobody knows that one
    assert_false(marks[1].running || marks[1].waiting);
    return marks[0];
}

static void marks_say_what_others_decided(void **state)
{
    struct contract *c = *state;
    int64_t a = contract_publish(c, "a", "s");
    struct store_mark mark = mark_of(c, a);
    assert_true(mark.high_water.us == at_ms(0).us);
    assert_true(instant_is_none(mark.last_success));
    assert_false(mark.running || mark.waiting);

    struct store_slot run = contract_slot(c, a, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    run.throttle_count = 3;
    contract_decide(c, &run);
    mark = mark_of(c, a);
    assert_true(mark.high_water.us == at_ms(1000).us);
    assert_int_equal(mark.throttle_count, 3);
    assert_true(mark.running);
    assert_false(mark.waiting);

    contract_end(c, &run, RUN_FAILED, at_ms(9000));
    mark = mark_of(c, a);
    assert_true(mark.waiting);
    assert_false(mark.running);

    struct store_slot again = contract_slot(c, a, 1000, DECIDE_RUN, TRIGGER_RETRY, 2);
    contract_decide(c, &again);
    contract_advance(&c->clock, 300);
    contract_end(c, &again, RUN_SUCCESS, INSTANT_NONE);
    mark = mark_of(c, a);
    assert_true(mark.last_success.us == at_ms(300).us);
    assert_false(mark.running || mark.waiting);
}

static void a_slot_that_waits_for_others_is_no_other_attempt(void **state)
{
    struct contract *c = *state;
    int64_t a = contract_publish(c, "a", "s");
    struct store_slot wait = contract_slot(c, a, 1000, DECIDE_WAIT, TRIGGER_SCHEDULE, 1);
    wait.wait_until = at_ms(8000);
    contract_decide(c, &wait);
    assert_false(mark_of(c, a).waiting);
    assert_true(mark_of(c, a).high_water.us == at_ms(1000).us);
    struct store_mark none = {.job_id = 0};
    struct store_op_marks op = {.op.kind = STORE_MARKS, .marks = &none, .mark_count = 1};
    CALL_REFUSED(c, &op);
}

// ---- intents ------------------------------------------------------------------------------------

static void intents_are_owned_until_they_end(void **state)
{
    struct contract *c = *state;
    struct store_op_intent_put put = {
        .op.kind = STORE_INTENT_PUT,
        .intent = {.intent_id = contract_id(c), .kind = INTENT_RUN, .job = "a"}};
    CALL_OK(c, &put);
    struct store_op_intent_take take = {.op.kind = STORE_INTENT_TAKE};
    CALL_OK(c, &take);
    assert_true(uuid_is_nil(take.intents[0].node));
    store_op_release(&take.op);

    struct store_op_intent_own own = {
        .op.kind = STORE_INTENT_OWN, .node = c->node, .intent_id = put.intent.intent_id};
    CALL_OK(c, &own);
    assert_true(own.own);
    CALL_OK(c, &own); // repeated
    assert_true(own.own);
    CALL_OK(c, &take);
    assert_true(uuid_equal(take.intents[0].node, c->node));
    store_op_release(&take.op);

    struct store_op_intent_end end = {
        .op.kind = STORE_INTENT_END, .intent_id = put.intent.intent_id, .state = INTENT_DONE};
    CALL_OK(c, &end);
    CALL_OK(c, &own);
    assert_false(own.own);
    own.intent_id = contract_id(c); // nobody ever put it
    CALL_OK(c, &own);
    assert_false(own.own);
    own.node = contract_id(c);
    CALL_REFUSED(c, &own);
}

static struct uuid put_backfill(struct contract *c, const char *job)
{
    struct store_op_intent_put put = {
        .op.kind = STORE_INTENT_PUT,
        .intent = {.intent_id = contract_id(c), .kind = INTENT_BACKFILL, .job = job}};
    CALL_OK(c, &put);
    return put.intent.intent_id;
}

static void one_backfill_of_a_job_goes_on(void **state)
{
    struct contract *c = *state;
    contract_publish(c, "a", "s");
    struct uuid first = put_backfill(c, "a");
    struct uuid second = put_backfill(c, "a");
    struct store_op_intent_own own = {
        .op.kind = STORE_INTENT_OWN, .node = c->node, .intent_id = second};
    CALL_OK(c, &own);
    assert_false(own.own);
    assert_true(uuid_equal(own.behind, first)); // though nobody has taken that one yet
    own.intent_id = put_backfill(c, "b");
    CALL_OK(c, &own);
    assert_true(own.own && uuid_is_nil(own.behind));
    own.intent_id = first;
    for (int repeat = 0; repeat < 2; repeat++) {
        CALL_OK(c, &own);
        assert_true(own.own && uuid_is_nil(own.behind));
    }
    struct store_op_intent_end end = {
        .op.kind = STORE_INTENT_END, .intent_id = first, .state = INTENT_DONE};
    CALL_OK(c, &end);
    own.intent_id = second;
    CALL_OK(c, &own);
    assert_true(own.own);
    own.intent_id = put_backfill(c, "a");
    CALL_OK(c, &own);
    assert_true(!own.own && uuid_equal(own.behind, second));
}

// ---- reports ------------------------------------------------------------------------------------

static bool describe_node(void *context, const struct store_node_row *row)
{
    char *out = context;
    snprintf(out, 200, "%s v%lld %s since +%lld by %s as %s: %s",
             row->draining ? "drains" : "works", (long long)row->definitions,
             row->refused == NULL ? "-" : row->refused,
             instant_is_none(row->draining_since)
                 ? -1LL
                 : (long long)(instant_ms(row->draining_since) - instant_ms(at_ms(0))),
             row->draining_by == NULL ? "-" : row->draining_by,
             row->draining_as == NULL ? "-" : row->draining_as,
             row->draining_reason == NULL ? "-" : row->draining_reason);
    return false; // the newest
}

static void reports(struct contract *c, struct store_op_report *report, const char *expected)
{
    char seen[200] = "";
    struct error err = ERROR_INIT;
    report->op.kind = STORE_REPORT;
    report->node = c->node;
    for (int repeat = 0; repeat < 2; repeat++) {
        CALL_OK(c, report);
        store_op_release(&report->op);
        assert_true(c->store->ops->read_nodes(c->store, describe_node, seen, &err));
        assert_string_equal(seen, expected);
    }
}

static void a_node_says_what_it_is_about(void **state)
{
    struct contract *c = *state;
    int64_t before = changes(c);
    reports(c, &(struct store_op_report){.definitions = 7, .draining_since = INSTANT_NONE},
            "works v7 - since +-1 by - as -: -");
    reports(c,
            &(struct store_op_report){
                .definitions = 7, .refused = "no curl", .draining_since = INSTANT_NONE},
            "works v7 no curl since +-1 by - as -: -");
    assert_int_equal(changes(c), before);
    contract_advance(&c->clock, 500);
    reports(c,
            &(struct store_op_report){.definitions = 8,
                                      .draining_since = at_ms(400),
                                      .actor = "ann@h1",
                                      .as = "bob",
                                      .reason = "new disk"},
            "drains v8 - since +400 by ann@h1 as bob: new disk");
    assert_true(changes(c) > before);
    struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = c->node};
    CALL_OK(c, &beat);
    assert_false(beat.members[0].draining || beat.orphans);
    store_op_release(&beat.op);
    contract_advance(&c->clock, 500);
    reports(c,
            &(struct store_op_report){
                .definitions = 8, .draining_since = INSTANT_NONE, .actor = "eve@h1"},
            "works v8 - since +-1 by - as -: -");
    contract_holds(c, PART_AUDIT,
                   "audit 0 +0 NODE_STARTED - run - node #1 by - {\"host\":\"h1\"}\n"
                   "audit 0 +500 NODE_DRAINED - run - node #1 by ann@h1 "
                   "{\"as\":\"bob\",\"reason\":\"new disk\"}\n"
                   "audit 0 +1000 NODE_RESUMED - run - node #1 by eve@h1 -\n");
    struct store_op_report stranger = {.op.kind = STORE_REPORT, .node = contract_id(c)};
    CALL_REFUSED(c, &stranger);
}

static void a_node_that_drains_lets_its_backfills_go(void **state)
{
    struct contract *c = *state;
    static const enum store_intent_kind kinds[] = {INTENT_RUN, INTENT_BACKFILL};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct store_op_intent_put put = {
            .op.kind = STORE_INTENT_PUT,
            .intent = {.intent_id = contract_id(c), .kind = kinds[i], .job = "a"}};
        struct store_op_intent_own own = {
            .op.kind = STORE_INTENT_OWN, .node = c->node, .intent_id = put.intent.intent_id};
        CALL_OK(c, &put);
        CALL_OK(c, &own);
    }
    struct store_op_report drain = {
        .op.kind = STORE_REPORT, .node = c->node, .draining_since = at_ms(1)};
    CALL_OK(c, &drain);
    struct store_op_intent_take take = {.op.kind = STORE_INTENT_TAKE};
    CALL_OK(c, &take);
    assert_true(uuid_equal(take.intents[0].node, c->node)); // it is about to carry that out
    assert_true(uuid_is_nil(take.intents[1].node));
    store_op_release(&take.op);
}

// ---- versions -----------------------------------------------------------------------------------

static int64_t activate(struct contract *c, const char *hash, bool always, bool activates)
{
    struct store_op_version version = {.op.kind = STORE_VERSION,
                                       .node = c->node,
                                       .actor = "ann@h1",
                                       .hash = hash,
                                       .text = hash[0] == 'a' ? "jobs:\n  - a\n" : "jobs: []\n",
                                       .always = always};
    CALL_OK(c, &version);
    store_op_release(&version.op);
    assert_int_equal(version.activated, activates);
    return version.version;
}

// To be released by the caller.
static struct store_op_definitions definitions(struct contract *c, int64_t wanted)
{
    struct store_op_definitions read = {.op.kind = STORE_DEFINITIONS, .wanted = wanted};
    CALL_OK(c, &read);
    return read;
}

static void assert_active(struct contract *c, int64_t version, bool active)
{
    struct store_op_definitions read = definitions(c, version);
    assert_int_equal(read.text.version, version);
    assert_int_equal(read.text.active, active);
    store_op_release(&read.op);
}

static void a_text_never_seen_becomes_active(void **state)
{
    struct contract *c = *state;
    struct store_op_definitions read = definitions(c, 0);
    assert_int_equal(read.text.version, 0);
    store_op_release(&read.op);
    assert_int_equal(activate(c, "aa", false, true), 1);
    assert_int_equal(activate(c, "aa", true, false), 1);
    contract_advance(&c->clock, 100);
    assert_int_equal(activate(c, "bb", false, true), 2);
    assert_int_equal(activate(c, "aa", false, false), 2); // seen, and nobody insists
    read = definitions(c, 0);
    assert_int_equal(read.text.version, 2);
    assert_string_equal(read.text.hash, "bb");
    assert_string_equal(read.text.text, "jobs: []\n");
    assert_string_equal(read.text.actor, "ann@h1");
    assert_true(read.text.published_at.us == at_ms(100).us);
    assert_true(read.text.active);
    store_op_release(&read.op);
    assert_int_equal(activate(c, "aa", true, true), 3); // not what it was: another one was between
    assert_active(c, 2, false);
    assert_active(c, 1, false);
    assert_active(c, 3, true);
    assert_int_equal(activate(c, "aa", true, false), 3);
    assert_int_equal(activate(c, "bb", false, false), 3);
    read = definitions(c, 3);
    assert_string_equal(read.text.text, "jobs:\n  - a\n");
    store_op_release(&read.op);
    read = definitions(c, 4);
    assert_int_equal(read.text.version, 0);
    store_op_release(&read.op);
    char *audit = contract_dump(c->store, PART_AUDIT);
    assert_non_null(strstr(audit, "+0 VERSION_ACTIVATED - run - node #1 by ann@h1 "
                                  "{\"hash\":\"aa\",\"version\":1}\n"
                                  "audit 0 +100 VERSION_ACTIVATED - run - node #1 by ann@h1 "
                                  "{\"hash\":\"bb\",\"version\":2}\n"
                                  "audit 0 +100 VERSION_ACTIVATED - run - node #1 by ann@h1 "
                                  "{\"hash\":\"aa\",\"version\":3}\n"));
    free(audit);
    struct store_op_version none = {.op.kind = STORE_VERSION, .node = c->node, .text = ""};
    CALL_REFUSED(c, &none);
    none = (struct store_op_version){
        .op.kind = STORE_VERSION, .node = contract_id(c), .hash = "x", .text = ""};
    CALL_REFUSED(c, &none);
}

static struct store_op_decide decide_with(struct contract *c, struct store_slot *slots,
                                          size_t count, int64_t version)
{
    struct store_op_decide decide = {.op.kind = STORE_DECIDE,
                                     .node = c->node,
                                     .slots = slots,
                                     .slot_count = count,
                                     .version = version};
    CALL_OK(c, &decide);
    store_op_release(&decide.op);
    return decide;
}

static void outdated_definitions_decide_nothing(void **state)
{
    struct contract *c = *state;
    int64_t a = contract_publish(c, "a", "s");
    int64_t b = contract_publish(c, "b", "s");
    struct store_slot slots[2] = {contract_slot(c, a, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1),
                                  contract_slot(c, b, 1000, DECIDE_SKIP, TRIGGER_CATCHUP, 1)};
    activate(c, "aa", false, true);
    assert_true(decide_with(c, slots, 2, 0).outdated);
    assert_int_equal(slots[0].verdict, VERDICT_NONE);
    assert_int_equal(slots[1].verdict, VERDICT_NONE);
    contract_holds(c, PART_SLOTS | PART_RUNS, "");
    assert_false(decide_with(c, slots, 2, 1).outdated);
    assert_int_equal(slots[0].verdict, VERDICT_CLAIMED);
    int64_t fence = slots[0].fence;

    activate(c, "bb", false, true); // between a commit whose answer was lost and its repeat
    assert_true(decide_with(c, slots, 2, 1).outdated);
    assert_int_equal(slots[0].verdict, VERDICT_CLAIMED);
    assert_int_equal(slots[0].fence, fence);
    assert_false(contract_end(c, &slots[0], RUN_FAILED, at_ms(5000)));

    struct store_slot again = contract_slot(c, a, 1000, DECIDE_RUN, TRIGGER_RETRY, 2);
    struct store_slot manual = contract_slot(c, b, 700, DECIDE_RUN, TRIGGER_MANUAL, 1);
    assert_false(decide_with(c, &again, 1, 1).outdated); // the slot is there
    assert_false(decide_with(c, &manual, 1, 1).outdated);
    assert_int_equal(again.verdict, VERDICT_CLAIMED);
    assert_int_equal(manual.verdict, VERDICT_CLAIMED);
}

static void outdated_definitions_are_not_published(void **state)
{
    struct contract *c = *state;
    activate(c, "aa", false, true);
    struct store_publish_item item = {.name = "a", .spec = "s"};
    struct store_op_publish publish = {
        .op.kind = STORE_PUBLISH, .node = c->node, .at = at_ms(0), .items = &item, .item_count = 1};
    CALL_OK(c, &publish);
    assert_true(publish.outdated);
    assert_false(publish.changed);
    contract_holds(c, PART_JOBS | PART_FORCE, "");
    publish.version = 1;
    CALL_OK(c, &publish);
    assert_false(publish.outdated);
    assert_true(publish.changed);
}

static const struct CMUnitTest tests[] = {
    CONTRACT_TEST(a_look_writes_nothing),
    CONTRACT_TEST(a_beat_says_what_it_was_told),
    CONTRACT_TEST(changes_rise_with_controls_intents_and_versions),
    CONTRACT_TEST(marks_say_what_others_decided),
    CONTRACT_TEST(a_slot_that_waits_for_others_is_no_other_attempt),
    CONTRACT_TEST(intents_are_owned_until_they_end),
    CONTRACT_TEST(one_backfill_of_a_job_goes_on),
    CONTRACT_TEST(a_node_says_what_it_is_about),
    CONTRACT_TEST(a_node_that_drains_lets_its_backfills_go),
    CONTRACT_TEST(a_text_never_seen_becomes_active),
    CONTRACT_TEST(outdated_definitions_decide_nothing),
    CONTRACT_TEST(outdated_definitions_are_not_published),
};
const struct contract_tests contract_member_tests = {tests, sizeof tests / sizeof tests[0]};
