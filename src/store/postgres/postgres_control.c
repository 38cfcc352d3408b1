// SPDX-License-Identifier: MIT
// Runtime controls, and the intents of operators.
#include "store/postgres/postgres_private.h"

#include <stdlib.h>

void send_control(struct postgres_store *store, struct task *task)
{
    const struct store_op_control *op = CONTAINER_OF(task->op, struct store_op_control, op);
    char *detail = operation_control_detail(op);
    struct parameters parameters;
    parameters_init(&parameters);
    put_now(store, &parameters);
    put_text(&parameters, op->job);
    put_int(&parameters, op->kind);
    put_int(&parameters, op->value);
    put_text(&parameters, op->actor);
    put_text(&parameters, op->as);
    put_text(&parameters, op->reason);
    put_text(&parameters, operation_control_event(op));
    put_text(&parameters, detail);
    free(detail);
    task_send(store, PG_CONTROL, &parameters);
}

void take_control(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    CONTAINER_OF(task->op, struct store_op_control, op)->changed = field_bool(result, 0, 0);
}

// ---- intents ------------------------------------------------------------------------------------

void send_intent_put(struct postgres_store *store, struct task *task)
{
    const struct store_intent *intent =
        &CONTAINER_OF(task->op, struct store_op_intent_put, op)->intent;
    struct parameters parameters;
    parameters_init(&parameters);
    put_now(store, &parameters);
    put_uuid(&parameters, intent->intent_id);
    put_int(&parameters, intent->kind);
    put_text(&parameters, intent->job);
    put_uuid(&parameters, intent->run_id);
    put_text(&parameters, intent->params);
    put_bool(&parameters, intent->dry_run);
    put_text(&parameters, intent->actor);
    put_text(&parameters, intent->as);
    put_text(&parameters, intent->reason);
    task_send(store, PG_INTENT_PUT, &parameters);
}

void take_intent_put(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_intent *intent = &CONTAINER_OF(task->op, struct store_op_intent_put, op)->intent;
    intent->created_at = field_instant(result, 0, 0);
    intent->state = INTENT_PENDING;
}

void send_intent_take(struct postgres_store *store, struct task *task)
{
    struct parameters parameters;
    task_send_plain(store, PG_INTENTS);
    parameters_init(&parameters);
    put_instant(&parameters, CONTAINER_OF(task->op, struct store_op_intent_take, op)->ended_since);
    task_send(store, PG_CONTROLS_NOW, &parameters);
}

void postgres_intent_row(const PGresult *result, int row, struct arena *arena,
                         struct store_intent *out)
{
    *out = (struct store_intent){
        .intent_id = field_uuid(result, row, 0),
        .kind = (enum store_intent_kind)field_int(result, row, 1),
        .job = field_string(result, row, 2, arena),
        .run_id = field_uuid(result, row, 3),
        .params = field_string(result, row, 4, arena),
        .dry_run = field_bool(result, row, 5),
        .actor = field_string(result, row, 6, arena),
        .as = field_string(result, row, 7, arena),
        .reason = field_string(result, row, 8, arena),
        .created_at = field_instant(result, row, 9),
        .state = (enum store_intent_state)field_int(result, row, 10),
        .answer = field_string(result, row, 11, arena),
        .node = field_uuid(result, row, 12),
    };
}

static void take_intents(struct store_op_intent_take *op, const PGresult *result)
{
    op->intent_count = (size_t)PQntuples(result);
    op->intents = arena_alloc(&op->op.arena, op->intent_count, sizeof *op->intents);
    for (int i = 0; i < PQntuples(result); i++) {
        postgres_intent_row(result, i, &op->op.arena, &op->intents[i]);
    }
}

void take_intent_take(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_intent_take *op = CONTAINER_OF(task->op, struct store_op_intent_take, op);
    struct arena *arena = &op->op.arena;
    if (task->answers == 0) {
        take_intents(op, result);
        return;
    }
    op->control_count = (size_t)PQntuples(result);
    op->controls = arena_alloc(arena, op->control_count, sizeof *op->controls);
    for (int i = 0; i < PQntuples(result); i++) {
        op->controls[i] = (struct store_control_row){
            .job = field_string(result, i, 0, arena),
            .kind = (enum store_control_kind)field_int(result, i, 1),
            .value = (int)field_int(result, i, 2),
            .from = field_instant(result, i, 3),
            .to = field_instant(result, i, 4),
            .actor = field_string(result, i, 5, arena),
            .reason = field_string(result, i, 6, arena),
        };
    }
}

void send_intent_note(struct postgres_store *store, struct task *task)
{
    const struct store_op_intent_note *op = CONTAINER_OF(task->op, struct store_op_intent_note, op);
    struct parameters parameters;
    parameters_init(&parameters);
    put_uuid(&parameters, op->intent_id);
    put_text(&parameters, op->answer);
    task_send(store, PG_INTENT_NOTE, &parameters);
}

void send_intent_end(struct postgres_store *store, struct task *task)
{
    const struct store_op_intent_end *op = CONTAINER_OF(task->op, struct store_op_intent_end, op);
    struct parameters parameters;
    parameters_init(&parameters);
    put_uuid(&parameters, op->intent_id);
    put_int(&parameters, op->state);
    put_uuid(&parameters, op->run_id);
    put_text(&parameters, op->answer);
    task_send(store, PG_INTENT_END, &parameters);
}

void send_intent_own(struct postgres_store *store, struct task *task)
{
    const struct store_op_intent_own *op = CONTAINER_OF(task->op, struct store_op_intent_own, op);
    struct parameters parameters;
    put_node(&parameters, op->node);
    put_uuid(&parameters, op->intent_id);
    task_send(store, PG_INTENT_OWN, &parameters);
}

void take_intent_own(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_intent_own *op = CONTAINER_OF(task->op, struct store_op_intent_own, op);
    op->own = field_bool(result, 0, 0);
    op->behind = field_uuid(result, 0, 1);
}
