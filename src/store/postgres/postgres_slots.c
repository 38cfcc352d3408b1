// SPDX-License-Identifier: MIT
// What became of the slots of single jobs, and how far they are decided.
#include "store/postgres/postgres_private.h"

void send_slots(struct postgres_store *store, struct task *task)
{
    const struct store_op_slots *op = CONTAINER_OF(task->op, struct store_op_slots, op);
    for (size_t i = 0; i < op->item_count; i++) {
        const struct store_slots_item *item = &op->items[i];
        struct parameters parameters;
        parameters_init(&parameters);
        put_int(&parameters, item->job_id);
        task_send(store, PG_SLOTS_AROUND, &parameters);
        parameters_init(&parameters);
        put_int(&parameters, item->job_id);
        put_int(&parameters, instant_ms(item->since));
        put_int(&parameters, instant_ms(item->until));
        put_bool(&parameters, item->unsuccessful);
        put_int(&parameters, (int64_t)item->limit);
        task_send(store, PG_SLOTS, &parameters);
    }
}

static void take_around(struct store_op_slots *op, struct store_slots_item *item,
                        const PGresult *result)
{
    item->high_water = field_instant(result, 0, 0);
    item->force_from = field_instant(result, 0, 1);
    op->slots_from = field_instant(result, 0, 2);
}

static void take_found(struct store_slots_item *item, struct arena *arena, const PGresult *result)
{
    item->found_count = (size_t)PQntuples(result);
    item->found = arena_alloc(arena, item->found_count + 1, sizeof *item->found);
    for (int i = 0; i < PQntuples(result); i++) {
        item->found[i] = (struct store_found_slot){
            .due_at = field_instant(result, i, 0),
            .outcome = (enum slot_outcome)field_int(result, i, 1),
            .reason = (enum slot_reason)field_int(result, i, 2),
            .attempt = (int)field_int(result, i, 3),
            .run_id = field_uuid(result, i, 4),
        };
    }
    item->seen =
        item->found_count == item->limit ? item->found[item->found_count - 1].due_at : item->until;
}

void take_slots(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_slots *op = CONTAINER_OF(task->op, struct store_op_slots, op);
    struct store_slots_item *item = &op->items[task->answers / 2];
    if (task->answers % 2 == 0) {
        take_around(op, item, result);
    } else {
        take_found(item, &op->op.arena, result);
    }
}

// ---- marks --------------------------------------------------------------------------------------

void send_marks(struct postgres_store *store, struct task *task)
{
    const struct store_op_marks *op = CONTAINER_OF(task->op, struct store_op_marks, op);
    struct parameters parameters;
    parameters_init(&parameters);
    array_begin(&parameters);
    for (size_t i = 0; i < op->mark_count; i++) {
        array_int(&parameters, op->marks[i].job_id);
    }
    array_end(&parameters);
    task_send(store, PG_MARKS, &parameters);
}

void take_marks(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_marks *op = CONTAINER_OF(task->op, struct store_op_marks, op);
    for (size_t i = 0; i < op->mark_count; i++) {
        op->marks[i] = (struct store_mark){.job_id = op->marks[i].job_id,
                                           .high_water = INSTANT_NONE,
                                           .last_success = INSTANT_NONE};
    }
    for (int i = 0; i < PQntuples(result); i++) {
        struct store_mark *mark = &op->marks[field_int(result, i, 0) - 1];
        mark->high_water = field_instant(result, i, 1);
        mark->last_success = field_instant(result, i, 2);
        mark->throttle_count = (int)field_int(result, i, 3);
        mark->running = field_bool(result, i, 4);
        mark->waiting = field_bool(result, i, 5);
    }
}
