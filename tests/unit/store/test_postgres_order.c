// SPDX-License-Identifier: MIT
// Locks of the PostgreSQL store are taken in one order (functions_nodes_1.sql): whatever nodes want
// at once, they never wait for each other in a ring. Who is in one, with others, goes again.
#include "postgres_fleet.h"

#include <stdio.h>
#include <stdlib.h>

#include "postgres_cluster.h"

// ---- a crowd of nodes that want all at once -----------------------------------------------------

#define JOBS  10
#define KNOWN 40  // runs of whatever node that may be ended
#define ENDS  12  // at most, of one operation
#define ACTS  900 // of all nodes together

// One operation of a node, with what it points to.
struct act {
    union {
        struct store_op op;
        struct store_op_decide decide;
        struct store_op_finish finish;
        struct store_op_fence fence;
        struct store_op_beat beat;
        struct store_op_seal seal;
        struct store_op_prune prune;
        struct store_op_publish publish;
        struct store_op_control control;
        struct store_op_intent_put intent;
        struct store_op_join join;
    };
    struct store_slot slots[JOBS];
    struct store_end ends[ENDS];
    struct store_publish_item items[JOBS];
};

struct crowd {
    struct fleet *fleet;
    uint64_t random;
    int64_t jobs[JOBS];
    char names[JOBS][8];
    struct store_slot known[KNOWN];
    size_t known_count;
    int64_t due_ms;
    struct act acts[NODES];
    int ended, claimed, stale;
};

static size_t draw(struct crowd *crowd, size_t below)
{
    crowd->random = crowd->random * 6364136223846793005u + 1442695040888963407u; // Knuth's MMIX
    return (size_t)((crowd->random >> 33) % below);
}

// Different ones of 0 … count − 1, in any order.
static void draw_order(struct crowd *crowd, size_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t j = draw(crowd, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
}

static struct instant far_away(void)
{
    return instant_from_ms(instant_ms(clock_now(clock_system())) + 3600 * 1000);
}

static struct instant retry_some(void *context, const struct store_lost *lost, struct instant now)
{
    (void)lost;
    return draw(context, 2) == 0 ? now : INSTANT_NONE;
}

static void make_decide(struct crowd *crowd, struct act *act, struct contract *node)
{
    size_t order[JOBS];
    draw_order(crowd, order, JOBS);
    bool by_hand = draw(crowd, 3) == 0; // one by one, then
    crowd->due_ms++;
    for (size_t i = 0; i < JOBS; i++) {
        bool manual = by_hand && draw(crowd, 2) == 0;
        act->slots[i] = contract_slot(&crowd->fleet->nodes[0], crowd->jobs[order[i]], crowd->due_ms,
                                      DECIDE_RUN, manual ? TRIGGER_MANUAL : TRIGGER_SCHEDULE, 1);
        act->slots[i].forbid_overlap = order[i] % 2 == 0;
        act->slots[i].skip_on_overlap = order[i] % 4 == 0;
    }
    act->decide = (struct store_op_decide){.op.kind = STORE_DECIDE,
                                           .node = node->node,
                                           .slots = act->slots,
                                           .slot_count = 1 + draw(crowd, JOBS)};
}

// Runs of whatever node, some with a fence that is not theirs.
static void make_finish(struct crowd *crowd, struct act *act, struct contract *node)
{
    size_t order[KNOWN];
    draw_order(crowd, order, crowd->known_count);
    size_t count = crowd->known_count < ENDS ? crowd->known_count : ENDS;
    for (size_t i = 0; i < count; i++) {
        const struct store_slot *slot = &crowd->known[order[i]];
        bool foreign = draw(crowd, 12) == 0;
        act->ends[i] = (struct store_end){.run_id = slot->run_id,
                                          .fence = slot->fence + (foreign ? 1000000 : 0),
                                          .state = RUN_FAILED,
                                          .retry_at = INSTANT_NONE};
    }
    act->finish = (struct store_op_finish){
        .op.kind = STORE_FINISH, .node = node->node, .ends = act->ends, .end_count = count};
}

static void make_publish(struct crowd *crowd, struct act *act, struct contract *node)
{
    size_t order[JOBS];
    draw_order(crowd, order, JOBS);
    for (size_t i = 0; i < JOBS; i++) { // a name that comes twice is taken one after the other
        size_t job = i == JOBS - 1 && draw(crowd, 2) == 0 ? order[0] : order[i];
        act->items[i] = (struct store_publish_item){.name = crowd->names[job],
                                                    .spec = draw(crowd, 2) == 0 ? "s" : "t"};
    }
    act->publish = (struct store_op_publish){.op.kind = STORE_PUBLISH,
                                             .node = node->node,
                                             .at = at_ms(0),
                                             .items = act->items,
                                             .item_count = JOBS};
}

// The node begins anew, and what it ran is lost while others may be ending it.
static void make_join(struct crowd *crowd, struct act *act, struct contract *node)
{
    struct uuid before = node->node;
    node->node = contract_id(&crowd->fleet->nodes[0]);
    act->join = (struct store_op_join){.op.kind = STORE_JOIN,
                                       .node = node->node,
                                       .dead = before,
                                       .host = "h",
                                       .version = "1",
                                       .lease = DURATION_S(60),
                                       .grace = DURATION_S(10),
                                       .max_running = 8,
                                       .lost_retry = retry_some,
                                       .lost_context = crowd};
}

static void make_other(struct crowd *crowd, struct act *act, struct contract *node)
{
    switch (draw(crowd, 6)) {
    case 0:
        act->fence = (struct store_op_fence){.op.kind = STORE_FENCE,
                                             .node = node->node,
                                             .fencing_id = contract_id(node),
                                             .lost_retry = retry_some,
                                             .lost_context = crowd};
        break;
    case 1:
        act->beat = (struct store_op_beat){.op.kind = STORE_BEAT, .node = node->node};
        break;
    case 2:
        act->seal = (struct store_op_seal){.op.kind = STORE_SEAL, .limit = 100};
        break;
    case 3:
        act->prune = (struct store_op_prune){.op.kind = STORE_PRUNE,
                                             .runs_before = far_away(),
                                             .output_before = far_away(),
                                             .audit_before = far_away(),
                                             .limit = 50};
        break;
    case 4:
        act->control = (struct store_op_control){
            .op.kind = STORE_CONTROL, .kind = CONTROL_PAUSE, .value = (int)draw(crowd, 2)};
        break;
    default:
        act->intent = (struct store_op_intent_put){
            .op.kind = STORE_INTENT_PUT,
            .intent = {.intent_id = contract_id(&crowd->fleet->nodes[0]), .kind = INTENT_RELOAD}};
    }
}

static void make(struct crowd *crowd, int number)
{
    struct act *act = &crowd->acts[number];
    struct contract *node = &crowd->fleet->nodes[number];
    size_t kind = draw(crowd, 100);
    if (kind < 35) {
        make_decide(crowd, act, node);
    } else if (kind < 75 && crowd->known_count > 0) {
        make_finish(crowd, act, node);
    } else if (kind < 80) {
        make_publish(crowd, act, node);
    } else if (kind < 85) {
        make_join(crowd, act, node);
    } else {
        make_other(crowd, act, node);
    }
    act->op.done = fleet_ended;
    store_submit(node->store, &act->op);
}

// ---- what became of it --------------------------------------------------------------------------

static void know(struct crowd *crowd, const struct store_op_decide *decide)
{
    for (size_t i = 0; i < decide->slot_count; i++) {
        if (decide->slots[i].verdict == VERDICT_CLAIMED) {
            bool full = crowd->known_count == KNOWN;
            size_t at = full ? draw(crowd, KNOWN) : crowd->known_count++;
            crowd->known[at] = decide->slots[i];
            crowd->claimed++;
        }
    }
}

static void take(struct crowd *crowd, struct act *act)
{
    if (act->op.result != STORE_OK) {
        fail_msg("operation %d: %s", (int)act->op.kind, act->op.err.text);
    }
    if (act->op.kind == STORE_DECIDE) {
        know(crowd, &act->decide);
    }
    for (size_t i = 0; act->op.kind == STORE_FINISH && i < act->finish.end_count; i++) {
        crowd->stale += act->ends[i].stale;
    }
    store_op_release(&act->op);
    crowd->ended++;
}

static void crowd_init(struct crowd *crowd, struct fleet *fleet)
{
    *crowd = (struct crowd){.fleet = fleet, .random = 1};
    postgres_cluster_apart(fleet->nodes[1].store); // its ends are another session's
    for (int i = 0; i < JOBS; i++) {
        snprintf(crowd->names[i], sizeof crowd->names[i], "j%d", i);
        crowd->jobs[i] = contract_publish(&fleet->nodes[0], crowd->names[i], "s");
    }
}

static void nodes_never_wait_in_a_ring(void **state)
{
    struct fleet *fleet = *state;
    struct crowd *crowd = calloc(1, sizeof *crowd);
    assert_non_null(crowd);
    crowd_init(crowd, fleet);
    int before = fleet_deadlocks();
    for (int i = 0; i < NODES; i++) {
        make(crowd, i);
    }
    while (crowd->ended < ACTS) {
        for (int i = 0; i < NODES; i++) {
            (void)store_pump(fleet->nodes[i].store);
            if (crowd->acts[i].op.done == NULL) {
                take(crowd, &crowd->acts[i]);
                make(crowd, i);
            }
        }
    }
    for (int i = 0; i < NODES; i++) {
        fleet_pump(fleet, &crowd->acts[i].op, &crowd->acts[i].op);
        take(crowd, &crowd->acts[i]);
    }
    print_message("%d claimed, %d ends stale\n", crowd->claimed, crowd->stale);
    assert_true(crowd->claimed > 100 && crowd->stale > 100);
    assert_int_equal(fleet_deadlocks(), before);
    free(crowd);
}

// ---- with somebody who keeps no order -----------------------------------------------------------

// It holds the second job's row, and wants the first one's as soon as somebody waits for that. The
// server sees the node's claim as the one to break off.
#define WAITS_AGAINST_ORDER                                                                        \
    "begin; update ironcron.job set held = held where name = 'b'; "                                \
    "do 'begin while not exists (select from pg_stat_activity a where pg_backend_pid() = any "     \
    "(pg_blocking_pids(a.pid))) loop perform pg_sleep(0.01); perform pg_stat_clear_snapshot(); "   \
    "end loop; end'; "                                                                             \
    "set local deadlock_timeout = '20s'; update ironcron.job set held = held where name = 'a'; "   \
    "commit"

static void who_was_broken_off_goes_again(void **state)
{
    struct fleet *fleet = *state;
    struct store_slot slots[2] = {fleet_slot(fleet, 1000, true), fleet_slot(fleet, 1000, true)};
    slots[1].job_id = contract_publish(&fleet->nodes[0], "b", "s");
    int before = fleet_deadlocks();
    fleet_claims_wait(fleet);
    postgres_cluster_background(fleet->url, WAITS_AGAINST_ORDER);
    struct store_op_decide decide = fleet_decide(&fleet->nodes[0], slots);
    decide.slot_count = 2;
    struct store_op_beat beat = {.op = {.kind = STORE_BEAT, .done = fleet_ended},
                                 .node = fleet->nodes[0].node};
    store_submit(fleet->nodes[0].store, &decide.op);
    store_submit(fleet->nodes[0].store, &beat.op); // what is behind it goes on
    fleet_pump(fleet, &decide.op, &beat.op);
    assert_int_equal(decide.op.result, STORE_OK);
    assert_int_equal(beat.op.result, STORE_OK);
    assert_int_equal(fleet_deadlocks(), before + 1);
    assert_int_equal(slots[0].verdict, VERDICT_CLAIMED);
    assert_int_equal(slots[1].verdict, VERDICT_CLAIMED);
    store_op_release(&decide.op);
    store_op_release(&beat.op);
    fleet_holds(fleet, fleet_job_locks, "node 0,node 0");
    for (int i = 0; i < 2; i++) { // each was taken once, and is let go
        assert_false(contract_end(&fleet->nodes[0], &slots[i], RUN_SUCCESS, INSTANT_NONE));
    }
    fleet_holds(fleet, fleet_job_locks, "-");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fleet_setup, fleet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nodes_never_wait_in_a_ring),
        TEST(who_was_broken_off_goes_again),
    };
    postgres_cluster_start();
    return cmocka_run_group_tests_name("PostgreSQL store, the order of locks", tests, NULL, NULL);
}
