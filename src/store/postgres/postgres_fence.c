// SPDX-License-Identifier: MIT
// What the dead leave behind: their runs are lost, what waits on them becomes somebody's, their
// sessions are ended.
#include "store/postgres/postgres_private.h"

// ---- lost runs ----------------------------------------------------------------------------------

struct store_lost *take_lost(const PGresult *result, struct arena *arena, size_t *count_out)
{
    *count_out = (size_t)PQntuples(result);
    struct store_lost *lost = arena_alloc(arena, *count_out, sizeof *lost);
    for (int i = 0; i < PQntuples(result); i++) {
        lost[i] = (struct store_lost){
            .run_id = field_uuid(result, i, 0),
            .job_id = field_int(result, i, 1),
            .due_at = field_instant(result, i, 2),
            .trigger = (enum run_trigger)field_int(result, i, 3),
            .attempt = (int)field_int(result, i, 4),
            .job = field_string(result, i, 5, arena),
        };
    }
    return lost;
}

static struct instant retry_of(const struct losing *losing, const struct store_lost *lost)
{
    bool asks = losing->retry != NULL && lost->trigger != TRIGGER_MANUAL;
    return asks ? losing->retry(losing->context, lost, losing->now) : INSTANT_NONE;
}

void send_lose(struct postgres_store *store, const struct losing *losing)
{
    struct parameters parameters;
    if (losing->count == 0) {
        return;
    }
    put_node(&parameters, losing->node);
    put_now(store, &parameters);
    put_text(&parameters, operation_lost_error);
    array_begin(&parameters);
    for (size_t i = 0; i < losing->count; i++) {
        array_uuid(&parameters, losing->lost[i].run_id);
    }
    array_end(&parameters);
    array_begin(&parameters);
    for (size_t i = 0; i < losing->count; i++) {
        array_instant(&parameters, retry_of(losing, &losing->lost[i]));
    }
    array_end(&parameters);
    task_send(store, PG_LOSE, &parameters);
}

void send_take_over(struct postgres_store *store, struct uuid node, bool adopts,
                    const struct store_op_fence *fence)
{
    struct parameters parameters;
    put_node(&parameters, node);
    put_bool(&parameters, adopts);
    array_begin(&parameters);
    for (size_t i = 0; fence != NULL && i < fence->except_count; i++) {
        array_int(&parameters, fence->except[i]);
    }
    array_end(&parameters);
    array_begin(&parameters);
    for (size_t i = 0; fence != NULL && i < fence->ended_count; i++) {
        array_uuid(&parameters, fence->ended[i]);
    }
    array_end(&parameters);
    task_send(store, PG_TAKE_OVER, &parameters);
}

void send_left(struct postgres_store *store, struct uuid node)
{
    struct parameters parameters;
    put_node(&parameters, node);
    task_send(store, PG_LEFT, &parameters);
}

struct uuid *take_left(const PGresult *result, struct arena *arena, size_t *count_out)
{
    *count_out = (size_t)PQntuples(result);
    struct uuid *left = arena_alloc(arena, *count_out, sizeof *left);
    for (int i = 0; i < PQntuples(result); i++) {
        left[i] = field_uuid(result, i, 0);
    }
    return left;
}

// It may not be allowed, and the dead have lost their rights without it.
void send_end_sessions(struct postgres_store *store, struct task *task)
{
    task->failing_is_fine = true;
    task_send_plain(store, PG_END_SESSIONS);
}

// ---- fence: mark the dead and read what they ran, end that and commit, end their sessions -------

static void send_fence_begin(struct postgres_store *store, struct task *task)
{
    const struct store_op_fence *op = CONTAINER_OF(task->op, struct store_op_fence, op);
    struct parameters parameters;
    task_begin(store, task);
    put_node(&parameters, op->node);
    put_now(store, &parameters);
    put_uuid(&parameters, op->fencing_id);
    task_send(store, PG_FENCE, &parameters);
    put_node(&parameters, op->node);
    put_uuid(&parameters, op->fencing_id);
    task_send(store, PG_FENCE_LOST, &parameters);
}

static void send_fence_end(struct postgres_store *store, struct task *task)
{
    const struct store_op_fence *op = CONTAINER_OF(task->op, struct store_op_fence, op);
    struct losing losing = {.node = op->node,
                            .now = op->now,
                            .retry = op->lost_retry,
                            .context = op->lost_context,
                            .lost = op->lost,
                            .count = op->lost_count};
    struct parameters parameters;
    send_lose(store, &losing);
    task->number = op->lost_count > 0 ? 2 : 1; // answers before what waits
    send_take_over(store, op->node, true, op);
    put_node(&parameters, op->node);
    task_send(store, PG_WAITING, &parameters);
    send_left(store, op->node);
    task_send_plain(store, PG_COMMIT);
    task->over = false;
}

void send_fence(struct postgres_store *store, struct task *task)
{
    if (task->round == 0) {
        send_fence_begin(store, task);
    } else if (task->round == 1) {
        send_fence_end(store, task);
    } else {
        send_end_sessions(store, task);
    }
}

static void take_fenced(struct store_op_fence *op, const PGresult *result)
{
    struct arena *arena = &op->op.arena;
    op->now = field_instant(result, 0, 0);
    op->fenced_count = (size_t)field_int(result, 0, 2);
    op->fenced = arena_alloc(arena, op->fenced_count, sizeof *op->fenced);
    field_uuids(result, 0, 1, op->fenced, op->fenced_count);
}

void take_fence(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_fence *op = CONTAINER_OF(task->op, struct store_op_fence, op);
    if (task->round == 0 && task->answers == 0) {
        take_fenced(op, result);
    } else if (task->round == 0) {
        op->lost = take_lost(result, &op->op.arena, &op->lost_count);
    } else if (task->round == 1 && task->answers == task->number) {
        op->waiting = take_retries(result, &op->op.arena, &op->waiting_count);
    } else if (task->round == 1 && task->answers == task->number + 1) {
        op->left = take_left(result, &op->op.arena, &op->left_count);
    }
}
