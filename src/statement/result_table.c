// SPDX-License-Identifier: MIT
#include "statement/result_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/utf8.h"

void result_table_init(struct result_table *table, size_t columns)
{
    *table = (struct result_table){.columns = columns};
    table->names = alloc_zero(columns + 1, sizeof *table->names);
    table->widths = alloc_zero(columns + 1, sizeof *table->widths);
    table->has_text = alloc_zero(columns + 1, sizeof *table->has_text);
}

void result_table_release(struct result_table *table)
{
    for (size_t i = 0; i < table->columns; i++) {
        free(table->names[i]);
    }
    for (size_t i = 0; i < table->count; i++) {
        free(table->cells[i]);
    }
    free(table->names);
    free(table->cells);
    free(table->widths);
    free(table->has_text);
    *table = (struct result_table){0};
}

// ---- values -------------------------------------------------------------------------------------

static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

static size_t character_length(const char *text, size_t length)
{
    for (size_t n = 1; n <= 4 && n <= length; n++) {
        if (utf8_is_valid(text, n)) {
            return n;
        }
    }
    return 0;
}

static void add_character(struct buf *out, const char *text, size_t length)
{
    unsigned char c = (unsigned char)*text;
    if (c == '\n') {
        buf_add_string(out, "\\n");
    } else if (c == '\t') {
        buf_add_string(out, "\\t");
    } else if (c < 0x20 || c == 0x7f || length == 0) {
        buf_printf(out, "\\x%02x", c);
    } else {
        buf_add(out, text, length);
    }
}

// One line, nothing in it that moves a terminal's cursor.
static char *cell_text(const char *text, size_t length)
{
    AUTO(buf_release) struct buf out;
    buf_init(&out, RESULT_CELL_MAX * 4 + 16);
    size_t at = 0;
    for (size_t shown = 0; at < length && shown < RESULT_CELL_MAX; shown++) {
        size_t size = character_length(text + at, length - at);
        add_character(&out, text + at, size);
        at += size == 0 ? 1 : size;
    }
    if (at < length) {
        buf_add_string(&out, "…");
    }
    return alloc_string(buf_string(&out));
}

static void widen(struct result_table *table, size_t column, const char *text)
{
    size_t width = width_of(text);
    table->widths[column] = width > table->widths[column] ? width : table->widths[column];
}

void result_table_name(struct result_table *table, size_t column, const char *name)
{
    CHECK(column < table->columns && table->names[column] == NULL);
    table->names[column] = cell_text(name, strlen(name));
    widen(table, column, table->names[column]);
}

bool result_table_keeps(const struct result_table *table)
{
    return !table->is_full || table->in_row > 0;
}

void result_table_cell(struct result_table *table, const char *text, size_t length, bool is_number)
{
    CHECK(result_table_keeps(table) && table->columns > 0);
    size_t column = table->in_row;
    char *cell = text == NULL ? alloc_string("") : cell_text(text, length);
    ARRAY_RESERVE(table->cells, table->count, table->capacity);
    table->cells[table->count++] = cell;
    table->bytes += strlen(cell);
    table->has_text[column] = table->has_text[column] || (text != NULL && !is_number);
    widen(table, column, cell);
    table->in_row = (column + 1) % table->columns;
    if (table->in_row == 0) {
        table->rows++;
        table->is_full = table->rows >= RESULT_ROWS_MAX || table->bytes >= RESULT_BYTES_MAX;
    }
}

void result_table_skip_row(struct result_table *table)
{
    CHECK(table->in_row == 0);
    table->rows++;
}

// ---- printing -----------------------------------------------------------------------------------

static void print_cell(const struct result_table *table, struct buf *out, size_t column,
                       const char *text)
{
    int padding = (int)(table->widths[column] - width_of(text));
    bool last = column + 1 == table->columns;
    buf_add_string(out, column == 0 ? " " : " | ");
    if (table->has_text[column]) {
        buf_printf(out, "%s%*s", text, last ? 0 : padding, "");
    } else {
        buf_printf(out, "%*s%s", padding, "", text);
    }
    buf_add_string(out, last ? "\n" : "");
}

static void print_rule(const struct result_table *table, struct buf *out)
{
    for (size_t i = 0; i < table->columns; i++) {
        buf_add_string(out, i == 0 ? "-" : "-+-");
        for (size_t n = 0; n < table->widths[i]; n++) {
            buf_add_char(out, '-');
        }
    }
    buf_add_string(out, "-\n");
}

void result_table_print(const struct result_table *table, struct buf *out)
{
    CHECK(table->in_row == 0 && table->columns > 0);
    for (size_t i = 0; i < table->columns; i++) {
        print_cell(table, out, i, table->names[i] == NULL ? "" : table->names[i]);
    }
    print_rule(table, out);
    for (size_t i = 0; i < table->count; i++) {
        print_cell(table, out, i % table->columns, table->cells[i]);
    }
    size_t shown = table->count / table->columns;
    if ((int64_t)shown < table->rows) {
        buf_printf(out, "(the first %zu of %" PRId64 " rows)\n", shown, table->rows);
    } else {
        buf_printf(out, "(%" PRId64 " row%s)\n", table->rows, table->rows == 1 ? "" : "s");
    }
}
