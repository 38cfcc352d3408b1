// SPDX-License-Identifier: MIT
// The SQL text of a job: finds the $names of facts and params outside of literals, quoted names
// and comments, as the database itself reads the text, and tells whether it is one statement.
// Pure: no database is asked.
//
// The facts are $due_at (timestamptz), $run_id (uuid) and $fence (bigint). PostgreSQL gets them as
// $1…$n with the fact's type as a cast, so that typing never depends on the place; params stay
// untyped, the server infers. SQLite gets the text as written and binds by name.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum statement_dialect { STATEMENT_POSTGRESQL, STATEMENT_SQLITE };

struct statement_site { // where a $name was replaced; offsets in bytes
    size_t source, source_length;
    size_t text, text_length;
};

struct statement {
    char *text;         // what the database gets
    char *source;       // what was written
    const char **names; // name of parameter i + 1, without the $; facts, or borrowed from params
    size_t name_count;
    bool is_single; // one statement; false: several, and then without names
    struct statement_site *sites;
    size_t site_count;
};

struct statement_place { // as people count, from 1; columns in characters
    size_t line, column;
};

// `params`: names of the declared params besides the facts, NULL ends; NULL = none. Refused, with
// "line L, column C: …": an unknown name (the nearest valid one is offered), numbered parameters
// and what else the dialect would take for one, names among several statements, what is not
// closed, a text without any statement.
bool statement_parse(const char *text, enum statement_dialect dialect, const char *const *params,
                     struct statement *statement_out, struct error *err) MUST_USE;
void statement_release(struct statement *statement);

// Where in the source a place of the text that the database got is. Positions from 0: SQLite counts
// bytes (sqlite3_error_offset), PostgreSQL characters (and from 1).
struct statement_place statement_place_of_byte(const struct statement *statement, size_t byte);
struct statement_place statement_place_of_character(const struct statement *statement,
                                                    size_t character);
