// SPDX-License-Identifier: MIT
// Ends of runs, guarded by the fence, and their output.
#include "store/sqlite/sqlite_private.h"

struct run_found {
    bool is_ours; // id and fence belong together
    enum run_state state;
    int64_t job_id;
    int64_t due_ms;
    enum run_trigger trigger;
    struct instant started_at;
};

static struct run_found run_find(struct sqlite_store *store, const struct store_end *end)
{
    struct run_found found = {.is_ours = false};
    sqlite3_stmt *row = sql_query(store, SQL_RUN_AT, VALUES(sql_int(end->fence)));
    if (row != NULL) {
        found = (struct run_found){
            .is_ours = uuid_equal(column_uuid(row, 0), end->run_id),
            .state = (enum run_state)sqlite3_column_int(row, 1),
            .job_id = sqlite3_column_int64(row, 2),
            .due_ms = sqlite3_column_int64(row, 3),
            .trigger = (enum run_trigger)sqlite3_column_int(row, 4),
            .started_at = column_instant(row, 5),
        };
        sql_end(row);
    }
    return found;
}

static void write_audit(struct sqlite_store *store, const struct store_op_finish *op,
                        const struct store_end *end, const char *event, int64_t job_id)
{
    sqlite_audit_add(store, &(struct audit_entry){.event = event,
                                                  .job_id = job_id,
                                                  .run_id = &end->run_id,
                                                  .node = &op->node,
                                                  .detail = end->detail});
}

static int64_t job_of_run(struct sqlite_store *store, const struct uuid *run_id)
{
    sqlite3_stmt *row = sql_query(store, SQL_RUN_BY_ID, VALUES(sql_uuid(run_id)));
    if (row == NULL) {
        return 0;
    }
    int64_t job_id = sqlite3_column_int64(row, 1);
    sql_end(row);
    return job_id;
}

static void write_end(struct sqlite_store *store, const struct store_op_finish *op,
                      const struct store_end *end, const struct run_found *run)
{
    struct instant ended_at = store_ended_at(run->started_at, end->duration, store->now);
    struct sql_value error = end->error == NULL ? sql_text(NULL)
                                                : sql_bytes(SQL_KIND_TEXT, end->error,
                                                            operation_error_length(end->error));
    sql_run(store, SQL_RUN_END,
            VALUES(sql_int(end->fence), sql_instant(ended_at), sql_int(end->state),
                   sql_int(end->failure), sql_int_or_null(end->has_exit_code, end->exit_code),
                   error, sql_int(duration_ms(end->duration))));
    if (run->trigger != TRIGGER_MANUAL) {
        bool retries = operation_has(end->retry_at);
        sql_run(store, SQL_SLOT_END,
                VALUES(sql_int(run->due_ms), sql_int(run->job_id), sql_int(end->fence),
                       sql_int(retries ? SLOT_OPEN : slot_outcome_of(end->state)),
                       sql_instant(end->retry_at)));
    }
    sql_run(store, SQL_JOB_ENDED,
            VALUES(sql_int(run->job_id), sql_int(end->fence),
                   sql_int_or_null(end->state == RUN_SUCCESS, instant_ms(ended_at))));
    write_audit(store, op, end, run_state_name(end->state), run->job_id);
}

enum store_result sqlite_finish(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_finish *op = CONTAINER_OF(base, struct store_op_finish, op);
    op->now = store->now;
    for (size_t i = 0; i < op->end_count && store->failed == SQLITE_OK; i++) {
        struct store_end *end = &op->ends[i];
        struct run_found run = run_find(store, end);
        end->succeeded = run.is_ours && end->settles && run.state == RUN_SUCCESS;
        end->stale = !run.is_ours ||
                     (run.state != RUN_STARTED && run.state != end->state && !end->succeeded);
        if (end->stale) {
            write_audit(store, op, end, "STALE", job_of_run(store, &end->run_id));
        } else if (run.state == RUN_STARTED) {
            write_end(store, op, end, &run);
        }
    }
    return STORE_OK;
}

// ---- output -------------------------------------------------------------------------------------

static int64_t fence_of(struct sqlite_store *store, const struct uuid *run_id)
{
    return sql_query_integer(store, SQL_RUN_BY_ID, 0, VALUES(sql_uuid(run_id)));
}

// A piece that begins past the end would leave a hole that nobody could tell from silence.
static bool append(struct sqlite_store *store, const struct store_chunk *chunk, struct error *err)
{
    int64_t fence = fence_of(store, &chunk->run_id);
    int64_t stored = sql_query_integer(store, SQL_OUTPUT_LENGTH, 0, VALUES(sql_int(fence)));
    if (fence == 0) {
        return error_set(err, ERROR_REFUSED, "there is no such run to which output could belong");
    }
    if (chunk->offset > stored) {
        return error_set(err, ERROR_REFUSED, "a piece of output before this one is missing");
    }
    size_t known = (size_t)(stored - chunk->offset);
    if (known < chunk->length) {
        sql_run(store, SQL_OUTPUT_INSERT,
                VALUES(sql_int(fence), sql_int(stored),
                       sql_bytes(SQL_KIND_BLOB, chunk->bytes + known, chunk->length - known)));
    }
    return true;
}

enum store_result sqlite_output(struct sqlite_store *store, struct store_op *base)
{
    const struct store_op_output *op = CONTAINER_OF(base, struct store_op_output, op);
    bool good = true;
    sql_run(store, SQL_SAVEPOINT, NULL, 0);
    for (size_t i = 0; i < op->chunk_count && good && store->failed == SQLITE_OK; i++) {
        good = append(store, &op->chunks[i], &base->err);
    }
    if (!good) {
        sql_run(store, SQL_ROLLBACK_TO, NULL, 0);
    }
    sql_run(store, SQL_RELEASE, NULL, 0);
    return good ? STORE_OK : STORE_REFUSED;
}
