// SPDX-License-Identifier: MIT
// Brings the schema forward: each step once, in a transaction of its own, one program at a time.
#include "store/postgres/postgres_schema.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIGRATE_LOCK "select pg_advisory_xact_lock(1768124270, 0)"

// A right that is missing is nothing that time mends: somebody has to grant it.
static bool explain(const PGconn *connection, const PGresult *result, struct error *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    if (state != NULL && strcmp(state, "42501") == 0) {
        const char *user = PQuser(connection);
        const char *database = PQdb(connection);
        return error_set(
            err, ERROR_REFUSED,
            "user %s may not make the store's tables (%s), nothing was changed: run "
            "this as the owner of schema ironcron, or, where there is none yet, as the "
            "owner of database %s, who may also `grant create on database \"%s\" to "
            "\"%s\"`",
            user, message, database, database, user);
    }
    return error_set(err, ERROR_STORE,
                     "making the store's tables failed: %s%s%s; nothing was changed",
                     message == NULL ? "the connection broke off" : message,
                     hint == NULL ? "" : ": ", hint == NULL ? "" : hint);
}

static bool run(PGconn *connection, const char *sql, struct error *err)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    bool good =
        status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || explain(connection, result, err);
    PQclear(result);
    return good;
}

// schema_version, or schema_oldest; 0 when there is no schema yet.
static bool version_of(PGconn *connection, const char *key, int *version_out, struct error *err)
{
    PGresult *there = PQexec(connection, "select to_regclass('ironcron.meta') is not null");
    // A schema that is another role's must not be looked into at all.
    bool told = PQresultStatus(there) == PGRES_TUPLES_OK || explain(connection, there, err);
    bool exists = told && PQgetvalue(there, 0, 0)[0] == 't';
    PQclear(there);
    *version_out = 0;
    if (!exists) {
        return told;
    }
    char sql[96];
    snprintf(sql, sizeof sql, "select value::int from ironcron.meta where key = '%s'", key);
    PGresult *result = PQexec(connection, sql);
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    *version_out = good ? (int)strtol(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    return good || error_set(err, ERROR_STORE,
                             "schema ironcron is there, but its version cannot be read: does "
                             "another program own it?");
}

static bool apply(PGconn *connection, const struct postgres_migration *migration, struct error *err)
{
    char note[160];
    for (const char *const *text = migration->texts; *text != NULL; text++) {
        if (!run(connection, *text, err)) {
            return false;
        }
    }
    snprintf(note, sizeof note,
             "select ironcron.meta_put('schema_version', '%d'),"
             " ironcron.meta_put('schema_oldest', '%d')",
             migration->version, migration->oldest);
    return run(connection, note, err);
}

static bool refuse_newer(int found, int known, struct error *err)
{
    return error_set(err, ERROR_VERSION,
                     "the store has version %d, this ironcron (%s) knows version %d at most: use "
                     "the newer ironcron that made it",
                     found, IRONCRON_VERSION, known);
}

// One step in one transaction: others may be at it too. *more_out: there is another one to take.
static bool migrate(PGconn *connection, const struct postgres_migration *steps, size_t count,
                    int *from_out, bool *more_out, struct error *err)
{
    if (!run(connection, "begin", err) || !run(connection, MIGRATE_LOCK, err) ||
        !version_of(connection, "schema_version", from_out, err)) {
        return false;
    }
    if (*from_out > steps[count - 1].version) {
        return refuse_newer(*from_out, steps[count - 1].version, err);
    }
    size_t next = 0;
    while (next < count && steps[next].version <= *from_out) {
        next++;
    }
    *more_out = next + 1 < count;
    return (next == count || apply(connection, &steps[next], err)) &&
           run(connection, "commit", err);
}

static bool migrate_all(PGconn *connection, const struct postgres_migration *steps, size_t count,
                        int *from_out, struct error *err)
{
    int ignored = 0;
    bool more = false;
    bool good = migrate(connection, steps, count, from_out, &more, err);
    while (good && more) {
        good = migrate(connection, steps, count, &ignored, &more, err);
    }
    return good;
}

static bool connect_to(const char *url, PGconn **connection_out, struct error *err)
{
    const char *const keys[] = {"dbname", "application_name", "connect_timeout", NULL};
    const char *const values[] = {url, "ironcron migrate", "10", NULL};
    PGconn *connection = *connection_out = PQconnectdbParams(keys, values, 1);
    if (PQstatus(connection) != CONNECTION_OK) {
        char what[300];
        const char *message = PQerrorMessage(connection);
        snprintf(what, sizeof what, "%.*s", (int)strcspn(message, "\n"), message);
        return error_set(err, ERROR_UNAVAILABLE, "the store cannot be reached: %s", what);
    }
    return run(connection, "set client_min_messages = warning", err);
}

bool postgres_migrate_by(const char *url, const struct postgres_migration *steps, size_t count,
                         int *from_out, struct error *err)
{
    PGconn *connection = NULL;
    bool good =
        connect_to(url, &connection, err) && migrate_all(connection, steps, count, from_out, err);
    PQfinish(connection);
    return good;
}

bool postgres_store_look(const char *url, int *version_out, int *oldest_out, struct error *err)
{
    PGconn *connection = NULL;
    bool good = connect_to(url, &connection, err) &&
                version_of(connection, "schema_version", version_out, err) &&
                version_of(connection, "schema_oldest", oldest_out, err);
    PQfinish(connection);
    return good;
}
