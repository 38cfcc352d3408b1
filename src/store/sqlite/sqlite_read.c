// SPDX-License-Identifier: MIT
// Reading runs, slots and the audit log.
#include "store/sqlite/sqlite_private.h"

#include <string.h>

// ---- runs ---------------------------------------------------------------------------------------

struct run_reader {
    store_run_fn *fn;
    void *context;
};

static bool give_run(sqlite3_stmt *row, const void *reader_of)
{
    const struct run_reader *reader = reader_of;
    struct store_run_row run = {
        .run_id = column_uuid(row, 0),
        .job = column_text(row, 1),
        .due_at = column_instant(row, 2),
        .attempt = sqlite3_column_int(row, 3),
        .trigger = (enum run_trigger)sqlite3_column_int(row, 4),
        .state = (enum run_state)sqlite3_column_int(row, 5),
        .node = column_uuid(row, 6),
        .fence = sqlite3_column_int64(row, 7),
        .started_at = column_instant(row, 8),
        .ended_at = column_instant(row, 9),
        .duration = {instant_from_ms(sqlite3_column_int64(row, 10)).us}, // which is bounded
        .has_exit_code = sqlite3_column_type(row, 11) != SQLITE_NULL,
        .exit_code = sqlite3_column_int(row, 11),
        .failure = (enum run_failure)sqlite3_column_int(row, 12),
        .error = column_text(row, 13),
    };
    return reader->fn(reader->context, &run);
}

bool sqlite_read_runs(struct store *port, const struct store_run_filter *filter, store_run_fn *fn,
                      void *context, struct error *err)
{
    bool running = filter->by_state && filter->state == RUN_STARTED;
    AUTO(query_release) struct query query;
    query_init(&query, port,
               "SELECT r.run_id, j.name, r.due_at, r.attempt, r.trigger, r.state, n.node, r.fence, "
               "r.started_at, r.ended_at, r.duration, r.exit_code, r.failure, r.error FROM ");
    if (filter->last_of_each_job) {
        buf_add_string(&query.sql, "job j CROSS JOIN run r ON r.fence = j.last_run");
    } else {
        // Left to itself SQLite reads all of history backwards, to save the sorting of the few that
        // run.
        buf_add_string(&query.sql, running && uuid_is_nil(filter->run_id)
                                       ? "run r INDEXED BY run_started"
                                       : "run r");
        buf_add_string(&query.sql, " LEFT JOIN job j ON j.job_id = r.job_id");
    }
    buf_add_string(&query.sql, " LEFT JOIN node n ON n.node_no = r.node_no");
    if (filter->job != NULL) {
        query_where(&query,
                    filter->last_of_each_job ? "j.name = ?"
                                             : "r.job_id = (SELECT job_id FROM job WHERE name = ?)",
                    sql_text(filter->job));
    }
    query_range(&query, "r.fence", filter->fence_from, filter->fence_before);
    if (!uuid_is_nil(filter->run_id)) {
        query_where(&query, "r.run_id = ?", sql_uuid(&filter->run_id));
    }
    if (running) {
        query_where(&query, "r.state = 0 AND ?", sql_int(1)); // the index wants the literal
    } else if (filter->by_state) {
        query_where(&query, "r.state = ?", sql_int(filter->state));
    }
    query_span(&query, "r.started_at", filter->since, filter->until);
    buf_add_string(&query.sql, " ORDER BY r.fence DESC");
    query_limit(&query, filter->limit);
    return query_each(&query, give_run, &(struct run_reader){fn, context}, err);
}

// ---- slots --------------------------------------------------------------------------------------

struct slot_reader {
    store_slot_fn *fn;
    void *context;
};

static bool give_slot(sqlite3_stmt *row, const void *reader_of)
{
    const struct slot_reader *reader = reader_of;
    struct store_slot_row slot = {
        .job = column_text(row, 0),
        .due_at = column_instant(row, 1),
        .outcome = (enum slot_outcome)sqlite3_column_int(row, 2),
        .run_id = column_uuid(row, 3),
        .reason = (enum slot_reason)sqlite3_column_int(row, 4),
    };
    return reader->fn(reader->context, &slot);
}

bool sqlite_read_slots(struct store *port, const struct store_slot_filter *filter,
                       store_slot_fn *fn, void *context, struct error *err)
{
    AUTO(query_release) struct query query;
    query_init(&query, port,
               "SELECT j.name, s.due_at, s.outcome, r.run_id, s.reason FROM slot s "
               "JOIN job j ON j.job_id = s.job_id LEFT JOIN run r ON r.fence = s.run");
    if (filter->job != NULL) {
        query_where(&query, "s.job_id = (SELECT job_id FROM job WHERE name = ?)",
                    sql_text(filter->job));
    }
    // One slot, by its key: of a span SQLite would read all jobs' slots.
    if (filter->job != NULL && operation_has(filter->since) && operation_has(filter->until) &&
        instant_ms(filter->until) == instant_ms(filter->since) + 1) {
        query_where(&query, "s.due_at = ?", sql_int(instant_ms(filter->since)));
    } else {
        query_span(&query, "s.due_at", filter->since, filter->until);
    }
    buf_add_string(&query.sql,
                   filter->job != NULL ? " ORDER BY s.due_at" : " ORDER BY j.name, s.due_at");
    return query_each(&query, give_slot, &(struct slot_reader){fn, context}, err);
}

// ---- audit --------------------------------------------------------------------------------------

struct audit_reader {
    store_audit_fn *fn;
    void *context;
};

static bool give_audit(sqlite3_stmt *row, const void *reader_of)
{
    const struct audit_reader *reader = reader_of;
    struct store_audit_row audit = sqlite_audit_column(row);
    sqlite_hash_column(row, 8, audit.prev_hash);
    sqlite_hash_column(row, 9, audit.hash);
    return reader->fn(reader->context, &audit);
}

bool sqlite_read_audit(struct store *port, const struct store_audit_filter *filter,
                       store_audit_fn *fn, void *context, struct error *err)
{
    AUTO(query_release) struct query query;
    query_init(&query, port,
               "SELECT s.seq, a.at, a.event, coalesce(j.name, a.job), a.run_id, a.node, a.actor, "
               "a.detail, "
               "CASE WHEN s.seq IS NOT NULL THEN "
               "coalesce(p.hash, (SELECT value FROM meta WHERE key = 'anchor_hash')) END, s.hash "
               "FROM audit a LEFT JOIN job j ON j.job_id = a.job_id "
               "LEFT JOIN audit_seal s ON s.seq = a.id LEFT JOIN audit_seal p ON p.seq = a.id - 1");
    if (filter->job != NULL) {
        query_where(&query, "coalesce(j.name, a.job) = ?", sql_text(filter->job));
    }
    if (filter->event != NULL) {
        query_where(&query, "a.event = upper(?)", sql_text(filter->event));
    }
    query_range(&query, "a.id", filter->seq_from, filter->seq_before);
    query_span(&query, "a.at", filter->since, filter->until);
    buf_add_string(&query.sql, filter->newest_first ? " ORDER BY a.id DESC" : " ORDER BY a.id");
    query_limit(&query, filter->limit);
    return query_each(&query, give_audit, &(struct audit_reader){fn, context}, err);
}
