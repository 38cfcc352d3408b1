// SPDX-License-Identifier: MIT
// Queries that are composed at each call, so that SQLite plans them for the filter that is really
// there.
#include "store/sqlite/sqlite_private.h"

#include <stdio.h>

void query_init(struct query *query, struct store *port, const char *sql)
{
    *query = (struct query){.store = sqlite_of(port), .joint = " WHERE "};
    buf_init(&query->sql, 4096);
    buf_add_string(&query->sql, sql);
}

void query_release(struct query *query)
{
    sqlite3_finalize(query->statement);
    buf_release(&query->sql);
}

void query_where(struct query *query, const char *condition, struct sql_value value)
{
    buf_printf(&query->sql, "%s%s", query->joint, condition);
    query->joint = " AND ";
    query->values[query->count++] = value;
}

void query_span(struct query *query, const char *column, struct instant since, struct instant until)
{
    char condition[64];
    if (operation_has(since)) {
        snprintf(condition, sizeof condition, "%s >= ?", column);
        query_where(query, condition, sql_int(instant_ms(since)));
    }
    if (operation_has(until)) {
        snprintf(condition, sizeof condition, "%s < ?", column);
        query_where(query, condition, sql_int(instant_ms(until)));
    }
}

void query_range(struct query *query, const char *column, int64_t from, int64_t before)
{
    char condition[64];
    if (from > 0) {
        snprintf(condition, sizeof condition, "%s >= ?", column);
        query_where(query, condition, sql_int(from));
    }
    if (before > 0) {
        snprintf(condition, sizeof condition, "%s < ?", column);
        query_where(query, condition, sql_int(before));
    }
}

void query_limit(struct query *query, size_t limit)
{
    if (limit > 0) {
        buf_printf(&query->sql, " LIMIT %zu", limit);
    }
}

static bool query_fail(struct query *query, struct error *err)
{
    sqlite_explain(sqlite3_extended_errcode(query->store->db), query->store->db, query->store->path,
                   "reading", err);
    return false;
}

static bool query_start(struct query *query, struct error *err)
{
    int code =
        sqlite3_prepare_v2(query->store->db, buf_string(&query->sql), -1, &query->statement, NULL);
    for (size_t i = 0; code == SQLITE_OK && i < query->count; i++) {
        const struct sql_value *value = &query->values[i];
        code = value->kind == SQL_KIND_INTEGER
                   ? sqlite3_bind_int64(query->statement, (int)i + 1, value->integer)
               : value->kind == SQL_KIND_TEXT
                   ? sqlite3_bind_text(query->statement, (int)i + 1, value->bytes,
                                       (int)value->length, SQLITE_STATIC)
                   : sqlite3_bind_blob(query->statement, (int)i + 1, value->bytes,
                                       (int)value->length, SQLITE_STATIC);
    }
    return code == SQLITE_OK || query_fail(query, err);
}

bool query_each(struct query *query, query_give_fn *give, const void *reader, struct error *err)
{
    if (!query_start(query, err)) {
        return false;
    }
    int code;
    while ((code = sqlite3_step(query->statement)) == SQLITE_ROW) {
        if (!give(query->statement, reader)) {
            return true;
        }
    }
    return code == SQLITE_DONE || query_fail(query, err);
}

// ---- one moment ---------------------------------------------------------------------------------

bool sqlite_reading_begins(struct store *port, struct error *err)
{
    struct sqlite_store *store = sqlite_of(port);
    store->failed = SQLITE_OK;
    sql_run(store, SQL_BEGIN_READ, NULL, 0);
    if (store->failed != SQLITE_OK) {
        *err = store->err;
    }
    return store->failed == SQLITE_OK;
}

void sqlite_reading_ends(struct store *port)
{
    struct sqlite_store *store = sqlite_of(port);
    if (sqlite3_get_autocommit(store->db) == 0) {
        store->failed = SQLITE_OK;
        sql_run(store, SQL_ROLLBACK, NULL, 0);
    }
}
