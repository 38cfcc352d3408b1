// SPDX-License-Identifier: MIT
// Definitions: what a scheduler loads when it starts, and which schedules come into force.
#include "store/postgres/postgres_private.h"

#include <stdlib.h>

#include "base/alloc.h"

// ---- load ---------------------------------------------------------------------------------------

void send_load(struct postgres_store *store, struct task *task)
{
    (void)task;
    task_send_plain(store, PG_JOBS);
    task_send_plain(store, PG_RETRIES);
}

static void take_jobs(struct store_op_load *op, const PGresult *result)
{
    struct arena *arena = &op->op.arena;
    op->job_count = (size_t)PQntuples(result);
    op->jobs = arena_alloc(arena, op->job_count, sizeof *op->jobs);
    for (int i = 0; i < PQntuples(result); i++) {
        op->jobs[i] = (struct store_job){
            .job_id = field_int(result, i, 0),
            .name = field_string(result, i, 1, arena),
            .spec = field_string(result, i, 2, arena),
            .high_water = field_instant(result, i, 3),
            .last_success = field_instant(result, i, 4),
            .throttle_count = (int)field_int(result, i, 5),
        };
    }
}

struct store_retry *take_retries(const PGresult *result, struct arena *arena, size_t *count_out)
{
    *count_out = (size_t)PQntuples(result);
    struct store_retry *retries = arena_alloc(arena, *count_out, sizeof *retries);
    for (int i = 0; i < PQntuples(result); i++) {
        retries[i] = (struct store_retry){
            .job_id = field_int(result, i, 0),
            .due_at = field_instant(result, i, 1),
            .attempt = (int)field_int(result, i, 2),
            .retry_at = field_instant(result, i, 3),
        };
    }
    return retries;
}

void take_load(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_load *op = CONTAINER_OF(task->op, struct store_op_load, op);
    if (task->answers == 0) {
        take_jobs(op, result);
        return;
    }
    op->retries = take_retries(result, &op->op.arena, &op->retry_count);
}

// ---- publish ------------------------------------------------------------------------------------

void send_publish(struct postgres_store *store, struct task *task)
{
    const struct store_op_publish *op = CONTAINER_OF(task->op, struct store_op_publish, op);
    struct parameters parameters;
    parameters_init(&parameters);
    put_uuid(&parameters, op->node);
    put_now(store, &parameters);
    put_int(&parameters, op->version);
    put_text(&parameters, op->actor);
    put_text(&parameters, op->detail);
    put_int(&parameters, instant_ms(op->at));
    array_begin(&parameters);
    for (size_t i = 0; i < op->item_count; i++) {
        array_text(&parameters, op->items[i].name);
    }
    array_end(&parameters);
    array_begin(&parameters);
    for (size_t i = 0; i < op->item_count; i++) {
        array_text(&parameters, op->items[i].spec);
    }
    array_end(&parameters);
    task_send(store, PG_PUBLISH, &parameters);
}

void take_publish(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_publish *op = CONTAINER_OF(task->op, struct store_op_publish, op);
    op->changed = field_bool(result, 0, 1);
    op->outdated = field_bool(result, 0, 2);
    int64_t *ids = alloc_zero(op->item_count, sizeof *ids);
    (void)field_ints(result, 0, 0, ids, op->item_count);
    for (size_t i = 0; i < op->item_count && !op->outdated; i++) {
        op->items[i].job_id = ids[i];
    }
    free(ids);
}

// ---- versions -----------------------------------------------------------------------------------

void send_version(struct postgres_store *store, struct task *task)
{
    const struct store_op_version *op = CONTAINER_OF(task->op, struct store_op_version, op);
    struct parameters parameters;
    put_node(&parameters, op->node);
    put_now(store, &parameters);
    put_text(&parameters, op->actor);
    put_text(&parameters, op->hash);
    put_text(&parameters, op->text);
    put_bool(&parameters, op->always);
    task_send(store, PG_VERSION, &parameters);
}

void take_version(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_version *op = CONTAINER_OF(task->op, struct store_op_version, op);
    op->version = field_int(result, 0, 0);
    op->activated = field_bool(result, 0, 1);
}

void send_definitions(struct postgres_store *store, struct task *task)
{
    const struct store_op_definitions *op = CONTAINER_OF(task->op, struct store_op_definitions, op);
    struct parameters parameters;
    parameters_init(&parameters);
    put_int(&parameters, op->wanted);
    task_send(store, PG_DEFINITIONS, &parameters);
}

void take_definitions(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_definitions *op = CONTAINER_OF(task->op, struct store_op_definitions, op);
    struct arena *arena = &op->op.arena;
    op->text = (struct store_version){.version = 0};
    if (PQntuples(result) > 0) {
        op->text = (struct store_version){
            .version = field_int(result, 0, 0),
            .hash = field_string(result, 0, 1, arena),
            .text = field_string(result, 0, 2, arena),
            .actor = field_string(result, 0, 3, arena),
            .published_at = field_instant(result, 0, 4),
            .active = field_bool(result, 0, 5),
        };
    }
}
