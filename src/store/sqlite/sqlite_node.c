// SPDX-License-Identifier: MIT
// A node's life: joins and ends what the dead left, leaves; and what a scheduler loads.
#include "store/sqlite/sqlite_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

int64_t sqlite_live_node(struct sqlite_store *store, const struct uuid *node)
{
    return sql_query_integer(store, SQL_NODE_LIVE, 0, VALUES(sql_uuid(node)));
}

enum store_result sqlite_not_live(struct error *err)
{
    return operation_refuse(err,
                            "this node is not live in the store: it was fenced or never joined");
}

// ---- join ---------------------------------------------------------------------------------------

static void join_new(struct sqlite_store *store, struct store_op_join *op)
{
    static const struct uuid nil;
    sqlite_audit_add(store, &(struct audit_entry){.event = "NODE_STARTED",
                                                  .run_id = &nil,
                                                  .node = &op->node,
                                                  .detail = op->detail});
    sql_run(store, SQL_NODE_INSERT,
            VALUES(sql_uuid(&op->node), sql_text(op->host), sql_text(op->version),
                   sql_int(instant_ms(store->now)), sql_int(store->audit_id), sql_int(op->dry_run),
                   sql_int(op->max_running), sql_text(op->labels)));
    int64_t number = sqlite3_last_insert_rowid(store->db);
    sql_run(store, SQL_NODE_DRAIN_AS, VALUES(sql_int(number), sql_uuid(&op->dead)));
    sql_run(store, SQL_NODE_LOSE_OTHERS,
            VALUES(sql_int(number), sql_int(op->alone), sql_uuid(&op->dead)));
    struct sqlite_losing losing = {&op->node,     op->lost_retry, op->lost_context,
                                   &op->op.arena, NULL,           0};
    sqlite_lose_runs(store, &losing);
    op->lost = losing.lost;
    op->lost_count = losing.count;
    sql_run(store, SQL_NODE_JOIN_LOST,
            VALUES(sql_uuid(&op->node), sql_int((int64_t)op->lost_count)));
    if (op->alone) {
        sql_run(store, SQL_NODE_TAKE_LEFT, VALUES(sql_int(number)));
        sqlite_take_over(store, number, "[]");
    }
}

static struct store_drain drain_of(struct sqlite_store *store, int64_t number, struct arena *arena)
{
    sqlite3_stmt *row = sql_query(store, SQL_NODE_DRAIN, VALUES(sql_int(number)));
    struct store_drain drain = {.since = INSTANT_NONE};
    if (row != NULL) {
        drain = (struct store_drain){.since = column_instant(row, 0),
                                     .by = column_string(row, 1, arena),
                                     .as = column_string(row, 2, arena),
                                     .reason = column_string(row, 3, arena)};
        sql_end(row);
    }
    return drain;
}

// What there is for it to do and to know, at a repeat as well.
static void answer_join(struct sqlite_store *store, struct store_op_join *op)
{
    int64_t number = sqlite_live_node(store, &op->node);
    op->left = sqlite_left(store, number, &op->op.arena, &op->left_count);
    op->drain = drain_of(store, number, &op->op.arena);
}

enum store_result sqlite_join(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_join *op = CONTAINER_OF(base, struct store_op_join, op);
    op->now = instant_from_ms(instant_ms(store->now));
    sqlite3_stmt *row = sql_query(store, SQL_NODE_GET, VALUES(sql_uuid(&op->node)));
    if (row == NULL) {
        join_new(store, op);
        answer_join(store, op);
        return STORE_OK;
    }
    bool live = strcmp(column_text(row, 0), "live") == 0;
    int64_t join_audit = sqlite3_column_int64(row, 1);
    int64_t join_lost = sqlite3_column_int64(row, 2);
    sql_end(row);
    if (!live) {
        return sqlite_not_live(&base->err);
    }
    op->lost = sqlite_lost_of_join(store, join_audit, join_lost, &base->arena, &op->lost_count);
    answer_join(store, op);
    return STORE_OK;
}

// ---- leave --------------------------------------------------------------------------------------

enum store_result sqlite_leave(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_leave *op = CONTAINER_OF(base, struct store_op_leave, op);
    static const struct uuid nil;
    if (sql_run(store, SQL_NODE_LEAVE,
                VALUES(sql_uuid(&op->node), sql_int(instant_ms(store->now)))) > 0) {
        sqlite_audit_add(store, &(struct audit_entry){
                                    .event = "NODE_STOPPED", .run_id = &nil, .node = &op->node});
        return STORE_OK;
    }
    sqlite3_stmt *row = sql_query(store, SQL_NODE_GET, VALUES(sql_uuid(&op->node)));
    bool left = row != NULL && strcmp(column_text(row, 0), "stopped") == 0;
    if (row != NULL) {
        sql_end(row);
    }
    return left ? STORE_OK : sqlite_not_live(&base->err);
}

// ---- load ---------------------------------------------------------------------------------------

static void load_jobs(struct sqlite_store *store, struct store_op_load *op)
{
    struct arena *arena = &op->op.arena;
    int64_t count = sql_query_integer(store, SQL_JOB_MAX, 0, NULL, 0);
    op->jobs = arena_alloc(arena, (size_t)count, sizeof *op->jobs);
    sqlite3_stmt *row = count == 0 ? NULL : sql_query(store, SQL_JOBS, NULL, 0);
    for (; row != NULL && op->job_count < (size_t)count; row = sql_next(store, row) ? row : NULL) {
        op->jobs[op->job_count++] = (struct store_job){
            .job_id = sqlite3_column_int64(row, 0),
            .name = column_string(row, 1, arena),
            .spec = column_string(row, 2, arena),
            .high_water = column_instant(row, 3),
            .last_success = column_instant(row, 4),
            .throttle_count = sqlite3_column_int(row, 5),
        };
    }
}

struct store_retry *sqlite_retries(struct sqlite_store *store, int64_t node_no, struct arena *arena,
                                   size_t *count_out)
{
    struct store_retry *retries = NULL;
    size_t count = 0;
    size_t capacity = 0;
    sqlite3_stmt *row = sql_query(store, SQL_RETRIES, VALUES(sql_int(node_no)));
    for (; row != NULL; row = sql_next(store, row) ? row : NULL) {
        ARRAY_RESERVE(retries, count, capacity);
        retries[count++] = (struct store_retry){
            .job_id = sqlite3_column_int64(row, 0),
            .due_at = column_instant(row, 1),
            .attempt = sqlite3_column_int(row, 2),
            .retry_at = column_instant(row, 3),
        };
    }
    struct store_retry *kept = arena_alloc(arena, count, sizeof *retries);
    if (count > 0) {
        memcpy(kept, retries, count * sizeof *retries);
    }
    free(retries);
    *count_out = count;
    return kept;
}

enum store_result sqlite_load(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_load *op = CONTAINER_OF(base, struct store_op_load, op);
    store->about_all = true;
    op->job_count = 0;
    load_jobs(store, op);
    op->retries = sqlite_retries(store, 0, &base->arena, &op->retry_count);
    return STORE_OK;
}
