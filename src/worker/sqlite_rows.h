// SPDX-License-Identifier: MIT
// What a statement returned or changed: counted, and printed for people.
#pragma once

#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>

#include "statement/result_table.h"

struct sqlite_rows {
    sqlite3 *db;
    sqlite3_stmt *stmt;
    struct result_table table;
    int64_t changes_before; // all that the connection had changed
};

void sqlite_rows_init(struct sqlite_rows *rows, sqlite3 *db, sqlite3_stmt *stmt);
void sqlite_rows_release(struct sqlite_rows *rows);
void sqlite_rows_add(struct sqlite_rows *rows); // the row that the statement is at
// When it is done. Returns how many rows it changed, or else returned.
int64_t sqlite_rows_print(struct sqlite_rows *rows, FILE *out);
