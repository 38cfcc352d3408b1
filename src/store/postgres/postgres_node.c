// SPDX-License-Identifier: MIT
// A node's life: joins and ends what the dead left, beats, leaves.
#include "store/postgres/postgres_private.h"

void take_nothing(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    (void)task;
    (void)result;
}

// ---- join: begin and read what the dead left, end that, commit ----------------------------------

static void send_join_begin(struct postgres_store *store, struct task *task)
{
    const struct store_op_join *op = CONTAINER_OF(task->op, struct store_op_join, op);
    struct parameters parameters;
    task_send_plain(store, PG_BEGIN);
    parameters_init(&parameters);
    put_uuid(&parameters, op->node);
    put_now(store, &parameters);
    put_text(&parameters, op->host);
    put_text(&parameters, op->version);
    put_text(&parameters, op->detail);
    task_send(store, PG_JOIN, &parameters);
    parameters_init(&parameters);
    put_uuid(&parameters, op->node);
    task_send(store, PG_JOIN_LOST, &parameters);
    task->in_block = true;
    task->committing = false;
    task->over = false;
}

static struct instant retry_of(const struct store_op_join *op, const struct store_lost *lost)
{
    bool asks = op->lost_retry != NULL && lost->trigger != TRIGGER_MANUAL;
    return asks ? op->lost_retry(op->lost_context, lost, op->now) : INSTANT_NONE;
}

static void send_lose(struct postgres_store *store, struct task *task)
{
    const struct store_op_join *op = CONTAINER_OF(task->op, struct store_op_join, op);
    struct parameters parameters;
    parameters_init(&parameters);
    put_uuid(&parameters, op->node);
    put_now(store, &parameters);
    put_text(&parameters, operation_lost_error);
    array_begin(&parameters);
    for (size_t i = 0; i < op->lost_count; i++) {
        array_uuid(&parameters, op->lost[i].run_id);
    }
    array_end(&parameters);
    array_begin(&parameters);
    for (size_t i = 0; i < op->lost_count; i++) {
        array_instant(&parameters, retry_of(op, &op->lost[i]));
    }
    array_end(&parameters);
    task_send(store, PG_LOSE, &parameters);
}

void send_join(struct postgres_store *store, struct task *task)
{
    const struct store_op_join *op = CONTAINER_OF(task->op, struct store_op_join, op);
    if (task->round == 0) {
        send_join_begin(store, task);
        return;
    }
    bool is_new = task->number != 0;
    if (is_new && op->lost_count > 0) {
        send_lose(store, task);
    }
    task_send_plain(store, PG_COMMIT);
    task->in_block = false;
}

void take_join(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_join *op = CONTAINER_OF(task->op, struct store_op_join, op);
    if (task->round > 0) {
        return;
    }
    if (task->answers == 0) {
        op->now = field_instant(result, 0, 0);
        task->number = field_bool(result, 0, 1);
        return;
    }
    op->lost_count = (size_t)PQntuples(result);
    op->lost = arena_alloc(&op->op.arena, op->lost_count, sizeof *op->lost);
    for (int i = 0; i < PQntuples(result); i++) {
        op->lost[i] = (struct store_lost){
            .run_id = field_uuid(result, i, 0),
            .job_id = field_int(result, i, 1),
            .due_at = field_instant(result, i, 2),
            .trigger = (enum run_trigger)field_int(result, i, 3),
            .attempt = (int)field_int(result, i, 4),
            .job = field_string(result, i, 5, &op->op.arena),
        };
    }
}

// ---- beat, leave --------------------------------------------------------------------------------

void send_beat(struct postgres_store *store, struct task *task)
{
    const struct store_op_beat *op = CONTAINER_OF(task->op, struct store_op_beat, op);
    struct parameters parameters;
    parameters_init(&parameters);
    put_uuid(&parameters, op->node);
    put_now(store, &parameters);
    put_int(&parameters, op->running);
    task_send(store, PG_BEAT, &parameters);
}

void take_beat(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    CONTAINER_OF(task->op, struct store_op_beat, op)->now = field_instant(result, 0, 0);
}

void send_leave(struct postgres_store *store, struct task *task)
{
    struct parameters parameters;
    parameters_init(&parameters);
    put_uuid(&parameters, CONTAINER_OF(task->op, struct store_op_leave, op)->node);
    put_now(store, &parameters);
    task_send(store, PG_LEAVE, &parameters);
}
