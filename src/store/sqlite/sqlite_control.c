// SPDX-License-Identifier: MIT
// Runtime controls, kept with from and to, and the intents of operators.
#include "store/sqlite/sqlite_private.h"

#include <stdlib.h>

#include "base/alloc.h"

struct control_now {
    bool exists;
    int64_t id;
    int64_t value;
    int64_t from_ms;
};

static struct control_now control_get(struct sqlite_store *store, const struct store_op_control *op)
{
    struct control_now now = {.exists = false};
    sqlite3_stmt *row =
        sql_query(store, SQL_CONTROL_NOW, VALUES(sql_int(op->kind), sql_text(op->job)));
    if (row != NULL) {
        now = (struct control_now){true, sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1),
                                   sqlite3_column_int64(row, 2)};
        sql_end(row);
    }
    return now;
}

static void free_text(char **text)
{
    free(*text);
}

enum store_result sqlite_control(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_control *op = CONTAINER_OF(base, struct store_op_control, op);
    struct control_now now = control_get(store, op);
    op->changed = op->value != (now.exists ? now.value : 0);
    if (!op->changed) {
        return STORE_OK;
    }
    int64_t at = instant_ms(store->now);
    sqlite_count_change(store);
    if (now.exists) {
        at = at > now.from_ms ? at : now.from_ms; // an interval never ends before it began
        sql_run(store, SQL_CONTROL_CLOSE, VALUES(sql_int(now.id), sql_int(at)));
    }
    if (op->value != 0) {
        sql_run(store, SQL_CONTROL_OPEN,
                VALUES(sql_text(op->job), sql_int(op->kind), sql_int(op->value), sql_int(at),
                       sql_text(op->actor), sql_text(op->as), sql_text(op->reason)));
    }
    static const struct uuid nil;
    AUTO(free_text) char *detail = operation_control_detail(op);
    sqlite_audit_add(store, &(struct audit_entry){.event = operation_control_event(op),
                                                  .job = op->job,
                                                  .run_id = &nil,
                                                  .node = &nil,
                                                  .actor = op->actor,
                                                  .detail = detail});
    return STORE_OK;
}

// ---- intents ------------------------------------------------------------------------------------

enum store_result sqlite_intent_put(struct sqlite_store *store, struct store_op *base)
{
    struct store_intent *intent = &CONTAINER_OF(base, struct store_op_intent_put, op)->intent;
    intent->created_at = instant_from_ms(instant_ms(store->now));
    intent->state = INTENT_PENDING;
    int64_t rows =
        sql_run(store, SQL_INTENT_PUT,
                VALUES(sql_uuid(&intent->intent_id), sql_int(intent->kind), sql_text(intent->job),
                       sql_uuid(&intent->run_id), sql_text(intent->params),
                       sql_int(intent->dry_run), sql_text(intent->actor), sql_text(intent->as),
                       sql_text(intent->reason), sql_instant(intent->created_at)));
    if (rows > 0) {
        sqlite_count_change(store);
    }
    return STORE_OK;
}

void sqlite_intent_column(sqlite3_stmt *row, struct arena *arena, struct store_intent *out)
{
    *out = (struct store_intent){
        .intent_id = column_uuid(row, 0),
        .kind = (enum store_intent_kind)sqlite3_column_int(row, 1),
        .job = column_string(row, 2, arena),
        .run_id = column_uuid(row, 3),
        .params = column_string(row, 4, arena),
        .dry_run = sqlite3_column_int(row, 5) != 0,
        .actor = column_string(row, 6, arena),
        .as = column_string(row, 7, arena),
        .reason = column_string(row, 8, arena),
        .created_at = column_instant(row, 9),
        .state = (enum store_intent_state)sqlite3_column_int(row, 10),
        .answer = column_string(row, 11, arena),
        .node = column_uuid(row, 12),
    };
}

struct store_control_row sqlite_control_column(sqlite3_stmt *row)
{
    return (struct store_control_row){
        .job = column_text(row, 0),
        .kind = (enum store_control_kind)sqlite3_column_int(row, 1),
        .value = sqlite3_column_int(row, 2),
        .from = column_instant(row, 3),
        .to = column_instant(row, 4),
        .actor = column_text(row, 5),
        .reason = column_text(row, 6),
    };
}

static const char *keep(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_string(arena, text);
}

static void take_intents(struct sqlite_store *store, struct store_op_intent_take *op)
{
    size_t capacity = 0;
    struct store_intent *intents = NULL;
    sqlite3_stmt *row = sql_query(store, SQL_INTENTS, NULL, 0);
    for (; row != NULL; row = sql_next(store, row) ? row : NULL) {
        ARRAY_RESERVE(intents, op->intent_count, capacity);
        sqlite_intent_column(row, &op->op.arena, &intents[op->intent_count++]);
    }
    if (op->intent_count > 0) {
        op->intents = (struct store_intent *)(void *)arena_bytes(
            &op->op.arena, (const char *)intents, op->intent_count * sizeof *intents);
    }
    free(intents);
}

static void take_controls(struct sqlite_store *store, struct store_op_intent_take *op)
{
    size_t capacity = 0;
    struct store_control_row *controls = NULL;
    struct arena *arena = &op->op.arena;
    sqlite3_stmt *row = sql_query(store, SQL_CONTROLS_NOW, VALUES(sql_instant(op->ended_since)));
    for (; row != NULL; row = sql_next(store, row) ? row : NULL) {
        ARRAY_RESERVE(controls, op->control_count, capacity);
        struct store_control_row control = sqlite_control_column(row);
        control.job = keep(arena, control.job);
        control.actor = keep(arena, control.actor);
        control.reason = keep(arena, control.reason);
        controls[op->control_count++] = control;
    }
    if (op->control_count > 0) {
        op->controls = (struct store_control_row *)(void *)arena_bytes(
            arena, (const char *)controls, op->control_count * sizeof *controls);
    }
    free(controls);
}

enum store_result sqlite_intent_take(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_intent_take *op = CONTAINER_OF(base, struct store_op_intent_take, op);
    op->intents = NULL;
    op->intent_count = 0;
    op->controls = NULL;
    op->control_count = 0;
    take_intents(store, op);
    take_controls(store, op);
    return STORE_OK;
}

enum store_result sqlite_intent_own(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_intent_own *op = CONTAINER_OF(base, struct store_op_intent_own, op);
    if (sqlite_live_node(store, &op->node) == 0) {
        return sqlite_not_live(&base->err);
    }
    op->behind = (struct uuid){{0}};
    sqlite3_stmt *row = sql_query(store, SQL_INTENT_BEHIND, VALUES(sql_uuid(&op->intent_id)));
    if (row != NULL) {
        op->behind = column_uuid(row, 0);
        op->own = false;
        sql_end(row);
        return STORE_OK;
    }
    op->own =
        sql_run(store, SQL_INTENT_OWN, VALUES(sql_uuid(&op->intent_id), sql_uuid(&op->node))) > 0;
    return STORE_OK;
}

enum store_result sqlite_intent_note(struct sqlite_store *store, struct store_op *base)
{
    const struct store_op_intent_note *op = CONTAINER_OF(base, struct store_op_intent_note, op);
    sql_run(store, SQL_INTENT_NOTE, VALUES(sql_uuid(&op->intent_id), sql_text(op->answer)));
    return STORE_OK;
}

enum store_result sqlite_intent_end(struct sqlite_store *store, struct store_op *base)
{
    const struct store_op_intent_end *op = CONTAINER_OF(base, struct store_op_intent_end, op);
    int64_t rows = sql_run(store, SQL_INTENT_END,
                           VALUES(sql_uuid(&op->intent_id), sql_int(op->state),
                                  sql_uuid(&op->run_id), sql_text(op->answer)));
    if (rows > 0) {
        return STORE_OK;
    }
    sqlite3_stmt *row = sql_query(store, SQL_INTENT_GET, VALUES(sql_uuid(&op->intent_id)));
    if (row == NULL) {
        return operation_refuse(&base->err, "there is no such intent");
    }
    sql_end(row); // ended before: by this very operation, or by another node
    return STORE_OK;
}
