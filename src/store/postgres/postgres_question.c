// SPDX-License-Identifier: MIT
#include "store/postgres/postgres_question.h"

#include <poll.h>
#include <stdio.h>

void question_init(struct question *question, const char *sql)
{
    buf_init(&question->sql, 16384);
    buf_add_string(&question->sql, sql);
    parameters_init(&question->parameters);
    question->joint = " where ";
}

void question_release(struct question *question)
{
    buf_release(&question->sql);
    parameters_release(&question->parameters);
}

void question_where(struct question *question, const char *before, const char *after)
{
    buf_printf(&question->sql, "%s%s$%d%s", question->joint, before, question->parameters.count,
               after);
    question->joint = " and ";
}

void question_span(struct question *question, const char *column, struct instant since,
                   struct instant until)
{
    char condition[64];
    if (operation_has(since)) {
        put_instant(&question->parameters, since);
        snprintf(condition, sizeof condition, "%s >= ", column);
        question_where(question, condition, "::bigint");
    }
    if (operation_has(until)) {
        put_instant(&question->parameters, until);
        snprintf(condition, sizeof condition, "%s < ", column);
        question_where(question, condition, "::bigint");
    }
}

void question_range(struct question *question, const char *column, int64_t from, int64_t before)
{
    char condition[64];
    if (from > 0) {
        snprintf(condition, sizeof condition, "%s >= %lld", column, (long long)from);
        buf_printf(&question->sql, "%s%s", question->joint, condition);
        question->joint = " and ";
    }
    if (before > 0) {
        snprintf(condition, sizeof condition, "%s < %lld", column, (long long)before);
        buf_printf(&question->sql, "%s%s", question->joint, condition);
        question->joint = " and ";
    }
}

// Until libpq has an answer, or the time for it is over: then the connection is given up.
static bool wait_for_row(struct postgres_store *store, struct mono until, struct error *err)
{
    while (store->reading_most.us > 0 && PQisBusy(store->reader)) {
        struct pollfd fd = {.fd = PQsocket(store->reader), .events = POLLIN};
        int64_t left = duration_ms(mono_since(until, clock_mono(store->options.clock)));
        if (left <= 0) {
            PQfinish(store->reader);
            store->reader = NULL;
            return error_set(err, ERROR_UNAVAILABLE, "the store did not answer within %lld ms",
                             (long long)duration_ms(store->reading_most));
        }
        if (poll(&fd, 1, (int)left) > 0 && PQconsumeInput(store->reader) == 0) {
            return true; // it is lost, which the next answer says
        }
    }
    return true;
}

void postgres_store_bound_reading(struct store *port, struct duration most)
{
    postgres_of(port)->reading_most = most;
}

static bool read_rows(struct postgres_store *store, give_fn *give, const void *reader,
                      struct error *err)
{
    bool good = true;
    bool wanted = true;
    struct mono until = mono_add(clock_mono(store->options.clock), store->reading_most);
    while (true) {
        if (!wait_for_row(store, until, err)) {
            return false;
        }
        PGresult *result = PQgetResult(store->reader);
        if (result == NULL) {
            return good;
        }
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_SINGLE_TUPLE && wanted) {
            wanted = give(result, reader);
            if (!wanted) { // the rest is not even to be sent
                char ignored[256];
                PGcancel *cancel = PQgetCancel(store->reader);
                (void)PQcancel(cancel, ignored, sizeof ignored);
                PQfreeCancel(cancel);
            }
        } else if (status == PGRES_FATAL_ERROR && wanted) {
            link_explain(store, result, err);
            good = false;
        }
        PQclear(result);
    }
}

bool question_each(struct question *question, struct store *port, give_fn *give, const void *reader,
                   struct error *err)
{
    struct postgres_store *store = postgres_of(port);
    if (!link_reader(store, err)) {
        return false;
    }
    const struct parameters *parameters = &question->parameters;
    const char *values[PARAMETERS_MAX];
    for (int i = 0; i < parameters->count; i++) {
        values[i] =
            parameters->at[i] == SIZE_MAX ? NULL : parameters->text.data + parameters->at[i];
    }
    if (PQsendQueryParams(store->reader, buf_string(&question->sql), parameters->count, NULL,
                          values, NULL, NULL, 0) == 0 ||
        PQsetSingleRowMode(store->reader) == 0) {
        return error_set(err, ERROR_UNAVAILABLE, "the store closed the connection; try again");
    }
    return read_rows(store, give, reader, err);
}

void question_limit(struct question *question, size_t limit)
{
    if (limit > 0) {
        buf_printf(&question->sql, " limit %zu", limit);
    }
}

// ---- one moment ---------------------------------------------------------------------------------

static bool command(struct postgres_store *store, const char *sql, struct error *err)
{
    PGresult *result = PQexec(store->reader, sql);
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!done) {
        link_explain(store, result, err);
    }
    PQclear(result);
    return done;
}

bool postgres_reading_begins(struct store *port, struct error *err)
{
    struct postgres_store *store = postgres_of(port);
    // A check goes through everything, however long that takes.
    return link_reader(store, err) &&
           command(store,
                   "begin isolation level repeatable read read only;"
                   " set local statement_timeout = 0;"
                   " set local idle_in_transaction_session_timeout = '10min'",
                   err);
}

void postgres_reading_ends(struct store *port)
{
    struct postgres_store *store = postgres_of(port);
    struct error ignored = ERROR_INIT;
    if (store->reader != NULL && PQtransactionStatus(store->reader) != PQTRANS_IDLE) {
        (void)command(store, "rollback", &ignored);
    }
}
