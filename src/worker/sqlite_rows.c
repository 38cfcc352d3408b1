// SPDX-License-Identifier: MIT
#include "worker/sqlite_rows.h"

#include <inttypes.h>
#include <string.h>

#include "base/attributes.h"

#define BLOB_SHOWN 32
#define TEXT_MAX   ((size_t)64 << 20) // of one table: RESULT_ROWS_MAX lines of some length

void sqlite_rows_init(struct sqlite_rows *rows, sqlite3 *db, sqlite3_stmt *stmt)
{
    int columns = sqlite3_column_count(stmt);
    *rows =
        (struct sqlite_rows){.db = db, .stmt = stmt, .changes_before = sqlite3_total_changes64(db)};
    result_table_init(&rows->table, (size_t)columns);
    for (int i = 0; i < columns; i++) {
        const char *name = sqlite3_column_name(stmt, i);
        result_table_name(&rows->table, (size_t)i, name == NULL ? "" : name);
    }
}

void sqlite_rows_release(struct sqlite_rows *rows)
{
    result_table_release(&rows->table);
}

static void add_blob(struct sqlite_rows *rows, int column)
{
    const unsigned char *bytes = sqlite3_column_blob(rows->stmt, column);
    int length = sqlite3_column_bytes(rows->stmt, column);
    AUTO(buf_release) struct buf text;
    buf_init(&text, 4 * BLOB_SHOWN + 64);
    buf_add_string(&text, "x'");
    for (int i = 0; i < length && i < BLOB_SHOWN; i++) {
        buf_printf(&text, "%02x", bytes[i]);
    }
    buf_add_char(&text, '\'');
    if (length > BLOB_SHOWN) {
        buf_printf(&text, "… %d bytes", length);
    }
    result_table_cell(&rows->table, text.data, text.length, false);
}

static void add_cell(struct sqlite_rows *rows, int column)
{
    int type = sqlite3_column_type(rows->stmt, column);
    if (type == SQLITE_BLOB) {
        add_blob(rows, column);
        return;
    }
    const char *text = (const char *)sqlite3_column_text(rows->stmt, column);
    size_t length = (size_t)sqlite3_column_bytes(rows->stmt, column);
    result_table_cell(&rows->table, text, text == NULL ? 0 : length, type != SQLITE_TEXT);
}

void sqlite_rows_add(struct sqlite_rows *rows)
{
    if (!result_table_keeps(&rows->table)) {
        result_table_skip_row(&rows->table);
        return;
    }
    for (int i = 0; i < (int)rows->table.columns; i++) {
        add_cell(rows, i);
    }
}

int64_t sqlite_rows_print(struct sqlite_rows *rows, FILE *out)
{
    // The second count is of the last statement that could change rows, whichever that was.
    bool changed = sqlite3_total_changes64(rows->db) != rows->changes_before;
    int64_t changes = changed ? sqlite3_changes64(rows->db) : 0;
    if (rows->table.columns > 0) {
        AUTO(buf_release) struct buf text;
        buf_init(&text, TEXT_MAX);
        result_table_print(&rows->table, &text);
        fwrite(buf_string(&text), 1, text.length, out);
    }
    if (changed) {
        fprintf(out, "%" PRId64 " row%s changed\n", changes, changes == 1 ? "" : "s");
    }
    fflush(out);
    return changed ? changes : rows->table.rows;
}
