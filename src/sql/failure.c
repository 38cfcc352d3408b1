// SPDX-License-Identifier: MIT
#include "sql/failure.h"

#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

// https://www.postgresql.org/docs/15/errcodes-appendix.html; the first that fits.
static const struct {
    const char *prefix;
    const char *remedy;
} remedies[] = {
    {"25006", "the database is read-only: a standby, or default_transaction_read_only; name the "
              "primary in the url, or wait until it accepts writes again"},
    {"25001", "it cannot run inside a transaction: set transaction: false"},
    {"2D000", "it ends transactions itself: set transaction: false"},
    {"28P01", "check the user and password in the url"},
    {"28000", "check the user in the url, and pg_hba.conf on the server"},
    {"3D000", "was the database renamed or dropped? correct the url"},
    {"42501", "grant the rights to the role, or run as another one (role)"},
    {"42601", "correct the statement"},
    {"53100", "the server's disk is full: free space, then the next run succeeds"},
    {"53200", "the server is out of memory"},
    {"53300", "the server has no connection left: lower \"connections\", or raise its "
              "max_connections"},
    {"55P03", "something else holds the lock: see pg_locks"},
    {"40001", "it collided with another transaction: give the job retries"},
    {"40P01", "it collided with another transaction: give the job retries"},
    {"57P03", "the server is starting, stopping or recovering: give the job retries"},
};

const char *failure_remedy(const char *sqlstate)
{
    for (size_t i = 0; sqlstate != NULL && i < ARRAY_LENGTH(remedies); i++) {
        if (strcmp(sqlstate, remedies[i].prefix) == 0) {
            return remedies[i].remedy;
        }
    }
    return NULL;
}

static void add_place(const PGresult *result, const struct statement *statement, struct buf *out)
{
    const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    long at = position == NULL ? 0 : strtol(position, NULL, 10);
    if (statement != NULL && at > 0) {
        struct statement_place place = statement_place_of_character(statement, (size_t)at - 1);
        buf_printf(out, " (line %zu, column %zu)", place.line, place.column);
    }
}

static void add_field(const PGresult *result, int field, const char *before, struct buf *out)
{
    const char *text = PQresultErrorField(result, field);
    if (text != NULL) {
        buf_printf(out, "%s%s", before, text);
    }
}

void failure_describe(const PGresult *result, const struct statement *statement, struct buf *out)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (message == NULL) {
        buf_add_string(out, PQresultErrorMessage(result)); // libpq's own
        return;
    }
    buf_printf(out, "%s%s%s", sqlstate == NULL ? "" : sqlstate, sqlstate == NULL ? "" : ": ",
               message);
    add_place(result, statement, out);
    add_field(result, PG_DIAG_MESSAGE_DETAIL, "; ", out);
    add_field(result, PG_DIAG_MESSAGE_HINT, "; hint: ", out);
    const char *remedy = failure_remedy(sqlstate);
    if (remedy != NULL) {
        buf_printf(out, "; %s", remedy);
    }
}

void failure_notice(const PGresult *notice, struct buf *out)
{
    add_field(notice, PG_DIAG_SEVERITY, "", out);
    add_field(notice, PG_DIAG_MESSAGE_PRIMARY, ":  ", out);
    add_field(notice, PG_DIAG_MESSAGE_DETAIL, "\nDETAIL:  ", out);
    add_field(notice, PG_DIAG_MESSAGE_HINT, "\nHINT:  ", out);
    buf_add_char(out, '\n');
}
