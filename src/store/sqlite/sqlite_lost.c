// SPDX-License-Identifier: MIT
// What nodes leave that do not live any more: their runs are lost, what waits is taken over. A node
// that holds the file's lock is alone, so nothing is ever overdue and nobody is fenced.
#include "store/sqlite/sqlite_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

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

static void lose_run(struct sqlite_store *store, const struct sqlite_losing *losing,
                     const struct lost_run *run)
{
    const struct store_lost *lost = &run->lost;
    struct instant retry_at = INSTANT_NONE;
    if (losing->retry != NULL && lost->trigger != TRIGGER_MANUAL) {
        retry_at = losing->retry(losing->context, lost, store->now);
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
                                                  .node = losing->node});
}

static struct store_lost *lost_of(const struct lost_run *runs, size_t count, struct arena *arena)
{
    struct store_lost *lost = arena_alloc(arena, count, sizeof *lost);
    for (size_t i = 0; i < count; i++) {
        lost[i] = runs[i].lost;
    }
    return lost;
}

static void free_lost(struct lost_run **runs)
{
    free(*runs);
}

void sqlite_lose_runs(struct sqlite_store *store, struct sqlite_losing *losing)
{
    AUTO(free_lost)
    struct lost_run *runs =
        read_lost(store, sql_query(store, SQL_RUN_DEAD, NULL, 0), losing->arena, &losing->count);
    for (size_t i = 0; i < losing->count; i++) {
        lose_run(store, losing, &runs[i]);
    }
    losing->lost = lost_of(runs, losing->count, losing->arena);
}

struct store_lost *sqlite_lost_of_join(struct sqlite_store *store, int64_t audit, int64_t lost,
                                       struct arena *arena, size_t *count_out)
{
    AUTO(free_lost)
    struct lost_run *runs =
        read_lost(store, sql_query(store, SQL_JOIN_LOST, VALUES(sql_int(audit), sql_int(lost))),
                  arena, count_out);
    return lost_of(runs, *count_out, arena);
}

void sqlite_take_over(struct sqlite_store *store, int64_t node_no, const char *except)
{
    sql_run(store, SQL_SLOT_TAKE_OVER, VALUES(sql_int(node_no), sql_text(except)));
    sql_run(store, SQL_INTENT_TAKE_OVER, NULL, 0);
}

static void take_over_but(struct sqlite_store *store, const struct store_op_fence *op,
                          int64_t number)
{
    struct buf except;
    buf_init(&except, (size_t)64 << 20);
    buf_add_char(&except, '[');
    for (size_t i = 0; i < op->except_count; i++) {
        buf_printf(&except, "%s%lld", i == 0 ? "" : ",", (long long)op->except[i]);
    }
    buf_add_char(&except, ']');
    sqlite_take_over(store, number, buf_string(&except));
    buf_release(&except);
}

// ---- sessions in the databases of jobs ----------------------------------------------------------

struct uuid *sqlite_left(struct sqlite_store *store, int64_t node_no, struct arena *arena,
                         size_t *count_out)
{
    struct uuid *left = NULL;
    size_t capacity = 0;
    *count_out = 0;
    sqlite3_stmt *row = sql_query(store, SQL_NODE_LEFT, VALUES(sql_int(node_no)));
    for (; row != NULL; row = sql_next(store, row) ? row : NULL) {
        ARRAY_RESERVE(left, *count_out, capacity);
        left[(*count_out)++] = column_uuid(row, 0);
    }
    struct uuid *kept = arena_alloc(arena, *count_out, sizeof *left);
    if (*count_out > 0) {
        memcpy(kept, left, *count_out * sizeof *left);
    }
    free(left);
    return kept;
}

static void take_left(struct sqlite_store *store, struct store_op_fence *op, int64_t number)
{
    for (size_t i = 0; i < op->ended_count; i++) {
        sql_run(store, SQL_NODE_ENDED, VALUES(sql_uuid(&op->ended[i])));
    }
    sql_run(store, SQL_NODE_TAKE_LEFT, VALUES(sql_int(number)));
    op->left = sqlite_left(store, number, &op->op.arena, &op->left_count);
}

// ---- fence --------------------------------------------------------------------------------------

enum store_result sqlite_fence(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_fence *op = CONTAINER_OF(base, struct store_op_fence, op);
    int64_t number = sqlite_live_node(store, &op->node);
    if (number == 0) {
        return sqlite_not_live(&base->err);
    }
    struct sqlite_losing losing = {&op->node,    op->lost_retry, op->lost_context,
                                   &base->arena, NULL,           0};
    sqlite_lose_runs(store, &losing);
    op->now = instant_from_ms(instant_ms(store->now));
    op->fenced = NULL;
    op->fenced_count = 0;
    op->lost = losing.lost;
    op->lost_count = losing.count;
    take_over_but(store, op, number);
    take_left(store, op, number);
    op->waiting = sqlite_retries(store, number, &base->arena, &op->waiting_count);
    return STORE_OK;
}
