// SPDX-License-Identifier: MIT
// The schema and its migrations: each version's tables once, its functions and views.
#include "store/postgres/postgres_store.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/postgres/postgres_schema_text.h"

#define MIGRATE_LOCK "select pg_advisory_xact_lock(1768124270, 0)"

static const struct {
    int version;
    const char *text;
} migrations[] = {{1, schema_1_sql}};

int postgres_store_version(void)
{
    return migrations[ARRAY_LENGTH(migrations) - 1].version;
}

static bool run(PGconn *connection, const char *sql, struct error *err)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!good) {
        const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
        error_set(err, ERROR_STORE, "making the store's tables failed: %s%s%s; nothing was changed",
                  message == NULL ? "the connection broke off" : message, hint == NULL ? "" : ": ",
                  hint == NULL ? "" : hint);
    }
    PQclear(result);
    return good;
}

// 0 when there is no schema yet.
static bool version_of(PGconn *connection, int *version_out, struct error *err)
{
    PGresult *there = PQexec(connection, "select to_regclass('ironcron.meta') is not null");
    bool exists = PQresultStatus(there) == PGRES_TUPLES_OK && PQgetvalue(there, 0, 0)[0] == 't';
    PQclear(there);
    *version_out = 0;
    if (!exists) {
        return true;
    }
    PGresult *result =
        PQexec(connection, "select value::int from ironcron.meta where key = 'version'");
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    *version_out = good ? (int)strtol(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    return good || error_set(err, ERROR_STORE,
                             "schema ironcron is there, but its version cannot be read: does "
                             "another program own it?");
}

static bool apply(PGconn *connection, int from, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(migrations); i++) {
        if (migrations[i].version > from && !run(connection, migrations[i].text, err)) {
            return false;
        }
    }
    char note[128];
    snprintf(note, sizeof note, "select ironcron.meta_put('version', '%d')",
             postgres_store_version());
    return run(connection, functions_nodes_1_sql, err) &&
           run(connection, functions_slots_1_sql, err) &&
           run(connection, functions_audit_1_sql, err) && run(connection, views_1_sql, err) &&
           run(connection, note, err);
}

static bool migrate(PGconn *connection, int *from_out, struct error *err)
{
    if (!run(connection, "begin", err) || !run(connection, MIGRATE_LOCK, err) ||
        !version_of(connection, from_out, err)) {
        return false;
    }
    if (*from_out > postgres_store_version()) {
        return error_set(err, ERROR_VERSION,
                         "the store has version %d, this ironcron (%s) knows version %d at most: "
                         "use the newer ironcron that made it",
                         *from_out, IRONCRON_VERSION, postgres_store_version());
    }
    return (*from_out == postgres_store_version() || apply(connection, *from_out, err)) &&
           run(connection, "commit", err);
}

bool postgres_store_migrate(const char *url, int *from_out, struct error *err)
{
    const char *const keys[] = {"dbname", "application_name", "connect_timeout", NULL};
    const char *const values[] = {url, "ironcron migrate", "10", NULL};
    PGconn *connection = PQconnectdbParams(keys, values, 1);
    bool good = PQstatus(connection) == CONNECTION_OK;
    if (!good) {
        char what[300];
        const char *message = PQerrorMessage(connection);
        snprintf(what, sizeof what, "%.*s", (int)strcspn(message, "\n"), message);
        error_set(err, ERROR_UNAVAILABLE, "the store cannot be reached: %s", what);
    }
    good = good && run(connection, "set client_min_messages = warning", err) &&
           migrate(connection, from_out, err);
    PQfinish(connection);
    return good;
}
