// SPDX-License-Identifier: MIT
// A node's way to the store: what it sends arrives later, so does the answer; a cut leaves open
// what became of what was on its way, and some of it is carried out long after.
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/model/model_private.h"
#include "store/operation.h"

static struct sim *the_sim; // operations have no context of the world

static struct sim_node *node_of(struct store *store)
{
    for (size_t i = 0; i < the_sim->node_count; i++) {
        if (the_sim->nodes[i].store == store) {
            return &the_sim->nodes[i];
        }
    }
    fail_msg("a store of no node");
    return NULL;
}

static bool is_past(struct mono t)
{
    return !mono_before(the_sim->now, t);
}

static struct mono latency(const struct sim_node *node)
{
    struct duration most = is_past(node->slow_until) ? DURATION_MS(5) : node->slowness;
    uint32_t us = 300 + sim_dice(node->sim, (uint32_t)most.us);
    return mono_add(node->sim->now, DURATION_US(us));
}

static struct mono not_before(struct mono t, struct mono earlier)
{
    return mono_before(t, earlier) ? earlier : t;
}

static void submit(struct store *store, struct store_op *op)
{
    struct sim_node *node = node_of(store);
    struct operation_queue queue = {NULL, NULL};
    operation_push(&queue, op); // readies its outputs
    ARRAY_RESERVE(node->entries, node->entry_count, node->entry_capacity);
    struct sim_entry *entry = &node->entries[node->entry_count++];
    *entry = (struct sim_entry){.op = op, .done = op->done, .carry_at = latency(node)};
    if (node->entry_count > 1) {
        entry->carry_at =
            not_before(entry->carry_at, node->entries[node->entry_count - 2].carry_at);
    }
    bool impatient = node->sim->bug == BUG_SLOW_IS_AWAY && !is_past(node->slow_until);
    entry->refused = node->dying || !is_past(node->away_until) || impatient;
    entry->answer_at = entry->carry_at;
}

static void was_carried(struct store_op *op)
{
    op->done = NULL;
}

// Carried out in this very moment. The arena that submit readied is empty.
static void carry_op(struct sim_node *node, struct store_op *op)
{
    op->done = was_carried;
    sim_bug_before(node, op);
    node->true_ops->submit(node->store, op);
    while (op->done != NULL) {
        (void)node->true_ops->pump(node->store);
    }
    sim_judge_end(node, op);
    sim_judge_decided(node->sim, op);
    sim_bug_after(node, op);
}

// What waits for a stranger keeps what is behind it waiting.
static void carry(struct sim_node *node, struct sim_entry *entry)
{
    carry_op(node, entry->op);
    struct duration wait = sim_strangers_wait(node, entry->op);
    entry->carried = true;
    entry->answer_at = mono_add(not_before(latency(node), entry->answer_at), wait);
    for (size_t i = 0; i < node->entry_count && wait.us > 0; i++) {
        struct sim_entry *other = &node->entries[i];
        other->carry_at = not_before(other->carry_at, mono_add(node->sim->now, wait));
    }
}

void sim_link_work(struct sim_node *node)
{
    for (size_t i = 0; i < node->entry_count; i++) {
        struct sim_entry *entry = &node->entries[i];
        if (!entry->carried && !entry->cut && !entry->refused && is_past(entry->carry_at)) {
            entry->refused = sim_bug_fails(node, entry->op);
        }
        if (!entry->carried && !entry->cut && !entry->refused && is_past(entry->carry_at)) {
            carry(node, entry);
        }
    }
}

static bool is_answerable(const struct sim_entry *entry)
{
    return (entry->carried || entry->cut || entry->refused) && is_past(entry->answer_at);
}

bool sim_link_is_deciding(const struct sim_node *node)
{
    for (size_t i = 0; i < node->entry_count; i++) {
        enum store_op_kind kind = node->entries[i].op->kind;
        if (kind == STORE_DECIDE || kind == STORE_FINISH || kind == STORE_FENCE) {
            return true;
        }
    }
    return false;
}

bool sim_link_has_answer(const struct sim_node *node)
{
    return node->entry_count > 0 && is_answerable(&node->entries[0]);
}

struct mono sim_link_next(const struct sim_node *node)
{
    struct mono next = MONO_NEVER;
    for (size_t i = 0; i < node->entry_count; i++) {
        const struct sim_entry *entry = &node->entries[i];
        bool waits = !entry->carried && !entry->cut && !entry->refused;
        struct mono at = waits ? entry->carry_at : entry->answer_at;
        next = (waits || i == 0) && mono_before(at, next) ? at : next;
    }
    return next;
}

// Its process is gone: whatever lets its engine come to rest.
static void answer_dead(struct store_op *op)
{
    struct error err = ERROR_INIT;
    (void)error_set(&err, ERROR_REFUSED, "this node is dead");
    if (op->kind == STORE_FINISH) {
        struct store_op_finish *finish = CONTAINER_OF(op, struct store_op_finish, op);
        for (size_t i = 0; i < finish->end_count; i++) {
            finish->ends[i].stale = true;
        }
        operation_done(op, STORE_OK, &err);
    } else {
        operation_done(op, STORE_REFUSED, &err);
    }
}

static void answer_first(struct sim_node *node)
{
    struct sim_entry entry = node->entries[0];
    node->entry_count--;
    memmove(node->entries, node->entries + 1, node->entry_count * sizeof entry);
    struct error err = ERROR_INIT;
    entry.op->done = entry.done;
    if (node->dying) {
        answer_dead(entry.op);
    } else if (entry.cut && sim_bug_believes(node, entry.op)) {
        entry.done(entry.op);
    } else if (entry.cut) {
        (void)error_set(&err, ERROR_UNAVAILABLE, "the connection broke");
        operation_done(entry.op, STORE_UNKNOWN, &err);
    } else if (entry.refused) {
        (void)error_set(&err, ERROR_UNAVAILABLE, "the store cannot be reached");
        operation_done(entry.op, STORE_UNAVAILABLE, &err);
    } else {
        entry.done(entry.op);
    }
}

static bool pump(struct store *store)
{
    struct sim_node *node = node_of(store);
    if (node->blocking || node->dying) {
        for (size_t i = 0; i < node->entry_count; i++) {
            struct sim_entry *entry = &node->entries[i];
            if (!entry->carried && !entry->cut && !entry->refused) {
                carry(node, entry);
            }
            entry->answer_at = the_sim->now;
        }
    }
    bool any = sim_link_has_answer(node);
    for (size_t i = node->entry_count; i > 0 && sim_link_has_answer(node); i--) {
        answer_first(node);
    }
    return any;
}

void sim_is_slow(struct sim *sim, struct duration by)
{
    ARRAY_RESERVE(sim->slow, sim->slow_count, sim->slow_capacity);
    sim->slow[sim->slow_count++] = (struct sim_span){sim->now, mono_add(sim->now, by)};
}

// ---- what is carried out late -------------------------------------------------------------------

static void no_text(const char **text)
{
    *text = NULL;
}

static struct store_op *copy_decide(const struct store_op_decide *op)
{
    struct store_op_decide *copy = alloc_zero(1, sizeof *copy);
    *copy = *op;
    no_text(&copy->actor);
    copy->slots = alloc_zero(op->slot_count + 1, sizeof *copy->slots);
    memcpy(copy->slots, op->slots, op->slot_count * sizeof *copy->slots);
    for (size_t i = 0; i < op->slot_count; i++) {
        no_text(&copy->slots[i].detail);
    }
    return &copy->op;
}

static struct store_op *copy_finish(const struct store_op_finish *op)
{
    struct store_op_finish *copy = alloc_zero(1, sizeof *copy);
    *copy = *op;
    copy->ends = alloc_zero(op->end_count + 1, sizeof *copy->ends);
    memcpy(copy->ends, op->ends, op->end_count * sizeof *copy->ends);
    for (size_t i = 0; i < op->end_count; i++) {
        no_text(&copy->ends[i].error);
        no_text(&copy->ends[i].detail);
    }
    return &copy->op;
}

static struct store_op *copy_beat(const struct store_op_beat *op)
{
    struct store_op_beat *copy = alloc_zero(1, sizeof *copy);
    *copy = *op;
    return &copy->op;
}

// NULL: of its kind nothing is carried out late.
static struct store_op *copy_of(struct store_op *op)
{
    switch (op->kind) {
    case STORE_DECIDE:
        return copy_decide(CONTAINER_OF(op, struct store_op_decide, op));
    case STORE_FINISH:
        return copy_finish(CONTAINER_OF(op, struct store_op_finish, op));
    case STORE_BEAT:
        return copy_beat(CONTAINER_OF(op, struct store_op_beat, op));
    default:
        return NULL;
    }
}

static void late_free(struct store_op *op)
{
    store_op_release(op);
    if (op->kind == STORE_DECIDE) {
        free(CONTAINER_OF(op, struct store_op_decide, op)->slots);
    } else if (op->kind == STORE_FINISH) {
        free(CONTAINER_OF(op, struct store_op_finish, op)->ends);
    }
    free(op);
}

static void late_add(struct sim *sim, struct store_op *op)
{
    struct store_op *copy = copy_of(op);
    if (copy != NULL) {
        ARRAY_RESERVE(sim->late, sim->late_count, sim->late_capacity);
        sim->late[sim->late_count++] =
            (struct sim_late){copy, mono_add(sim->now, DURATION_MS(sim_dice(sim, 20000)))};
        sim->late_writes++;
        sim_is_slow(sim, DURATION_S(20));
    }
}

void sim_late_work(struct sim *sim)
{
    for (size_t i = 0; i < sim->late_count;) {
        struct store_op *op = sim->late[i].op;
        if (!is_past(sim->late[i].carry_at)) {
            i++;
            continue;
        }
        sim->late[i] = sim->late[--sim->late_count];
        op->done = was_carried;
        sim->store->ops->submit(sim->store, op);
        while (op->done != NULL) {
            (void)sim->store->ops->pump(sim->store);
        }
        sim_judge_decided(sim, op);
        late_free(op);
    }
}

void sim_doubt(struct sim *sim, int64_t job_id)
{
    const struct model_job *job = model_job_at(model_of(sim->store), job_id);
    ARRAY_RESERVE(sim->doubts, sim->doubt_count, sim->doubt_capacity);
    sim->doubts[sim->doubt_count++] =
        (struct sim_doubt){(int)strtol(job->name + 4, NULL, 10), sim->now};
}

// It is sent again as it was, once the node is back: what operators want by then it does not know.
static void doubt(struct sim *sim, struct store_op *op, bool carried)
{
    const struct store_op_decide *decide = CONTAINER_OF(op, struct store_op_decide, op);
    for (size_t i = 0; op->kind == STORE_DECIDE && i < decide->slot_count; i++) {
        if (!carried || decide->slots[i].verdict == VERDICT_LOCKED) {
            sim_doubt(sim, decide->slots[i].job_id);
        }
    }
}

// Lost, done, or done later: the node will never be told.
void sim_link_cut(struct sim_node *node)
{
    for (size_t i = 0; i < node->entry_count; i++) {
        struct sim_entry *entry = &node->entries[i];
        uint32_t fate = sim_dice(node->sim, 3);
        if (entry->refused || entry->cut) {
            continue;
        }
        if (!entry->carried && fate == 0) {
            late_add(node->sim, entry->op);
        } else if (!entry->carried && fate == 1) {
            carry(node, entry);
        }
        if (entry->carried || fate == 2) {
            doubt(node->sim, entry->op, entry->carried);
        }
        entry->cut = true;
        entry->answer_at = node->sim->now;
        node->sim->unknown++;
    }
}

void sim_link_init(struct sim_node *node, struct store *store)
{
    the_sim = node->sim;
    node->store = store;
    node->true_ops = store->ops;
    node->ops = *store->ops;
    node->ops.submit = submit;
    node->ops.pump = pump;
    store->ops = &node->ops;
}
