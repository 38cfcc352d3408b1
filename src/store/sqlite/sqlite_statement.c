// SPDX-License-Identifier: MIT
#include "store/sqlite/sqlite_private.h"

#include <string.h>

#include "base/check.h"

static const char *const texts[SQL_COUNT] = {
#define X(id, text) [id] = text,
#include "store/sqlite/sqlite_sql.def"
#undef X
};

struct sql_value sql_int(int64_t integer)
{
    return (struct sql_value){.kind = SQL_KIND_INTEGER, .integer = integer};
}

struct sql_value sql_int_or_null(bool present, int64_t integer)
{
    return (struct sql_value){.kind = present ? SQL_KIND_INTEGER : SQL_KIND_NULL,
                              .integer = integer};
}

struct sql_value sql_bytes(enum sql_kind kind, const void *bytes, size_t length)
{
    return (struct sql_value){.kind = kind, .bytes = bytes, .length = length};
}

struct sql_value sql_text(const char *text)
{
    return text == NULL ? (struct sql_value){.kind = SQL_KIND_NULL}
                        : sql_bytes(SQL_KIND_TEXT, text, strlen(text));
}

struct sql_value sql_uuid(const struct uuid *id)
{
    return uuid_is_nil(*id) ? (struct sql_value){.kind = SQL_KIND_NULL}
                            : sql_bytes(SQL_KIND_BLOB, id->bytes, sizeof id->bytes);
}

struct sql_value sql_instant(struct instant t)
{
    return sql_int_or_null(operation_has(t), instant_ms(t));
}

static sqlite3_stmt *statement_of(struct sqlite_store *store, enum sql_id id)
{
    if (store->statements[id] == NULL) {
        int code = sqlite3_prepare_v3(store->db, texts[id], -1, SQLITE_PREPARE_PERSISTENT,
                                      &store->statements[id], NULL);
        if (code != SQLITE_OK) {
            sqlite_fail(store, sqlite3_extended_errcode(store->db), texts[id]);
            return NULL;
        }
    }
    return store->statements[id];
}

// The bound memory is the caller's and is read only until the statement is reset.
static int bind_value(sqlite3_stmt *statement, int index, const struct sql_value *value)
{
    switch (value->kind) {
    case SQL_KIND_INTEGER:
        return sqlite3_bind_int64(statement, index, value->integer);
    case SQL_KIND_TEXT:
        return sqlite3_bind_text64(statement, index, value->bytes, value->length, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case SQL_KIND_BLOB:
        return sqlite3_bind_blob64(statement, index, value->length == 0 ? "" : value->bytes,
                                   value->length, SQLITE_STATIC);
    case SQL_KIND_NULL:
        return sqlite3_bind_null(statement, index);
    }
    UNREACHABLE();
}

static sqlite3_stmt *bind(struct sqlite_store *store, enum sql_id id,
                          const struct sql_value *values, size_t count)
{
    sqlite3_stmt *statement = store->failed == SQLITE_OK ? statement_of(store, id) : NULL;
    for (size_t i = 0; statement != NULL && i < count; i++) {
        int code = bind_value(statement, (int)i + 1, &values[i]);
        if (code != SQLITE_OK) {
            sqlite_fail(store, code, texts[id]);
            statement = NULL;
        }
    }
    return statement;
}

bool sql_next(struct sqlite_store *store, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code != SQLITE_DONE) {
        sqlite_fail(store, sqlite3_extended_errcode(store->db), sqlite3_sql(statement));
    }
    sqlite3_reset(statement);
    return false;
}

void sql_end(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
}

sqlite3_stmt *sql_query(struct sqlite_store *store, enum sql_id id, const struct sql_value *values,
                        size_t count)
{
    sqlite3_stmt *statement = bind(store, id, values, count);
    return statement != NULL && sql_next(store, statement) ? statement : NULL;
}

int64_t sql_run(struct sqlite_store *store, enum sql_id id, const struct sql_value *values,
                size_t count)
{
    sqlite3_stmt *statement = bind(store, id, values, count);
    if (statement == NULL) {
        return 0;
    }
    while (sql_next(store, statement)) {
        ;
    }
    return store->failed == SQLITE_OK ? sqlite3_changes64(store->db) : 0;
}

int64_t sql_query_integer(struct sqlite_store *store, enum sql_id id, int64_t missing,
                          const struct sql_value *values, size_t count)
{
    sqlite3_stmt *statement = sql_query(store, id, values, count);
    if (statement == NULL) {
        return missing;
    }
    int64_t integer = sqlite3_column_type(statement, 0) == SQLITE_NULL
                          ? missing
                          : sqlite3_column_int64(statement, 0);
    sql_end(statement);
    return integer;
}

struct instant column_instant(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL
               ? INSTANT_NONE
               : instant_from_ms(sqlite3_column_int64(statement, column));
}

struct uuid column_uuid(sqlite3_stmt *statement, int column)
{
    struct uuid id = {{0}};
    if (sqlite3_column_bytes(statement, column) == (int)sizeof id.bytes) {
        memcpy(id.bytes, sqlite3_column_blob(statement, column), sizeof id.bytes);
    }
    return id;
}

const char *column_text(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

char *column_string(sqlite3_stmt *statement, int column, struct arena *arena)
{
    const char *text = column_text(statement, column);
    return text == NULL ? NULL : arena_string(arena, text);
}
