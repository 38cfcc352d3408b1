// SPDX-License-Identifier: MIT
// Reading schedules in force, jobs, controls, nodes, the anchor, one intent, and a run's output.
#include "store/sqlite/sqlite_private.h"

#include <string.h>

#include "store/chain.h"

// ---- schedules in force -------------------------------------------------------------------------

struct force_reader {
    store_force_fn *fn;
    void *context;
};

static bool give_force(sqlite3_stmt *row, const void *reader_of)
{
    const struct force_reader *reader = reader_of;
    struct store_force_row force = {
        .job = column_text(row, 0),
        .spec = column_text(row, 1),
        .from = column_instant(row, 2),
        .to = column_instant(row, 3),
    };
    return reader->fn(reader->context, &force);
}

bool sqlite_read_force(struct store *port, const char *job, store_force_fn *fn, void *context,
                       struct error *err)
{
    AUTO(query_release) struct query query;
    query_init(
        &query, port,
        "SELECT j.name, f.spec, f.from_ms, f.to_ms FROM job j JOIN in_force f USING (job_id)");
    if (job != NULL) {
        query_where(&query, "j.name = ?", sql_text(job));
    }
    buf_add_string(&query.sql, " ORDER BY j.name, f.from_ms");
    return query_each(&query, give_force, &(struct force_reader){fn, context}, err);
}

// ---- jobs ---------------------------------------------------------------------------------------

struct job_reader {
    store_job_fn *fn;
    void *context;
};

static bool give_job(sqlite3_stmt *row, const void *reader_of)
{
    const struct job_reader *reader = reader_of;
    struct store_job job = {
        .job_id = sqlite3_column_int64(row, 0),
        .name = column_text(row, 1),
        .spec = column_text(row, 2),
        .high_water = column_instant(row, 3),
        .last_success = column_instant(row, 4),
        .throttle_count = sqlite3_column_int(row, 5),
    };
    return reader->fn(reader->context, &job);
}

bool sqlite_read_jobs(struct store *port, const char *only, store_job_fn *fn, void *context,
                      struct error *err)
{
    AUTO(query_release) struct query query;
    query_init(
        &query, port,
        "SELECT j.job_id, j.name, f.spec, j.high_water, j.last_success, j.throttle FROM job j "
        "LEFT JOIN in_force f ON f.job_id = j.job_id AND f.to_ms IS NULL");
    if (only != NULL) {
        query_where(&query, "j.name = ?", sql_text(only));
    }
    buf_add_string(&query.sql, " ORDER BY j.name");
    return query_each(&query, give_job, &(struct job_reader){fn, context}, err);
}

// ---- controls -----------------------------------------------------------------------------------

struct control_reader {
    store_control_fn *fn;
    void *context;
};

static bool give_control(sqlite3_stmt *row, const void *reader_of)
{
    const struct control_reader *reader = reader_of;
    struct store_control_row control = sqlite_control_column(row);
    return reader->fn(reader->context, &control);
}

bool sqlite_read_controls(struct store *port, bool history, store_control_fn *fn, void *context,
                          struct error *err)
{
    AUTO(query_release) struct query query;
    query_init(&query, port, "SELECT job, kind, value, from_ms, to_ms, actor, reason FROM control");
    buf_add_string(&query.sql, history ? " ORDER BY id" : " WHERE to_ms IS NULL ORDER BY id");
    return query_each(&query, give_control, &(struct control_reader){fn, context}, err);
}

// ---- nodes --------------------------------------------------------------------------------------

struct node_reader {
    store_node_fn *fn;
    void *context;
};

static bool give_node(sqlite3_stmt *row, const void *reader_of)
{
    const struct node_reader *reader = reader_of;
    struct store_node_row node = {
        .node = column_uuid(row, 0),
        .host = column_text(row, 1),
        .version = column_text(row, 2),
        .started_at = column_instant(row, 3),
        .last_seen = column_instant(row, 4),
        .state = column_text(row, 5),
        .running = sqlite3_column_int(row, 6),
        .max_running = sqlite3_column_int(row, 7),
        .dry_run = sqlite3_column_int(row, 8) != 0,
        .draining = sqlite3_column_int(row, 9) != 0,
        .labels = column_text(row, 10),
        .valid_until = INSTANT_NONE,
        .definitions = sqlite3_column_int64(row, 11),
        .refused = column_text(row, 12),
        .draining_since = column_instant(row, 13),
        .draining_by = column_text(row, 14),
        .draining_as = column_text(row, 15),
        .draining_reason = column_text(row, 16),
    };
    return reader->fn(reader->context, &node);
}

bool sqlite_read_nodes(struct store *port, store_node_fn *fn, void *context, struct error *err)
{
    AUTO(query_release) struct query query;
    query_init(&query, port,
               "SELECT node, host, version, started_at, last_seen, state, running, max_running, "
               "dry_run, draining, labels, definitions, refused, draining_since, draining_by, "
               "draining_as, draining_reason FROM node ORDER BY node_no DESC");
    return query_each(&query, give_node, &(struct node_reader){fn, context}, err);
}

// ---- single rows --------------------------------------------------------------------------------

static bool read_failed(struct sqlite_store *store, struct error *err)
{
    *err = store->err;
    return false;
}

static void read_hash(struct sqlite_store *store, const char *key, uint8_t out[CHAIN_HASH_SIZE])
{
    sqlite3_stmt *row = sql_query(store, SQL_META_GET, VALUES(sql_text(key)));
    if (row != NULL) {
        sqlite_hash_column(row, 0, out);
        sql_end(row);
    }
}

bool sqlite_read_anchor(struct store *port, struct store_anchor *anchor_out, struct error *err)
{
    struct sqlite_store *store = sqlite_of(port);
    struct store_anchor anchor = {.slots_from = INSTANT_NONE};
    store->failed = SQLITE_OK;
    anchor.seq = sql_query_integer(store, SQL_META_GET, 0, VALUES(sql_text("anchor_seq")));
    read_hash(store, "anchor_hash", anchor.hash);
    anchor.head_seq = sql_query_integer(store, SQL_META_GET, 0, VALUES(sql_text("head_seq")));
    read_hash(store, "head_hash", anchor.head_hash);
    int64_t slots_from = sql_query_integer(store, SQL_META_GET, 0, VALUES(sql_text("slots_from")));
    if (slots_from != 0) {
        anchor.slots_from = instant_from_ms(slots_from);
    }
    if (store->failed != SQLITE_OK) {
        return read_failed(store, err);
    }
    *anchor_out = anchor;
    return true;
}

bool sqlite_read_intent(struct store *port, struct uuid intent_id, struct arena *arena,
                        struct store_intent *intent_out, struct error *err)
{
    struct sqlite_store *store = sqlite_of(port);
    store->failed = SQLITE_OK;
    sqlite3_stmt *row = sql_query(store, SQL_INTENT_GET, VALUES(sql_uuid(&intent_id)));
    if (row == NULL) {
        return store->failed == SQLITE_OK
                   ? error_set(err, ERROR_NOT_FOUND, "the request is not in the store any more")
                   : read_failed(store, err);
    }
    sqlite_intent_column(row, arena, intent_out);
    sql_end(row);
    return true;
}

// Pieces lie end to end; a read may begin inside one and takes what it holds from there on.
bool sqlite_read_output(struct store *port, struct uuid run_id, int64_t offset, char *bytes,
                        size_t size, size_t *length_out, struct error *err)
{
    struct sqlite_store *store = sqlite_of(port);
    store->failed = SQLITE_OK;
    size_t length = 0;
    int64_t fence = sql_query_integer(store, SQL_RUN_BY_ID, 0, VALUES(sql_uuid(&run_id)));
    sqlite3_stmt *row = sql_query(store, SQL_OUTPUT_FROM, VALUES(sql_int(fence), sql_int(offset)));
    while (row != NULL) {
        size_t skip = (size_t)(offset + (int64_t)length - sqlite3_column_int64(row, 0));
        size_t held = (size_t)sqlite3_column_bytes(row, 1);
        size_t take = held > skip ? held - skip : 0;
        take = take < size - length ? take : size - length;
        if (take > 0) {
            memcpy(bytes + length, (const char *)sqlite3_column_blob(row, 1) + skip, take);
        }
        length += take;
        if (take == 0 || length == size) {
            sql_end(row);
            break;
        }
        row = sql_next(store, row) ? row : NULL;
    }
    if (store->failed != SQLITE_OK) {
        return read_failed(store, err);
    }
    *length_out = length;
    return true;
}
