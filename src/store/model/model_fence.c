// SPDX-License-Identifier: MIT
// Fencing: what the dead leave behind, and who takes it over.
#include "store/model/model_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

// ---- runs ---------------------------------------------------------------------------------------

static void lose_run(struct model_store *store, const struct model_losing *losing,
                     struct model_run *run)
{
    struct store_lost lost = {.job_id = run->job->job_id,
                              .job = run->job->name,
                              .run_id = run->row.run_id,
                              .due_at = run->row.due_at,
                              .trigger = run->row.trigger,
                              .attempt = run->row.attempt};
    struct instant retry_at = INSTANT_NONE;
    if (losing->retry != NULL && lost.trigger != TRIGGER_MANUAL) {
        retry_at = losing->retry(losing->context, &lost, store->now);
    }
    model_run_finish(store, run, RUN_LOST, store->now, retry_at);
    run->row.failure = FAILURE_LOST;
    run->row.error = alloc_string(operation_lost_error);
    model_audit_add(store, "LOST", run->job->name, run->row.run_id, losing->node, NULL, NULL);
    struct model_lost *all = losing->lost;
    ARRAY_RESERVE(all->lost, all->count, all->capacity);
    all->lost[all->count++] = lost;
}

static bool is_of_dead(const struct model_store *store, const struct model_run *run)
{
    return !model_node_lives(store, run->node_no);
}

static bool has_runs_of_dead(const struct model_store *store)
{
    for (size_t i = 0; i < store->open_count; i++) {
        if (is_of_dead(store, store->open[i])) {
            return true;
        }
    }
    return false;
}

// What somebody else has in hand is left for the next time.
void model_lose_runs(struct model_store *store, const struct model_losing *losing)
{
    for (size_t i = 0; i < store->open_count;) {
        if (is_of_dead(store, store->open[i]) && store->open[i]->job->holder == NULL) {
            lose_run(store, losing, store->open[i]); // it is taken out
        } else {
            i++;
        }
    }
}

struct store_lost *model_lost_copy(const struct model_lost *lost, struct arena *arena)
{
    struct store_lost *copy = arena_alloc(arena, lost->count, sizeof *copy);
    for (size_t i = 0; i < lost->count; i++) {
        copy[i] = lost->lost[i];
        copy[i].job = arena_string(arena, lost->lost[i].job);
    }
    return copy;
}

// ---- what waits ---------------------------------------------------------------------------------

static bool is_orphan(const struct model_store *store, const struct store_intent *intent)
{
    return intent->state == INTENT_PENDING && !uuid_is_nil(intent->node) &&
           model_live_node(store, intent->node) == 0;
}

// ---- sessions -----------------------------------------------------------------------------------

bool model_is_left(const struct model_store *store, const struct model_node *node)
{
    return node->left_to != 0 && !model_node_lives(store, node->left_to);
}

static void take_left(struct model_store *store, int64_t node_no, const struct store_op_fence *op)
{
    for (size_t i = 0; i < store->node_count; i++) {
        struct model_node *node = &store->nodes[i];
        node->left_to = model_is_left(store, node) ? node_no : node->left_to;
        for (size_t k = 0; k < op->ended_count; k++) {
            node->left_to = uuid_equal(node->row.node, op->ended[k]) ? 0 : node->left_to;
        }
    }
}

struct uuid *model_left(const struct model_store *store, int64_t node_no, struct arena *arena,
                        size_t *count_out)
{
    struct uuid *left = arena_alloc(arena, store->node_count, sizeof *left);
    *count_out = 0;
    for (size_t i = 0; i < store->node_count; i++) {
        if (store->nodes[i].left_to == node_no) {
            left[(*count_out)++] = store->nodes[i].row.node;
        }
    }
    return left;
}

// ---- what waits, and on whom --------------------------------------------------------------------

// Do others take over what waits there?
static bool hands_over(const struct model_store *store, int64_t node_no)
{
    return !model_node_lives(store, node_no) ||
           operation_has(store->nodes[node_no - 1].row.draining_since);
}

bool model_has_orphans(const struct model_store *store, int64_t node_no)
{
    for (size_t i = 0; i < store->waiting_count; i++) {
        const struct model_waiting *waiting = &store->waiting[i];
        int64_t on = model_slot_at(waiting->job, waiting->due_at)->node_no;
        if (on != node_no && hands_over(store, on)) {
            return true;
        }
    }
    for (size_t i = 0; i < store->intent_count; i++) {
        if (is_orphan(store, &store->intents[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < store->node_count; i++) {
        if (model_is_left(store, &store->nodes[i])) {
            return true;
        }
    }
    return has_runs_of_dead(store);
}

static bool is_among(int64_t job_id, const int64_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == job_id) {
            return true;
        }
    }
    return false;
}

void model_take_over(struct model_store *store, int64_t node_no, const int64_t *except,
                     size_t except_count)
{
    for (size_t i = 0; i < store->waiting_count; i++) {
        const struct model_waiting *waiting = &store->waiting[i];
        struct model_slot *slot = model_slot_at(waiting->job, waiting->due_at);
        bool stays = !hands_over(store, slot->node_no) ||
                     is_among(waiting->job->job_id, except, except_count);
        slot->node_no = stays ? slot->node_no : node_no;
    }
    for (size_t i = 0; i < store->intent_count; i++) {
        if (is_orphan(store, &store->intents[i])) {
            store->intents[i].node = (struct uuid){{0}};
        }
    }
}

// ---- the operation ------------------------------------------------------------------------------

static void fence_node(struct model_store *store, const struct store_op_fence *op,
                       struct model_node *by, struct model_node *node)
{
    const struct uuid nil = {{0}};
    char *detail = operation_fenced_detail(node->row.host, node->row.node);
    model_node_end(store, node - store->nodes + 1, "lost");
    node->left_to = by - store->nodes + 1;
    model_audit_add(store, "NODE_FENCED", NULL, nil, op->node, NULL, detail);
    ARRAY_RESERVE(by->fenced, by->fenced_count, by->fenced_capacity);
    by->fenced[by->fenced_count++] = node->row.node;
    free(detail);
}

static int compare_nodes(const void *a, const void *b)
{
    const struct model_node *const *x = a;
    const struct model_node *const *y = b;
    return memcmp((*x)->row.node.bytes, (*y)->row.node.bytes, sizeof(struct uuid));
}

static void fence_overdue(struct model_store *store, const struct store_op_fence *op,
                          struct model_node *by)
{
    struct model_node **overdue = alloc_zero(store->live_count, sizeof(struct model_node *));
    size_t count = 0;
    for (size_t i = 0; i < store->live_count; i++) {
        struct model_node *node = &store->nodes[store->live[i] - 1];
        if (!uuid_equal(node->row.node, op->node) && model_is_overdue(store, node)) {
            overdue[count++] = node;
        }
    }
    qsort(overdue, count, sizeof *overdue, compare_nodes);
    for (size_t i = 0; i < count; i++) {
        fence_node(store, op, by, overdue[i]);
    }
    free(overdue);
}

static void answer(struct store_op_fence *op, const struct model_node *by)
{
    op->fenced_count = by->fenced_count;
    op->fenced = arena_alloc(&op->op.arena, by->fenced_count, sizeof *op->fenced);
    for (size_t i = 0; i < by->fenced_count; i++) {
        op->fenced[i] = by->fenced[i];
    }
    op->lost = model_lost_copy(&by->fencing_lost, &op->op.arena);
    op->lost_count = by->fencing_lost.count;
}

enum store_result model_fence(struct model_store *store, struct store_op *base)
{
    struct store_op_fence *op = CONTAINER_OF(base, struct store_op_fence, op);
    int64_t number = model_live_node(store, op->node);
    if (number == 0) {
        return model_not_live(&base->err);
    }
    op->now = store->now;
    struct model_node *by = &store->nodes[number - 1];
    if (!uuid_equal(by->fencing_id, op->fencing_id)) {
        by->fencing_id = op->fencing_id;
        by->fenced_count = by->fencing_lost.count = 0;
    }
    fence_overdue(store, op, by);
    struct model_losing losing = {op->node, op->lost_retry, op->lost_context, &by->fencing_lost};
    model_lose_runs(store, &losing);
    answer(op, by);
    model_take_over(store, number, op->except, op->except_count);
    take_left(store, number, op);
    op->left = model_left(store, number, &base->arena, &op->left_count);
    op->waiting = model_retries(store, number, &base->arena, &op->waiting_count);
    return STORE_OK;
}
