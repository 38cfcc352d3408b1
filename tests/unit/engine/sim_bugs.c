// SPDX-License-Identifier: MIT
// Bugs in what stands around the engine: on an operation's way into the store, or on the way back.
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/model/model_private.h"

const char *sim_bug_name(enum sim_bug bug)
{
    static const char *const names[BUG_COUNT] = {
        "none",          "answer-trust", "long-trust",  "slow-kill",      "no-deadline",
        "unknown-start", "no-fence",     "no-mark",     "no-overlap",     "runs-not-lost",
        "intents-twice", "outdated",     "false-death", "lazy-neighbour", "wrong-labels",
        "eager-after",   "dry-unseen",   "always-good", "left-behind",    "deaf-runner",
        "boot-again",    "no-boot",      "deaf-node",   "slow-is-away",   "locked-taken",
        "later-done",    "one-for-all",  "through",     "lock-unasked",
    };
    return names[bug];
}

// A stranger that keeps nobody out.
static void hide_strangers(struct sim *sim, bool hidden)
{
    for (size_t i = 0; i < sim->stranger_count; i++) {
        const struct sim_stranger *stranger = &sim->strangers[i];
        const char *name = sim->names[stranger->job];
        if (stranger->locks && sim->bug == BUG_LOCK_UNASKED) {
            model_store_lock(sim->store, name, hidden ? NULL : "a stranger");
        } else if (!stranger->locks && sim->bug == BUG_THROUGH) {
            model_store_hold(sim->store, name, hidden ? NULL : "a stranger");
        }
    }
}

static void before_decide(struct sim_node *node, struct store_op_decide *op)
{
    enum sim_bug bug = node->sim->bug;
    struct model_store *model = model_of(node->store);
    op->version = bug == BUG_OUTDATED ? model->active : op->version;
    for (size_t i = 0; i < op->slot_count; i++) {
        struct store_slot *slot = &op->slots[i];
        slot->forbid_overlap = slot->forbid_overlap && bug != BUG_NO_OVERLAP;
        if (slot->trigger == TRIGGER_MANUAL && bug == BUG_INTENTS_TWICE) {
            slot->run_id.bytes[15] ^= node->host[5]; // each node has an id of its own for it
        }
    }
}

static void before_finish(struct sim_node *node, struct store_op_finish *op)
{
    struct model_store *model = model_of(node->store);
    for (size_t i = 0; i < op->end_count && node->sim->bug == BUG_ALWAYS_GOOD; i++) {
        struct store_end *end = &op->ends[i];
        end->state = end->state == RUN_FAILED ? RUN_SUCCESS : end->state;
        end->failure = end->state == RUN_SUCCESS ? FAILURE_NONE : end->failure;
        end->retry_at = end->state == RUN_SUCCESS ? INSTANT_NONE : end->retry_at;
    }
    for (size_t i = 0; i < op->end_count && node->sim->bug == BUG_NO_FENCE; i++) {
        struct model_run *run = model_run_by_id(model, op->ends[i].run_id);
        if (run != NULL && run->row.state == RUN_LOST) {
            run->row.state = RUN_STARTED;
            run->job->started++;
            ARRAY_RESERVE(model->open, model->open_count, model->open_capacity);
            model->open[model->open_count++] = run;
            free((char *)(uintptr_t)run->row.error);
            run->row.error = NULL;
        }
    }
}

// Who is overdue is fenced, but its runs seem to be nobody's.
static void before_fence(struct sim_node *node, struct store_op_fence *op)
{
    static const int64_t all[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,
                                  15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28};
    struct model_store *model = model_of(node->store);
    if (node->sim->bug == BUG_LEFT_BEHIND) {
        op->except = all;
        op->except_count = ARRAY_LENGTH(all);
    }
    size_t left = 0;
    for (size_t i = 0; i < model->open_count && node->sim->bug == BUG_RUNS_NOT_LOST; i++) {
        const struct model_node *of = &model->nodes[model->open[i]->node_no - 1];
        if (!model_is_overdue(model, of)) {
            model->open[left++] = model->open[i];
        }
    }
    model->open_count = node->sim->bug == BUG_RUNS_NOT_LOST ? left : model->open_count;
}

void sim_bug_before(struct sim_node *node, struct store_op *op)
{
    hide_strangers(node->sim, true);
    if (op->kind == STORE_DECIDE) {
        before_decide(node, CONTAINER_OF(op, struct store_op_decide, op));
    } else if (op->kind == STORE_FINISH) {
        before_finish(node, CONTAINER_OF(op, struct store_op_finish, op));
    } else if (op->kind == STORE_FENCE) {
        before_fence(node, CONTAINER_OF(op, struct store_op_fence, op));
    } else if (op->kind == STORE_INTENT_END && node->sim->bug == BUG_INTENTS_TWICE) {
        CONTAINER_OF(op, struct store_op_intent_end, op)->intent_id = (struct uuid){{0}};
    }
}

static void after_locked(struct store_op_decide *op)
{
    for (size_t i = 0; i < op->slot_count; i++) {
        struct store_slot *slot = &op->slots[i];
        slot->verdict = slot->verdict == VERDICT_LOCKED ? VERDICT_TAKEN : slot->verdict;
    }
}

static void after_finish(struct store_op_finish *op)
{
    for (size_t i = 0; i < op->end_count; i++) {
        op->ends[i].later = false;
    }
}

static void after_decide(struct store_op_decide *op)
{
    for (size_t i = 0; i < op->slot_count; i++) {
        struct store_slot *slot = &op->slots[i];
        if (slot->verdict == VERDICT_TAKEN && slot->decision == DECIDE_RUN) {
            slot->verdict = VERDICT_CLAIMED;
            slot->fence = 1;
            slot->started_at = slot->due_at;
        }
    }
}

static void after_marks(struct store_op_marks *op)
{
    for (size_t i = 0; i < op->mark_count; i++) {
        if (!instant_is_none(op->marks[i].high_water)) {
            op->marks[i].high_water = instant_add(op->marks[i].high_water, DURATION_S(600));
        }
    }
}

static void after_slots(struct store_op_slots *op)
{
    for (size_t i = 0; i < op->item_count; i++) {
        op->items[i].found_count = 0;
        op->items[i].high_water = instant_add(op->items[i].until, DURATION_S(86400));
    }
}

static void after_beat(struct store_op_beat *op, enum sim_bug bug)
{
    op->version = bug == BUG_OUTDATED ? 0 : op->version;
    for (size_t i = 0; i < op->member_count; i++) {
        op->members[i].dry_run = op->members[i].dry_run && bug != BUG_DRY_UNSEEN;
    }
}

static void after_take(struct store_op_intent_take *op, enum sim_bug bug)
{
    for (size_t i = 0; i < op->intent_count && bug == BUG_DEAF_NODE; i++) {
        bool drain = op->intents[i].kind == INTENT_DRAIN;
        op->intents[i].kind = drain ? INTENT_RESUME : op->intents[i].kind;
    }
}

void sim_bug_after(struct sim_node *node, struct store_op *op)
{
    enum sim_bug bug = node->sim->bug;
    hide_strangers(node->sim, false);
    if (op->kind == STORE_DECIDE && bug == BUG_LOCKED_TAKEN) {
        after_locked(CONTAINER_OF(op, struct store_op_decide, op));
    } else if (op->kind == STORE_FINISH && bug == BUG_LATER_DONE) {
        after_finish(CONTAINER_OF(op, struct store_op_finish, op));
    } else if (op->kind == STORE_DECIDE && bug == BUG_NO_MARK) {
        after_decide(CONTAINER_OF(op, struct store_op_decide, op));
    } else if (op->kind == STORE_INTENT_OWN && bug == BUG_INTENTS_TWICE) {
        CONTAINER_OF(op, struct store_op_intent_own, op)->own = true;
    } else if (op->kind == STORE_MARKS && bug == BUG_LAZY_NEIGHBOUR) {
        after_marks(CONTAINER_OF(op, struct store_op_marks, op));
    } else if (op->kind == STORE_SLOTS && bug == BUG_EAGER_AFTER) {
        after_slots(CONTAINER_OF(op, struct store_op_slots, op));
    } else if (op->kind == STORE_INTENT_TAKE) {
        after_take(CONTAINER_OF(op, struct store_op_intent_take, op), bug);
    } else if (op->kind == STORE_BEAT) {
        after_beat(CONTAINER_OF(op, struct store_op_beat, op), bug);
    }
}

// One job that a stranger has in hand, and nothing is done.
bool sim_bug_fails(struct sim_node *node, const struct store_op *op)
{
    const struct sim *sim = node->sim;
    if (sim->bug != BUG_ONE_FOR_ALL || op->kind != STORE_DECIDE) {
        return false;
    }
    const struct store_op_decide *decide = CONTAINER_OF(op, const struct store_op_decide, op);
    for (size_t i = 0; i < decide->slot_count; i++) {
        const struct model_job *job = model_job_at(model_of(node->store), decide->slots[i].job_id);
        if (job != NULL && job->holder != NULL) {
            return true;
        }
    }
    return false;
}

// In place of STORE_UNKNOWN.
bool sim_bug_believes(struct sim_node *node, struct store_op *op)
{
    if (node->sim->bug != BUG_UNKNOWN_START || op->kind != STORE_DECIDE) {
        return false;
    }
    struct store_op_decide *decide = CONTAINER_OF(op, struct store_op_decide, op);
    for (size_t i = 0; i < decide->slot_count; i++) {
        struct store_slot *slot = &decide->slots[i];
        slot->verdict = slot->decision == DECIDE_RUN ? VERDICT_CLAIMED : VERDICT_WRITTEN;
        slot->fence = 1;
        slot->started_at = sim_time(node->sim);
    }
    return true;
}
