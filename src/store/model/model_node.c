// SPDX-License-Identifier: MIT
// Nodes: who is there, and since when nothing was heard of it.
#include "store/model/model_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum store_result model_not_live(struct error *err)
{
    return operation_refuse(err, "this node is not live in the store");
}

bool model_node_lives(const struct model_store *store, int64_t node_no)
{
    return strcmp(store->nodes[node_no - 1].row.state, "live") == 0;
}

static struct model_node *node_find(struct model_store *store, struct uuid node)
{
    for (size_t i = 0; i < store->node_count; i++) {
        if (uuid_equal(store->nodes[i].row.node, node)) {
            return &store->nodes[i];
        }
    }
    return NULL;
}

static struct instant valid_until(const struct model_store *store, const struct model_node *node)
{
    return node->lease.us > 0 ? instant_add(store->now, node->lease) : INSTANT_NONE;
}

void model_node_end(struct model_store *store, int64_t node_no, const char *state)
{
    struct store_node_row *row = &store->nodes[node_no - 1].row;
    size_t left = 0;
    row->state = state;
    row->running = 0;
    for (size_t i = 0; i < store->live_count; i++) {
        if (store->live[i] != node_no) {
            store->live[left++] = store->live[i];
        }
    }
    store->live_count = left;
}

static void declare_dead(struct model_store *store, const struct store_op_join *op)
{
    for (size_t i = store->live_count; i > 0; i--) {
        int64_t number = store->live[i - 1];
        if (op->alone || uuid_equal(store->nodes[number - 1].row.node, op->dead)) {
            model_node_end(store, number, "lost");
            store->nodes[number - 1].left_to = number; // itself: it does not live
        }
    }
}

static void take_left(struct model_store *store, const struct store_op_join *op)
{
    for (size_t i = 0; i < store->node_count; i++) {
        struct model_node *node = &store->nodes[i];
        if ((op->alone || uuid_equal(node->row.node, op->dead)) && model_is_left(store, node)) {
            node->left_to = (int64_t)store->node_count; // the one that has just joined
        }
    }
}

static struct model_node *node_add(struct model_store *store, const struct store_op_join *op)
{
    ARRAY_RESERVE(store->nodes, store->node_count, store->node_capacity);
    struct model_node *node = &store->nodes[store->node_count++];
    *node = (struct model_node){.row = {.node = op->node,
                                        .host = alloc_string(op->host),
                                        .version = alloc_string(op->version),
                                        .started_at = store->now,
                                        .last_seen = store->now,
                                        .state = "live",
                                        .max_running = op->max_running,
                                        .dry_run = op->dry_run,
                                        .labels = alloc_optional(op->labels),
                                        .draining_since = INSTANT_NONE},
                                .lease = op->lease,
                                .grace = op->grace};
    node->row.valid_until = valid_until(store, node);
    ARRAY_RESERVE(store->live, store->live_count, store->live_capacity);
    store->live[store->live_count++] = (int64_t)store->node_count;
    return node;
}

// What a node was told that did not leave by itself its successor was told.
static void drain_as(struct store_node_row *row, const struct store_node_row *dead)
{
    if (strcmp(dead->state, "stopped") != 0 && operation_has(dead->draining_since)) {
        row->draining = true;
        row->draining_since = dead->draining_since;
        row->draining_by = alloc_optional(dead->draining_by);
        row->draining_as = alloc_optional(dead->draining_as);
        row->draining_reason = alloc_optional(dead->draining_reason);
    }
}

static struct model_node *join_new(struct model_store *store, const struct store_op_join *op)
{
    const struct uuid nil = {{0}};
    model_audit_add(store, "NODE_STARTED", NULL, nil, op->node, NULL, op->detail);
    declare_dead(store, op);
    struct model_node *node = node_add(store, op);
    const struct model_node *dead = node_find(store, op->dead);
    if (dead != NULL) {
        drain_as(&node->row, &dead->row);
    }
    take_left(store, op);
    struct model_losing losing = {op->node, op->lost_retry, op->lost_context, &node->lost};
    model_lose_runs(store, &losing);
    if (op->alone) {
        model_take_over(store, (int64_t)store->node_count, NULL, 0);
    }
    return node;
}

static const char *copy(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_string(arena, text);
}

static struct store_drain drain_of(const struct store_node_row *row, struct arena *arena)
{
    return (struct store_drain){.since = row->draining_since,
                                .by = copy(arena, row->draining_by),
                                .as = copy(arena, row->draining_as),
                                .reason = copy(arena, row->draining_reason)};
}

enum store_result model_join(struct model_store *store, struct store_op *base)
{
    struct store_op_join *op = CONTAINER_OF(base, struct store_op_join, op);
    struct model_node *node = node_find(store, op->node);
    op->now = store->now;
    op->lost = NULL;
    op->lost_count = 0;
    if (node != NULL && strcmp(node->row.state, "live") != 0) {
        return model_not_live(&base->err);
    }
    if (node == NULL) {
        node = join_new(store, op);
    }
    op->lost_count = node->lost.count;
    op->lost = model_lost_copy(&node->lost, &base->arena);
    op->left = model_left(store, node - store->nodes + 1, &base->arena, &op->left_count);
    op->drain = drain_of(&node->row, &base->arena);
    return STORE_OK;
}

static void write_beat(struct model_store *store, const struct store_op_beat *op,
                       struct model_node *node)
{
    node->row.last_seen = store->now;
    node->row.valid_until = valid_until(store, node);
    node->row.running = op->running;
    node->row.draining = op->draining;
    node->full = op->full;
}

bool model_is_overdue(const struct model_store *store, const struct model_node *node)
{
    struct duration patience = {node->lease.us + node->grace.us};
    return node->lease.us > 0 && strcmp(node->row.state, "live") == 0 &&
           instant_before(instant_add(node->row.last_seen, patience), store->now) &&
           instant_before(instant_add(store->up_since, patience), store->now);
}

static int compare_members(const void *a, const void *b)
{
    const struct store_member *x = a;
    const struct store_member *y = b;
    return memcmp(x->node.bytes, y->node.bytes, sizeof(struct uuid));
}

static void answer_members(const struct model_store *store, struct store_op_beat *op)
{
    struct arena *arena = &op->op.arena;
    op->members = arena_alloc(arena, store->live_count, sizeof *op->members);
    op->member_count = store->live_count;
    for (size_t i = 0; i < store->live_count; i++) {
        const struct model_node *node = &store->nodes[store->live[i] - 1];
        const struct store_node_row *row = &node->row;
        op->members[i] = (struct store_member){
            .node = row->node,
            .host = arena_string(arena, row->host),
            .labels = row->labels == NULL ? NULL : arena_string(arena, row->labels),
            .dry_run = row->dry_run,
            .draining = row->draining,
            .full = node->full,
            .is_overdue = model_is_overdue(store, node)};
    }
    qsort(op->members, op->member_count, sizeof *op->members, compare_members);
}

enum store_result model_beat(struct model_store *store, struct store_op *base)
{
    struct store_op_beat *op = CONTAINER_OF(base, struct store_op_beat, op);
    int64_t number = model_live_node(store, op->node);
    op->now = store->now;
    if (number == 0) {
        return model_not_live(&base->err);
    }
    if (!op->look) {
        write_beat(store, op, &store->nodes[number - 1]);
    }
    op->changes = store->changes;
    op->version = store->active;
    op->orphans = model_has_orphans(store, number);
    op->unsealed = store->sealed < store->audit_count;
    answer_members(store, op);
    return STORE_OK;
}

static void set_text(const char **kept, const char *text)
{
    free((char *)(uintptr_t)*kept);
    *kept = alloc_optional(text);
}

static void write_report(const struct store_op_report *op, struct store_node_row *row)
{
    bool drains = operation_has(op->draining_since);
    bool drained = operation_has(row->draining_since);
    row->draining = drains != drained ? drains : row->draining;
    row->definitions = op->definitions;
    row->draining_since = drains ? instant_from_ms(instant_ms(op->draining_since)) : INSTANT_NONE;
    set_text(&row->refused, op->refused);
    set_text(&row->draining_by, drains ? op->actor : NULL);
    set_text(&row->draining_as, drains ? op->as : NULL);
    set_text(&row->draining_reason, drains ? op->reason : NULL);
}

static void let_backfills_go(struct model_store *store, struct uuid node)
{
    for (size_t i = 0; i < store->intent_count; i++) {
        struct store_intent *intent = &store->intents[i];
        if (intent->state == INTENT_PENDING && intent->kind == INTENT_BACKFILL &&
            uuid_equal(intent->node, node)) {
            intent->node = (struct uuid){{0}};
        }
    }
}

enum store_result model_report(struct model_store *store, struct store_op *base)
{
    struct store_op_report *op = CONTAINER_OF(base, struct store_op_report, op);
    const struct uuid nil = {{0}};
    int64_t number = model_live_node(store, op->node);
    if (number == 0) {
        return model_not_live(&base->err);
    }
    struct store_node_row *row = &store->nodes[number - 1].row;
    bool drains = operation_has(op->draining_since);
    bool drained = operation_has(row->draining_since);
    write_report(op, row);
    if (drains) {
        let_backfills_go(store, op->node);
    }
    if (drains != drained) {
        char *detail = operation_report_detail(op);
        model_audit_add(store, drains ? "NODE_DRAINED" : "NODE_RESUMED", NULL, nil, op->node,
                        op->actor, detail);
        free(detail);
    }
    store->changes += drains || drained;
    return STORE_OK;
}

enum store_result model_leave(struct model_store *store, struct store_op *base)
{
    struct store_op_leave *op = CONTAINER_OF(base, struct store_op_leave, op);
    struct model_node *node = node_find(store, op->node);
    if (node == NULL || strcmp(node->row.state, "lost") == 0) {
        return model_not_live(&base->err);
    }
    if (strcmp(node->row.state, "live") == 0) {
        const struct uuid nil = {{0}};
        model_node_end(store, node - store->nodes + 1, "stopped");
        node->row.last_seen = store->now;
        model_audit_add(store, "NODE_STOPPED", NULL, nil, op->node, NULL, NULL);
    }
    return STORE_OK;
}
