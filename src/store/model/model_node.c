// SPDX-License-Identifier: MIT
// Nodes, loading and publishing.
#include "store/model/model_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static enum store_result not_live(struct error *err)
{
    return operation_refuse(err, "this node is not live in the store");
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

static void lose_run(struct model_store *store, const struct store_op_join *op,
                     struct model_run *run, struct model_node *node)
{
    struct store_lost lost = {.job_id = run->job->job_id,
                              .job = run->job->name,
                              .run_id = run->row.run_id,
                              .due_at = run->row.due_at,
                              .trigger = run->row.trigger,
                              .attempt = run->row.attempt};
    struct instant retry_at = INSTANT_NONE;
    if (op->lost_retry != NULL && lost.trigger != TRIGGER_MANUAL) {
        retry_at = op->lost_retry(op->lost_context, &lost, store->now);
    }
    model_run_finish(store, run, RUN_LOST, retry_at);
    run->row.failure = FAILURE_LOST;
    run->row.error = alloc_string(operation_lost_error);
    model_audit_add(store, "LOST", run->job->name, run->row.run_id, op->node, NULL, NULL);
    ARRAY_RESERVE(node->lost, node->lost_count, node->lost_capacity);
    node->lost[node->lost_count++] = lost;
}

static struct model_node *join_new(struct model_store *store, const struct store_op_join *op)
{
    const struct uuid nil = {{0}};
    model_audit_add(store, "NODE_STARTED", NULL, nil, op->node, NULL, op->detail);
    for (size_t i = 0; i < store->node_count; i++) {
        struct store_node_row *row = &store->nodes[i].row;
        if (strcmp(row->state, "live") == 0) {
            row->state = "lost";
            row->running = 0;
        }
    }
    ARRAY_RESERVE(store->nodes, store->node_count, store->node_capacity);
    struct model_node *node = &store->nodes[store->node_count++];
    *node = (struct model_node){.row = {.node = op->node,
                                        .host = alloc_string(op->host),
                                        .version = alloc_string(op->version),
                                        .started_at = store->now,
                                        .last_seen = store->now,
                                        .state = "live"}};
    for (size_t i = 0; i < store->run_count; i++) {
        if (store->runs[i]->row.state == RUN_STARTED) {
            lose_run(store, op, store->runs[i], node);
        }
    }
    return node;
}

enum store_result model_join(struct model_store *store, struct store_op *base)
{
    struct store_op_join *op = CONTAINER_OF(base, struct store_op_join, op);
    struct model_node *node = node_find(store, op->node);
    op->now = store->now;
    op->lost = NULL;
    op->lost_count = 0;
    if (node != NULL && strcmp(node->row.state, "live") != 0) {
        return not_live(&base->err);
    }
    if (node == NULL) {
        node = join_new(store, op);
    }
    op->lost_count = node->lost_count;
    op->lost = arena_alloc(&base->arena, node->lost_count, sizeof *op->lost);
    for (size_t i = 0; i < node->lost_count; i++) {
        op->lost[i] = node->lost[i];
        op->lost[i].job = arena_string(&base->arena, node->lost[i].job);
    }
    return STORE_OK;
}

enum store_result model_beat(struct model_store *store, struct store_op *base)
{
    struct store_op_beat *op = CONTAINER_OF(base, struct store_op_beat, op);
    int64_t number = model_live_node(store, op->node);
    op->now = store->now;
    if (number == 0) {
        return not_live(&base->err);
    }
    store->nodes[number - 1].row.last_seen = store->now;
    store->nodes[number - 1].row.running = op->running;
    return STORE_OK;
}

enum store_result model_leave(struct model_store *store, struct store_op *base)
{
    struct store_op_leave *op = CONTAINER_OF(base, struct store_op_leave, op);
    struct model_node *node = node_find(store, op->node);
    if (node == NULL || strcmp(node->row.state, "lost") == 0) {
        return not_live(&base->err);
    }
    if (strcmp(node->row.state, "live") == 0) {
        const struct uuid nil = {{0}};
        node->row.state = "stopped";
        node->row.running = 0;
        node->row.last_seen = store->now;
        model_audit_add(store, "NODE_STOPPED", NULL, nil, op->node, NULL, NULL);
    }
    return STORE_OK;
}

// ---- load ---------------------------------------------------------------------------------------

static const char *spec_now(const struct model_job *job)
{
    if (job->force_count == 0) {
        return NULL;
    }
    const struct model_force *last = &job->forces[job->force_count - 1];
    return instant_is_none(last->to) ? last->spec : NULL;
}

struct store_job model_job_row(const struct model_job *job)
{
    return (struct store_job){.job_id = job->job_id,
                              .name = job->name,
                              .spec = spec_now(job),
                              .high_water = job->high_water,
                              .last_success = job->last_success,
                              .throttle_count = job->throttle_count};
}

static int compare_retries(const void *a, const void *b)
{
    const struct store_retry *x = a;
    const struct store_retry *y = b;
    int64_t differences[] = {x->retry_at.us - y->retry_at.us, x->due_at.us - y->due_at.us,
                             x->job_id - y->job_id};
    for (size_t i = 0; i < ARRAY_LENGTH(differences); i++) {
        if (differences[i] != 0) {
            return differences[i] < 0 ? -1 : 1;
        }
    }
    return 0;
}

static void load_retries(const struct model_store *store, struct store_op_load *op)
{
    struct store_retry *retries = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < store->job_count; i++) {
        const struct model_job *job = store->jobs[i];
        for (size_t j = 0; j < job->slot_count; j++) {
            const struct model_slot *slot = &job->slots[j];
            if (operation_has(slot->retry_at)) {
                ARRAY_RESERVE(retries, op->retry_count, capacity);
                retries[op->retry_count++] = (struct store_retry){.job_id = job->job_id,
                                                                  .due_at = slot->due_at,
                                                                  .attempt = slot->attempt + 1,
                                                                  .retry_at = slot->retry_at};
            }
        }
    }
    op->retries = arena_alloc(&op->op.arena, op->retry_count, sizeof *retries);
    if (op->retry_count > 0) {
        qsort(retries, op->retry_count, sizeof *retries, compare_retries);
        memcpy(op->retries, retries, op->retry_count * sizeof *retries);
    }
    free(retries);
}

enum store_result model_load(struct model_store *store, struct store_op *base)
{
    struct store_op_load *op = CONTAINER_OF(base, struct store_op_load, op);
    struct arena *arena = &base->arena;
    op->job_count = store->job_count;
    op->retry_count = 0;
    op->jobs = arena_alloc(arena, store->job_count, sizeof *op->jobs);
    for (size_t i = 0; i < store->job_count; i++) {
        op->jobs[i] = model_job_row(store->jobs[i]);
        op->jobs[i].name = arena_string(arena, op->jobs[i].name);
        op->jobs[i].spec = op->jobs[i].spec == NULL ? NULL : arena_string(arena, op->jobs[i].spec);
    }
    load_retries(store, op);
    return STORE_OK;
}

// ---- publish ------------------------------------------------------------------------------------

static struct model_job *job_add(struct model_store *store, const char *name, struct instant at)
{
    struct model_job *job = alloc_zero(1, sizeof *job);
    ARRAY_RESERVE(store->jobs, store->job_count, store->job_capacity);
    store->jobs[store->job_count++] = job;
    job->job_id = (int64_t)store->job_count;
    job->name = alloc_string(name);
    job->high_water = at;
    job->last_success = INSTANT_NONE;
    map_put(&store->jobs_by_name, job->name, job);
    return job;
}

static void force_close(struct model_job *job, struct instant at)
{
    struct model_force *last = &job->forces[job->force_count - 1];
    if (instant_before(last->from, at)) {
        last->to = at;
    } else { // it was in force for no time at all
        free(last->spec);
        job->force_count--;
    }
}

static void force_open(struct model_job *job, const char *spec, struct instant at)
{
    ARRAY_RESERVE(job->forces, job->force_count, job->force_capacity);
    job->forces[job->force_count++] = (struct model_force){alloc_string(spec), at, INSTANT_NONE};
    job->high_water = at;
}

static bool publish_item(struct model_store *store, struct store_publish_item *item,
                         struct instant at)
{
    struct model_job *job = map_get(&store->jobs_by_name, item->name);
    item->job_id = 0;
    if (job == NULL && item->spec == NULL) {
        return false;
    }
    if (job == NULL) {
        job = job_add(store, item->name, at);
    }
    item->job_id = job->job_id;
    const char *now = spec_now(job);
    if (item->spec == NULL ? now == NULL : now != NULL && strcmp(now, item->spec) == 0) {
        return false;
    }
    struct instant mark = instant_before(at, job->high_water) ? job->high_water : at;
    if (now != NULL) {
        force_close(job, mark);
    }
    if (item->spec != NULL) {
        force_open(job, item->spec, mark);
    }
    return true;
}

enum store_result model_publish(struct model_store *store, struct store_op *base)
{
    struct store_op_publish *op = CONTAINER_OF(base, struct store_op_publish, op);
    if (!uuid_is_nil(op->node) && model_live_node(store, op->node) == 0) {
        return not_live(&base->err);
    }
    struct instant at = instant_from_ms(instant_ms(op->at));
    op->changed = false;
    for (size_t i = 0; i < op->item_count; i++) {
        op->changed |= publish_item(store, &op->items[i], at);
    }
    if (op->changed) {
        const struct uuid nil = {{0}};
        model_audit_add(store, "CONFIG_PUBLISHED", NULL, nil, op->node, op->actor, op->detail);
    }
    return STORE_OK;
}
