// SPDX-License-Identifier: MIT
#include "sql/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define COLUMNS_MAX 100

void rows_add(struct rows *rows, PGresult *result)
{
    rows->count++;
    size_t size = 0;
    for (int i = 0; i < PQnfields(result); i++) {
        size += (size_t)PQgetlength(result, 0, i);
    }
    if (rows->kept_count < ROWS_SHOWN_MAX && rows->bytes + size <= ROWS_BYTES_MAX) {
        rows->bytes += size;
        rows->kept[rows->kept_count++] = result;
    } else {
        rows->bytes = ROWS_BYTES_MAX; // no later row stands where an earlier one is missing
        PQclear(result);
    }
}

void rows_release(struct rows *rows)
{
    for (size_t i = 0; i < rows->kept_count; i++) {
        PQclear(rows->kept[i]);
    }
    *rows = (struct rows){.count = 0};
}

// ---- the table ----------------------------------------------------------------------------------

// A value on one line, cut where it is long. Returns the characters.
static size_t clean(const char *value, char out[ROWS_CELL_MAX + 4])
{
    size_t length = strlen(value);
    size_t kept = utf8_cut(value, length, ROWS_CELL_MAX);
    utf8_sanitise(value, kept, out);
    snprintf(out + kept, 4, "%s", kept < length ? "..." : "");
    size_t characters = 0;
    for (char *c = out; *c != '\0'; c++) {
        *c = *c == '\n' || *c == '\t' ? ' ' : *c;
        characters += ((unsigned char)*c & 0xc0) != 0x80;
    }
    return characters;
}

static size_t cell(const PGresult *row, int column, char out[ROWS_CELL_MAX + 4])
{
    return clean(PQgetisnull(row, 0, column) ? "" : PQgetvalue(row, 0, column), out);
}

static void put(struct buf *out, int column, int last, const char *text, size_t width,
                size_t characters)
{
    buf_printf(out, "%s%s", column == 0 ? " " : " | ", text);
    if (column < last) {
        buf_printf(out, "%*s", (int)(width - characters), "");
    }
}

static void put_rule(struct buf *out, int column, size_t width)
{
    buf_add_string(out, column == 0 ? "-" : "-+-");
    for (size_t i = 0; i < width; i++) {
        buf_add_char(out, '-');
    }
}

static void measure(const struct rows *rows, const PGresult *shape, int columns, size_t *widths)
{
    char text[ROWS_CELL_MAX + 4];
    for (int i = 0; i < columns; i++) {
        widths[i] = clean(PQfname(shape, i), text);
        for (size_t row = 0; row < rows->kept_count; row++) {
            size_t width = cell(rows->kept[row], i, text);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
}

static void print(const struct rows *rows, const PGresult *shape, int columns, struct buf *out)
{
    size_t widths[COLUMNS_MAX];
    char text[ROWS_CELL_MAX + 4];
    measure(rows, shape, columns, widths);
    for (int i = 0; i < columns; i++) {
        size_t characters = clean(PQfname(shape, i), text);
        put(out, i, columns - 1, text, widths[i], characters);
    }
    buf_add_char(out, '\n');
    for (int i = 0; i < columns; i++) {
        put_rule(out, i, widths[i]);
    }
    buf_add_string(out, columns > 0 ? "-\n" : "");
    for (size_t row = 0; row < rows->kept_count; row++) {
        for (int i = 0; i < columns; i++) {
            size_t characters = cell(rows->kept[row], i, text);
            put(out, i, columns - 1, text, widths[i], characters);
        }
        buf_add_char(out, '\n');
    }
}

void rows_flush(struct rows *rows, const PGresult *shape, struct buf *out)
{
    int columns = PQnfields(shape);
    if (columns > 0) {
        print(rows, shape, columns < COLUMNS_MAX ? columns : COLUMNS_MAX, out);
    }
    if (columns > COLUMNS_MAX) {
        buf_printf(out, "(the first %d of %d columns)\n", COLUMNS_MAX, columns);
    }
    if ((int64_t)rows->kept_count < rows->count) {
        buf_printf(out, "(the first %zu of %" PRId64 " rows)\n", rows->kept_count, rows->count);
    } else {
        buf_printf(out, "(%" PRId64 " row%s)\n", rows->count, rows->count == 1 ? "" : "s");
    }
    rows_release(rows);
}
