// SPDX-License-Identifier: MIT
// Nodes, loading, publishing.
#include "contract.h"

#include <stdlib.h>
#include <string.h>

static void joins_beats_and_leaves(void **state)
{
    struct contract *c = *state;
    contract_advance(&c->clock, 500);
    struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = c->node, .running = 3};
    CALL_OK(c, &beat);
    assert_true(beat.now.us == at_ms(500).us);
    store_op_release(&beat.op);
    contract_holds(c, PART_NODES, "node #1 h1 1.0 started +0 seen +500 live running 3\n");
    struct store_op_leave leave = {.op.kind = STORE_LEAVE, .node = c->node};
    CALL_OK(c, &leave);
    CALL_OK(c, &leave); // repeated
    CALL_REFUSED(c, &beat);
    contract_holds(c, PART_NODES | PART_AUDIT,
                   "audit 0 +0 NODE_STARTED - run - node #1 by - {\"host\":\"h1\"}\n"
                   "audit 0 +500 NODE_STOPPED - run - node #1 by - -\n"
                   "node #1 h1 1.0 started +0 seen +500 stopped running 0\n");
}

static struct store_op_join join_alone(struct contract *c, struct uuid dead)
{
    struct store_op_join join = {.op.kind = STORE_JOIN,
                                 .node = contract_id(c),
                                 .host = "h1",
                                 .version = "1.0",
                                 .alone = true,
                                 .dead = dead};
    CALL_OK(c, &join);
    return join;
}

// Until one of them says that it has: those of all before it.
static void a_joining_node_ends_the_sessions_of_the_dead(void **state)
{
    struct contract *c = *state;
    struct uuid first = c->node;
    struct store_op_join second = join_alone(c, first);
    assert_int_equal(second.left_count, 1);
    assert_true(uuid_equal(second.left[0], first));
    store_op_release(&second.op);
    struct store_op_join third = join_alone(c, second.node);
    for (int repeat = 0; repeat < 2; repeat++) {
        assert_int_equal(third.left_count, 2);
        assert_true(uuid_equal(third.left[0], first) && uuid_equal(third.left[1], second.node));
        store_op_release(&third.op);
        CALL_OK(c, &third);
    }
    struct uuid ended[] = {third.left[0], third.left[1]};
    store_op_release(&third.op);
    struct store_op_fence fence = {.op.kind = STORE_FENCE,
                                   .node = third.node,
                                   .fencing_id = contract_id(c),
                                   .ended = ended,
                                   .ended_count = 2};
    CALL_OK(c, &fence);
    assert_int_equal(fence.left_count, 0);
    store_op_release(&fence.op);
    struct store_op_leave leave = {.op.kind = STORE_LEAVE, .node = third.node};
    CALL_OK(c, &leave);
    struct store_op_join fourth = join_alone(c, third.node);
    assert_int_equal(fourth.left_count, 0);
    store_op_release(&fourth.op);
}

static void drains(struct contract *c, struct uuid dead, bool expected, struct uuid *node_out)
{
    struct store_op_join join = join_alone(c, dead);
    for (int repeat = 0; repeat < 2; repeat++) {
        assert_int_equal(!instant_is_none(join.drain.since), expected);
        if (expected) {
            assert_true(instant_equal(join.drain.since, at_ms(7)));
            assert_string_equal(join.drain.by, "ann@h1");
            assert_null(join.drain.as);
            assert_string_equal(join.drain.reason, "new disk");
        }
        store_op_release(&join.op);
        CALL_OK(c, &join);
    }
    store_op_release(&join.op);
    *node_out = join.node;
}

// What an operator has told a node holds for its successor, unless the node was stopped.
static void a_joining_node_drains_as_the_dead_one_did(void **state)
{
    struct contract *c = *state;
    struct uuid node;
    struct uuid other;
    struct store_op_report report = {.op.kind = STORE_REPORT,
                                     .node = c->node,
                                     .draining_since = at_ms(7),
                                     .actor = "ann@h1",
                                     .reason = "new disk"};
    CALL_OK(c, &report);
    drains(c, c->node, true, &node);
    drains(c, node, true, &other); // died before it said anything
    drains(c, (struct uuid){{0}}, false, &node);
    drains(c, other, true, &node);
    report.node = node;
    report.draining_since = INSTANT_NONE;
    CALL_OK(c, &report);
    drains(c, node, false, &other);
    report.node = other;
    report.draining_since = at_ms(7);
    CALL_OK(c, &report);
    struct store_op_leave leave = {.op.kind = STORE_LEAVE, .node = other};
    CALL_OK(c, &leave);
    drains(c, other, false, &node);
}

static void a_joining_node_ends_what_the_dead_left(void **state)
{
    struct contract *c = *state;
    int64_t a = contract_publish(c, "a", "s");
    int64_t b = contract_publish(c, "b", "s");
    contract_claim(c, a, 1000);
    struct store_slot manual = contract_slot(c, b, 700, DECIDE_RUN, TRIGGER_MANUAL, 1);
    contract_decide(c, &manual);
    struct store_slot done = contract_claim(c, b, 2000);
    contract_end(c, &done, RUN_SUCCESS, INSTANT_NONE);
    contract_advance(&c->clock, 60000);
    struct store_op_join join = {.op.kind = STORE_JOIN,
                                 .node = contract_id(c),
                                 .host = "h2",
                                 .version = "1.1",
                                 .alone = true};
    for (int repeat = 0; repeat < 2; repeat++) { // the second time as after an unknown commit
        CALL_OK(c, &join);
        assert_true(join.now.us == at_ms(60000).us);
        assert_int_equal(join.lost_count, 2);
        assert_int_equal(join.lost[0].job_id, a);
        assert_string_equal(join.lost[0].job, "a");
        assert_true(join.lost[0].due_at.us == at_ms(1000).us);
        assert_int_equal(join.lost[0].attempt, 1);
        assert_int_equal(join.lost[0].trigger, TRIGGER_SCHEDULE);
        assert_true(uuid_equal(join.lost[1].run_id, manual.run_id));
        assert_int_equal(join.lost[1].trigger, TRIGGER_MANUAL);
        store_op_release(&join.op);
    }
    contract_holds(c, PART_SLOTS | PART_NODES,
                   "slot a +1000 LOST run #2 \nslot b +2000 SUCCESS run #4 \n"
                   "node #5 h2 1.1 started +60000 seen +60000 live running 0\n"
                   "node #1 h1 1.0 started +0 seen +0 lost running 0\n");
    char *runs = contract_dump(c->store, PART_RUNS);
    assert_non_null(strstr(runs,
                           "run 1 #2 a due +1000 attempt 1 schedule LOST node #1 started +0 ended "
                           "+60000 took 0 exit -0 lost error the node"));
    free(runs);
    char *audit = contract_dump(c->store, PART_AUDIT);
    assert_non_null(strstr(audit, "audit 0 +60000 NODE_STARTED - run - node #5 by - -\n"
                                  "audit 0 +60000 LOST a run #2 node #5 by - -\n"
                                  "audit 0 +60000 LOST b run #3 node #5 by - -\n"));
    free(audit);
}

static struct instant retry_soon(void *context, const struct store_lost *lost, struct instant now)
{
    int *asked = context;
    (*asked)++;
    assert_string_equal(lost->job, "a");
    return instant_add(now, DURATION_S(5));
}

static void a_lost_slot_stays_open_when_the_joiner_wants_a_retry(void **state)
{
    struct contract *c = *state;
    int64_t a = contract_publish(c, "a", "s");
    contract_claim(c, a, 1000);
    struct store_slot manual = contract_slot(c, a, 700, DECIDE_RUN, TRIGGER_MANUAL, 1);
    contract_decide(c, &manual);
    int asked = 0;
    struct store_op_join join = {.op.kind = STORE_JOIN,
                                 .node = contract_id(c),
                                 .host = "h2",
                                 .version = "1.1",
                                 .alone = true,
                                 .lost_retry = retry_soon,
                                 .lost_context = &asked};
    CALL_OK(c, &join);
    store_op_release(&join.op);
    assert_int_equal(asked, 1);
    contract_holds(c, PART_SLOTS | PART_RETRIES,
                   "slot a +1000 - run #2 \nretry of job 1 +1000 attempt 2 at +5000\n");
    c->node = join.node;
    struct store_slot second = contract_slot(c, a, 1000, DECIDE_RUN, TRIGGER_RETRY, 2);
    assert_int_equal(contract_decide(c, &second), VERDICT_CLAIMED);
}

static void a_fenced_node_may_not_go_on(void **state)
{
    struct contract *c = *state;
    struct uuid dead = c->node;
    contract_join(c);
    struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = dead};
    struct store_op_leave leave = {.op.kind = STORE_LEAVE, .node = dead};
    struct store_op_join join = {.op.kind = STORE_JOIN, .node = dead, .host = "h1", .version = "1"};
    struct store_publish_item item = {.name = "a", .spec = "s"};
    struct store_op_publish publish = {
        .op.kind = STORE_PUBLISH, .node = dead, .at = at_ms(0), .items = &item, .item_count = 1};
    CALL_REFUSED(c, &beat);
    CALL_REFUSED(c, &leave);
    CALL_REFUSED(c, &join);
    CALL_REFUSED(c, &publish);
}

static void loads_where_the_last_one_stopped(void **state)
{
    struct contract *c = *state;
    struct store_op_load load = {.op.kind = STORE_LOAD};
    CALL_OK(c, &load);
    assert_int_equal(load.job_count, 0);
    assert_int_equal(load.retry_count, 0);
    store_op_release(&load.op);

    int64_t a = contract_publish(c, "a", "{\"x\":1}");
    contract_publish(c, "b", "s");
    struct store_slot slot = contract_claim(c, a, 1000);
    contract_advance(&c->clock, 300);
    contract_end(c, &slot, RUN_SUCCESS, INSTANT_NONE);
    contract_publish(c, "b", NULL);
    CALL_OK(c, &load);
    assert_int_equal(load.job_count, 2);
    assert_int_equal(load.jobs[0].job_id, a);
    assert_string_equal(load.jobs[0].name, "a");
    assert_string_equal(load.jobs[0].spec, "{\"x\":1}");
    assert_true(load.jobs[0].high_water.us == at_ms(1000).us);
    assert_true(load.jobs[0].last_success.us == at_ms(300).us);
    assert_null(load.jobs[1].spec);
    assert_true(instant_is_none(load.jobs[1].last_success));
    store_op_release(&load.op);
}

static void publishes_changes_with_from_and_to(void **state)
{
    struct contract *c = *state;
    int64_t a = contract_publish(c, "a", "one");
    assert_true(a > 0);
    contract_advance(&c->clock, 1000);
    assert_int_equal(contract_publish(c, "a", "one"), a); // the same: nothing
    contract_advance(&c->clock, 1000);
    assert_int_equal(contract_publish(c, "a", "two"), a);
    contract_advance(&c->clock, 1000);
    assert_int_equal(contract_publish(c, "a", NULL), a);
    contract_advance(&c->clock, 1000);
    assert_int_equal(contract_publish(c, "a", NULL), a); // removed already
    contract_advance(&c->clock, 1000);
    assert_int_equal(contract_publish(c, "a", "two"), a); // back again, same number
    assert_int_equal(contract_publish(c, "ghost", NULL), 0);
    contract_holds(c, PART_FORCE | PART_JOBS | PART_AUDIT,
                   "audit 0 +0 NODE_STARTED - run - node #1 by - {\"host\":\"h1\"}\n"
                   "audit 0 +0 CONFIG_PUBLISHED - run - node #1 by me@h1 -\n"
                   "audit 0 +2000 CONFIG_PUBLISHED - run - node #1 by me@h1 -\n"
                   "audit 0 +3000 CONFIG_PUBLISHED - run - node #1 by me@h1 -\n"
                   "audit 0 +5000 CONFIG_PUBLISHED - run - node #1 by me@h1 -\n"
                   "force a one from +0 to +2000\n"
                   "force a two from +2000 to +3000\n"
                   "force a two from +5000 to -\n"
                   "job 1 a two mark +5000 success - throttle 0\n");
}

static void a_change_never_reaches_below_the_mark(void **state)
{
    struct contract *c = *state;
    int64_t a = contract_publish(c, "a", "one");
    contract_claim(c, a, 9000);
    contract_advance(&c->clock, 4000); // the mark is ahead of the clock
    contract_publish(c, "a", "two");
    contract_publish(c, "a", "three"); // two was in force for no time at all
    contract_holds(c, PART_FORCE | PART_JOBS,
                   "force a one from +0 to +9000\nforce a three from +9000 to -\n"
                   "job 1 a three mark +9000 success - throttle 0\n");
}

// By a clock that went back behind its removal.
static void what_comes_back_begins_where_it_had_ended(void **state)
{
    struct contract *c = *state;
    contract_publish(c, "a", "one");
    contract_advance(&c->clock, 3000);
    contract_publish(c, "a", NULL);
    contract_advance(&c->clock, -2000);
    contract_publish(c, "a", "two");
    contract_publish(c, "a", NULL);
    contract_advance(&c->clock, -1000);
    contract_publish(c, "a", "three");
    contract_holds(c, PART_FORCE | PART_JOBS,
                   "force a one from +0 to +3000\nforce a three from +3000 to -\n"
                   "job 1 a three mark +3000 success - throttle 0\n");
}

static void publishes_many_and_says_whether_something_changed(void **state)
{
    struct contract *c = *state;
    struct store_publish_item items[3] = {{"a", "1", 0}, {"b", "1", 0}, {"c", NULL, 0}};
    struct store_op_publish publish = {.op.kind = STORE_PUBLISH,
                                       .node = c->node,
                                       .at = c->clock.now,
                                       .detail = "{\"added\":2}",
                                       .items = items,
                                       .item_count = 3};
    CALL_OK(c, &publish);
    assert_true(publish.changed);
    assert_true(items[0].job_id > 0 && items[1].job_id > 0 && items[0].job_id != items[1].job_id);
    assert_int_equal(items[2].job_id, 0);
    CALL_OK(c, &publish);
    assert_false(publish.changed);
    items[0].name = "";
    CALL_REFUSED(c, &publish);
}

static const struct CMUnitTest tests[] = {
    CONTRACT_TEST(joins_beats_and_leaves),
    CONTRACT_TEST(a_joining_node_ends_what_the_dead_left),
    CONTRACT_TEST(a_joining_node_ends_the_sessions_of_the_dead),
    CONTRACT_TEST(a_joining_node_drains_as_the_dead_one_did),
    CONTRACT_TEST(a_lost_slot_stays_open_when_the_joiner_wants_a_retry),
    CONTRACT_TEST(a_fenced_node_may_not_go_on),
    CONTRACT_TEST(loads_where_the_last_one_stopped),
    CONTRACT_TEST(publishes_changes_with_from_and_to),
    CONTRACT_TEST(a_change_never_reaches_below_the_mark),
    CONTRACT_TEST(what_comes_back_begins_where_it_had_ended),
    CONTRACT_TEST(publishes_many_and_says_whether_something_changed),
};
const struct contract_tests contract_node_tests = {tests, sizeof tests / sizeof tests[0]};
