// SPDX-License-Identifier: MIT
// Semicolons that do not end a statement: within parentheses (CREATE RULE), within the body of
// CREATE FUNCTION … BEGIN ATOMIC … END (PostgreSQL) and of CREATE TRIGGER … BEGIN … END (SQLite).
// The rules are those of psql and of sqlite3_complete.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "statement/statement.h"

struct body {
    enum statement_dialect dialect;
    int parentheses;
    int blocks;     // BEGIN and CASE that are open
    int words;      // of the statement so far
    bool is_create; // its first word
    bool has_body;  // it creates what may have a body
};

// One word, or one byte of what is no word, of a statement that is not at its end.
void body_word(struct body *body, const char *word, size_t length);
void body_other(struct body *body, char c);
bool body_is_open(const struct body *body); // a semicolon here ends nothing
