// SPDX-License-Identifier: MIT
// Rows that a statement returned, as text for people: as psql shows them, one line a row. Bounded:
// only the first rows are kept, long values are cut, what is left out is counted.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define RESULT_ROWS_MAX  100          // kept, and shown
#define RESULT_BYTES_MAX (256 * 1024) // of their values
#define RESULT_CELL_MAX  200          // characters of one value

struct result_table {
    char **names;
    size_t columns;
    char **cells; // row by row
    size_t count, capacity;
    size_t bytes;
    size_t *widths; // in characters
    bool *has_text; // not only numbers: aligned to the left
    int64_t rows;   // also those that were not kept
    size_t in_row;  // cells of the present row so far
    bool is_full;
};

void result_table_init(struct result_table *table, size_t columns);
void result_table_release(struct result_table *table);
// Once for each column, in order, before the first cell.
void result_table_name(struct result_table *table, size_t column, const char *name);
// One value after another, row by row. NULL is shown as nothing; control bytes and what is no UTF-8
// are escaped.
void result_table_cell(struct result_table *table, const char *text, size_t length, bool is_number);
// Whether the next cell would be kept: saves the caller the making of it.
bool result_table_keeps(const struct result_table *table);
void result_table_skip_row(struct result_table *table); // counts a row that is not kept
void result_table_print(const struct result_table *table, struct buf *out);
