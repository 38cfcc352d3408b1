// SPDX-License-Identifier: MIT
// A node's life: joins and ends what the dead left, beats, leaves; and what a scheduler loads.
#include "store/sqlite/sqlite_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

int64_t sqlite_live_node(struct sqlite_store *store, const struct uuid *node)
{
    return sql_query_integer(store, SQL_NODE_LIVE, 0, VALUES(sql_uuid(node)));
}

static enum store_result not_live(struct error *err)
{
    return operation_refuse(err,
                            "this node is not live in the store: it was fenced or never joined");
}

// ---- join ---------------------------------------------------------------------------------------

struct lost_run {
    int64_t fence;
    struct store_lost lost;
};

// Copies the runs that a query yields: rows are changed while they are looked at.
static struct lost_run *read_lost(struct sqlite_store *store, sqlite3_stmt *row,
                                  struct arena *arena, size_t *count_out)
{
    struct lost_run *runs = NULL;
    size_t count = 0;
    size_t capacity = 0;
    while (row != NULL) {
        ARRAY_RESERVE(runs, count, capacity);
        struct lost_run *run = &runs[count++];
        run->fence = sqlite3_column_int64(row, 0);
        run->lost = (struct store_lost){
            .run_id = column_uuid(row, 1),
            .job_id = sqlite3_column_int64(row, 2),
            .due_at = column_instant(row, 3),
            .trigger = (enum run_trigger)sqlite3_column_int(row, 4),
            .attempt = sqlite3_column_int(row, 5),
            .job = column_string(row, 6, arena),
        };
        row = sql_next(store, row) ? row : NULL;
    }
    *count_out = count;
    return runs;
}

static void lose_run(struct sqlite_store *store, const struct store_op_join *op,
                     const struct lost_run *run)
{
    const struct store_lost *lost = &run->lost;
    struct instant retry_at = INSTANT_NONE;
    if (op->lost_retry != NULL && lost->trigger != TRIGGER_MANUAL) {
        retry_at = op->lost_retry(op->lost_context, lost, store->now);
    }
    sql_run(store, SQL_RUN_END,
            VALUES(sql_int(run->fence), sql_int(instant_ms(store->now)), sql_int(RUN_LOST),
                   sql_int(FAILURE_LOST), sql_text(NULL), sql_text(operation_lost_error),
                   sql_text(NULL)));
    sql_run(store, SQL_JOB_ENDED,
            VALUES(sql_int(lost->job_id), sql_int(run->fence), sql_text(NULL)));
    if (lost->trigger != TRIGGER_MANUAL) {
        sql_run(store, SQL_SLOT_END,
                VALUES(sql_int(instant_ms(lost->due_at)), sql_int(lost->job_id),
                       sql_int(run->fence),
                       sql_int(operation_has(retry_at) ? SLOT_OPEN : SLOT_LOST),
                       sql_instant(retry_at)));
    }
    sqlite_audit_add(store, &(struct audit_entry){.event = run_state_name(RUN_LOST),
                                                  .job_id = lost->job_id,
                                                  .run_id = &lost->run_id,
                                                  .node = &op->node});
}

static void answer_lost(struct store_op_join *op, const struct lost_run *runs, size_t count)
{
    op->lost = arena_alloc(&op->op.arena, count, sizeof *op->lost);
    op->lost_count = count;
    for (size_t i = 0; i < count; i++) {
        op->lost[i] = runs[i].lost;
    }
}

static void free_lost(struct lost_run **runs)
{
    free(*runs);
}

static void join_new(struct sqlite_store *store, struct store_op_join *op)
{
    static const struct uuid nil;
    sqlite_audit_add(store, &(struct audit_entry){.event = "NODE_STARTED",
                                                  .run_id = &nil,
                                                  .node = &op->node,
                                                  .detail = op->detail});
    sql_run(store, SQL_NODE_INSERT,
            VALUES(sql_uuid(&op->node), sql_text(op->host), sql_text(op->version),
                   sql_int(instant_ms(store->now)), sql_int(store->audit_id)));
    sql_run(store, SQL_NODE_LOSE_OTHERS, VALUES(sql_uuid(&op->node)));
    size_t count;
    AUTO(free_lost)
    struct lost_run *runs =
        read_lost(store, sql_query(store, SQL_RUN_DEAD, NULL, 0), &op->op.arena, &count);
    for (size_t i = 0; i < count; i++) {
        lose_run(store, op, &runs[i]);
    }
    sql_run(store, SQL_NODE_JOIN_LOST, VALUES(sql_uuid(&op->node), sql_int((int64_t)count)));
    answer_lost(op, runs, count);
}

enum store_result sqlite_join(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_join *op = CONTAINER_OF(base, struct store_op_join, op);
    op->now = instant_from_ms(instant_ms(store->now));
    op->lost = NULL;
    op->lost_count = 0;
    sqlite3_stmt *row = sql_query(store, SQL_NODE_GET, VALUES(sql_uuid(&op->node)));
    if (row == NULL) {
        join_new(store, op);
        return STORE_OK;
    }
    bool live = strcmp(column_text(row, 0), "live") == 0;
    int64_t join_audit = sqlite3_column_int64(row, 1);
    int64_t join_lost = sqlite3_column_int64(row, 2);
    sql_end(row);
    if (!live) {
        return not_live(&base->err);
    }
    size_t count;
    AUTO(free_lost)
    struct lost_run *runs = read_lost(
        store, sql_query(store, SQL_JOIN_LOST, VALUES(sql_int(join_audit), sql_int(join_lost))),
        &base->arena, &count);
    answer_lost(op, runs, count);
    return STORE_OK;
}

// ---- beat, leave --------------------------------------------------------------------------------

enum store_result sqlite_beat(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_beat *op = CONTAINER_OF(base, struct store_op_beat, op);
    op->now = instant_from_ms(instant_ms(store->now));
    int64_t rows =
        sql_run(store, SQL_NODE_BEAT,
                VALUES(sql_uuid(&op->node), sql_int(instant_ms(store->now)), sql_int(op->running)));
    return rows > 0 ? STORE_OK : not_live(&base->err);
}

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
    return left ? STORE_OK : not_live(&base->err);
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

static void load_retries(struct sqlite_store *store, struct store_op_load *op)
{
    struct store_retry *retries = NULL;
    size_t capacity = 0;
    sqlite3_stmt *row = sql_query(store, SQL_RETRIES, NULL, 0);
    for (; row != NULL; row = sql_next(store, row) ? row : NULL) {
        ARRAY_RESERVE(retries, op->retry_count, capacity);
        retries[op->retry_count++] = (struct store_retry){
            .job_id = sqlite3_column_int64(row, 0),
            .due_at = column_instant(row, 1),
            .attempt = sqlite3_column_int(row, 2),
            .retry_at = column_instant(row, 3),
        };
    }
    op->retries = arena_alloc(&op->op.arena, op->retry_count, sizeof *retries);
    if (op->retry_count > 0) {
        memcpy(op->retries, retries, op->retry_count * sizeof *retries);
    }
    free(retries);
}

enum store_result sqlite_load(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_load *op = CONTAINER_OF(base, struct store_op_load, op);
    op->job_count = 0;
    op->retry_count = 0;
    load_jobs(store, op);
    load_retries(store, op);
    return STORE_OK;
}
