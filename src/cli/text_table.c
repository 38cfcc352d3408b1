// SPDX-License-Identifier: MIT
#include "cli/text_table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

#define COLUMN_MAX 16
#define GAP        2

struct column {
    char *heading;
    bool right;
    size_t width;
};

struct cell {
    char *text;
    size_t width;
    enum colour colour;
};

struct text_table {
    struct column columns[COLUMN_MAX];
    size_t column_count;
    struct cell *cells;
    size_t count;
    size_t capacity;
};

struct text_table *text_table_new(const char *headings)
{
    struct text_table *table = alloc_zero(1, sizeof *table);
    while (true) {
        CHECK(table->column_count < COLUMN_MAX);
        struct column *column = &table->columns[table->column_count++];
        column->right = *headings == '>';
        headings += column->right ? 1 : 0;
        size_t length = strcspn(headings, "|");
        column->heading = alloc_bytes(headings, length);
        column->width = terminal_columns(column->heading);
        if (headings[length] == '\0') {
            return table;
        }
        headings += length + 1;
    }
}

void text_table_release(struct text_table **table_of)
{
    struct text_table *table = *table_of;
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->column_count; i++) {
        free(table->columns[i].heading);
    }
    for (size_t i = 0; i < table->count; i++) {
        free(table->cells[i].text);
    }
    free(table->cells);
    free(table);
}

void text_table_cell(struct text_table *table, enum colour colour, const char *text)
{
    ARRAY_RESERVE(table->cells, table->count, table->capacity);
    struct cell *cell = &table->cells[table->count];
    cell->text = terminal_clean(text != NULL ? text : "-");
    cell->width = terminal_columns(cell->text);
    cell->colour = colour;
    struct column *column = &table->columns[table->count % table->column_count];
    column->width = cell->width > column->width ? cell->width : column->width;
    table->count++;
}

void text_table_cellf(struct text_table *table, enum colour colour, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_table_cell(table, colour, text);
}

size_t text_table_rows(const struct text_table *table)
{
    return table->count / table->column_count;
}

static void print_cell(const struct text_table *table, FILE *out, size_t index, bool last,
                       const struct cell *cell)
{
    const struct column *column = &table->columns[index];
    size_t padding = column->width - cell->width;
    if (column->right) {
        fprintf(out, "%*s", (int)padding, "");
    }
    terminal_print(out, cell->colour, "%s", cell->text);
    if (last) {
        fputc('\n', out);
    } else {
        fprintf(out, "%*s", (int)(column->right ? GAP : padding + GAP), "");
    }
}

static size_t width_of(const struct text_table *table, size_t columns, size_t indent)
{
    size_t width = indent;
    for (size_t i = 0; i < columns; i++) {
        width += table->columns[i].width + (i > 0 ? GAP : 0);
    }
    return width;
}

// How many columns stand in a row; the last may have to stand below.
static size_t columns_beside(const struct text_table *table, size_t indent)
{
    size_t room = terminal_width();
    size_t last = table->column_count - 1;
    bool may_part = last > 0 && strcmp(table->columns[last].heading, "GO ON") == 0;
    bool fits = room == 0 || width_of(table, table->column_count, indent) <= room;
    return fits || !may_part ? table->column_count : last;
}

static void print_row(const struct text_table *table, FILE *out, size_t indent, size_t beside,
                      const struct cell *cells)
{
    fprintf(out, "%*s", (int)indent, "");
    for (size_t i = 0; i < beside; i++) {
        print_cell(table, out, i, i + 1 == beside, &cells[i]);
    }
    if (beside < table->column_count) {
        fprintf(out, "%*s", (int)indent + 2, "");
        print_cell(table, out, beside, true, &cells[beside]);
    }
}

void text_table_print(const struct text_table *table, FILE *out, size_t indent)
{
    CHECK(table->count % table->column_count == 0);
    size_t beside = columns_beside(table, indent);
    fprintf(out, "%*s", (int)indent, "");
    for (size_t i = 0; i < beside; i++) {
        struct cell heading = {table->columns[i].heading,
                               terminal_columns(table->columns[i].heading), COLOUR_DIM};
        print_cell(table, out, i, i + 1 == beside, &heading);
    }
    for (size_t i = 0; i < table->count; i += table->column_count) {
        print_row(table, out, indent, beside, &table->cells[i]);
    }
}
