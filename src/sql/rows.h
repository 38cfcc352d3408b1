// SPDX-License-Identifier: MIT
// What a statement returned, as a table that people can read: the first rows, the others counted.
#pragma once

#include <libpq-fe.h>
#include <stdint.h>

#include "base/buf.h"

#define ROWS_SHOWN_MAX 100
#define ROWS_BYTES_MAX ((size_t)256 * 1024) // of the rows that are kept
#define ROWS_CELL_MAX  200                  // bytes shown of one value

struct rows {
    PGresult *kept[ROWS_SHOWN_MAX]; // one row each
    size_t kept_count;
    size_t bytes;
    int64_t count;
};

// Takes over a result with one row (PGRES_SINGLE_TUPLE).
void rows_add(struct rows *rows, PGresult *result);
// Prints the table and forgets it. `shape`: a result that has the columns, for when no row came.
void rows_flush(struct rows *rows, const PGresult *shape, struct buf *out);
void rows_release(struct rows *rows);
