// SPDX-License-Identifier: MIT
// The judges of the other tests can say no: bugs are put between the engine and the store, one at a
// time, and each must be noticed by the judge whose business it is.
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attributes.h"

static const struct world_script scripts[] = {{"slow", 150000, 0, 0}};

static struct store_op_decide *decide_of(struct store_op *op)
{
    return op->kind == STORE_DECIDE ? CONTAINER_OF(op, struct store_op_decide, op) : NULL;
}

static void nothing(struct store_op *op)
{
    (void)op;
}

static void forget_overlap(struct store_op *op)
{
    struct store_op_decide *decide = decide_of(op);
    for (size_t i = 0; decide != NULL && i < decide->slot_count; i++) {
        decide->slots[i].forbid_overlap = false;
    }
}

static void run_a_second_early(struct store_op *op)
{
    struct store_op_decide *decide = decide_of(op);
    for (size_t i = 0; decide != NULL && i < decide->slot_count; i++) {
        decide->slots[i].due_at = instant_add(decide->slots[i].due_at, DURATION_S(-1));
    }
}

static void forget_the_pause(struct store_op *op)
{
    struct store_op_decide *decide = decide_of(op);
    for (size_t i = 0; decide != NULL && i < decide->slot_count; i++) {
        if (decide->slots[i].reason == REASON_PAUSED) {
            decide->slots[i].reason = REASON_THROTTLED;
        }
    }
}

static void end_with_a_stale_fence(struct store_op *op)
{
    if (op->kind == STORE_FINISH) {
        struct store_op_finish *finish = CONTAINER_OF(op, struct store_op_finish, op);
        for (size_t i = 0; i < finish->end_count; i++) {
            finish->ends[i].fence--;
        }
    }
}

static void look_at_no_slot(struct store_op *op)
{
    if (op->kind == STORE_SLOTS) {
        struct store_op_slots *slots = CONTAINER_OF(op, struct store_op_slots, op);
        for (size_t i = 0; i < slots->item_count; i++) {
            slots->items[i].since = slots->items[i].until;
        }
    }
}

static void a_run_too_early_is_noticed(void **state)
{
    (void)state;
    static const char *const after[] = {"slow", NULL};
    for (int i = 0; i < 2; i++) {
        struct world w;
        world_init(&w, "2026-03-10T00:00:00Z");
        world_script(&w, scripts, 1);
        world_job(&w, "slow", "*/10 * * * *");
        struct job *then = world_job(&w, "then", "1-59/10 * * * *");
        then->after = after;
        then->after_within = DURATION_S(3600);
        world_tamper(&w, i == 0 ? nothing : look_at_no_slot);
        world_start(&w);
        world_advance(&w, DURATION_S(1900));
        assert_int_equal(world_count(&w, "then"), i == 0 ? 3 : 4);
        assert_int_equal(w.too_early, i == 0 ? 0 : 3); // before the first nothing was due
        world_release(&w);
    }
}

static void each_bug_is_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *bug;
        void (*tamper)(struct store_op *op);
        enum verify_kind kind; // VERIFY_KIND_COUNT: an overlap
    } bugs[] = {
        {"none", nothing, VERIFY_KIND_COUNT},
        {"overlap forgotten", forget_overlap, VERIFY_KIND_COUNT},
        {"a second early", run_a_second_early, VERIFY_SLOT_GAP},
        {"a second early", run_a_second_early, VERIFY_SLOT_EXTRA},
        {"pause forgotten", forget_the_pause, VERIFY_SLOT_POLICY},
        {"stale fence", end_with_a_stale_fence, VERIFY_RUN_NOT_ENDED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bugs); i++) {
        struct world w;
        world_init(&w, "2026-03-10T00:00:00Z");
        world_script(&w, scripts, 1);
        world_job(&w, "slow", "* * * * *");
        world_job(&w, "paused", "* * * * *");
        world_tamper(&w, bugs[i].tamper);
        world_start(&w);
        world_control(&w, "paused", CONTROL_PAUSE, 1);
        world_advance(&w, DURATION_S(1000));
        world_crash(&w);
        int noticed = bugs[i].kind == VERIFY_KIND_COUNT ? world_overlaps(&w)
                                                        : world_findings(&w, bugs[i].kind);
        if ((noticed > 0) != (i > 0)) {
            fail_msg("%s: noticed %d times", bugs[i].bug, noticed);
        }
        world_release(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_bug_is_noticed),
        cmocka_unit_test(a_run_too_early_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
