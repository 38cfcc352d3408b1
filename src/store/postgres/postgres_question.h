// SPDX-License-Identifier: MIT
// One-off queries for the port's reading: rows come one by one on a connection of their own, so
// that a million of them take no memory.
#pragma once

#include "store/postgres/postgres_private.h"

struct question { // released with AUTO(question_release)
    struct buf sql;
    struct parameters parameters;
    const char *joint; // " where ", then " and "
};
void question_init(struct question *question, const char *sql);
void question_release(struct question *question);
// The parameter was put: its number stands between the two texts.
void question_where(struct question *question, const char *before, const char *after);
void question_range(struct question *question, const char *column, int64_t from,
                    int64_t before); // 0 = any
void question_span(struct question *question, const char *column, struct instant since,
                   struct instant until);
void question_limit(struct question *question, size_t limit); // 0 = none
// Goes through the rows; `give` returns false when its reader wants no more.
typedef bool give_fn(const PGresult *row, const void *reader);
bool question_each(struct question *question, struct store *port, give_fn *give, const void *reader,
                   struct error *err) MUST_USE;
