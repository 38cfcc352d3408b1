// SPDX-License-Identifier: MIT
// What pg_cron's tables hold. Columns that came with later versions of it may be missing.
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "import/pg_cron.h"

#define ARENA_MAX ((size_t)256 * 1024 * 1024)

static const char jobs_sql[] =
    "select j.jobid, to_jsonb(j)->>'jobname', j.schedule, j.command, j.nodename, j.nodeport,"
    " j.database, j.username, coalesce(to_jsonb(j)->>'active', 'true'),"
    " case when exists (select from pg_catalog.pg_roles where rolname = j.username)"
    " then pg_catalog.pg_has_role(current_user, j.username, 'MEMBER') else false end"
    " from cron.job j order by j.jobid";

#define STAMP(what) "to_char(" what " at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

static const char runs_sql[] =
    "select jobid, count(*), count(*) filter (where status = 'failed'), " STAMP(
        "min(start_time)") ", " STAMP("max(start_time)") ", (array_agg(status order by runid "
                                                         "desc))[1],"
                                                         " coalesce(ceil(extract(epoch from "
                                                         "max(end_time - start_time))), 0)::bigint"
                                                         " from cron.job_run_details group by "
                                                         "jobid order by jobid";

// pg_settings leaves out what this user may not see.
#define SETTING(name) "(select nullif(setting, '') from pg_settings where name = '" name "')"

static const char facts_sql[] = "select coalesce(" SETTING("cron.timezone") ", 'GMT'), " SETTING(
    "cron.max_running_jobs") ","
                             " (select rolsuper or rolbypassrls from pg_catalog.pg_roles where "
                             "rolname = current_user),"
                             " to_regclass('cron.job') is not null, "
                             "to_regclass('cron.job_run_details') is not null";

static bool fail(PGconn *connection, enum error_code code, const char *what, struct error *err)
{
    const char *message = PQerrorMessage(connection);
    return error_set(err, code, "%s: %.*s", what, (int)strcspn(message, "\n"), message);
}

static PGresult *ask(PGconn *connection, const char *sql, struct error *err)
{
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        return result;
    }
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool is_denied = state != NULL && strcmp(state, "42501") == 0;
    (void)fail(connection, is_denied ? ERROR_DENIED : ERROR_STORE, "reading pg_cron's tables", err);
    if (is_denied) {
        (void)error_mend(err,
                         "name a user who may read schema cron: grant usage on schema cron to "
                         "%s; only a superuser sees the jobs of all users",
                         PQuser(connection));
    }
    PQclear(result);
    return NULL;
}

static const char *text_at(struct pg_cron *source, const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column)
               ? NULL
               : arena_string(&source->arena, PQgetvalue(result, row, column));
}

static int64_t number_at(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

static bool truth_at(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

// ---- the connection -----------------------------------------------------------------------------

static void add_encoded(struct buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool plain = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/",
                            *c) != NULL;
        buf_printf(out, plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
}

static void add_option(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%c%s=", out->length == 0 ? '?' : '&', name);
    add_encoded(out, value);
}

// All that was given but where it leads to, and secrets.
static void keep_options(struct pg_cron *source, const PQconninfoOption *given)
{
    static const char *const left_out[] = {
        "user",        "password",         "host",     "hostaddr",       "port", "dbname",
        "sslpassword", "application_name", "passfile", "client_encoding"};
    AUTO(buf_release) struct buf out;
    buf_init(&out, 65536);
    for (; given->keyword != NULL; given++) {
        bool skip = given->val == NULL || given->val[0] == '\0';
        for (size_t i = 0; i < ARRAY_LENGTH(left_out); i++) {
            skip = skip || strcmp(given->keyword, left_out[i]) == 0;
        }
        if (!skip) {
            add_option(&out, given->keyword, given->val);
        }
    }
    source->options = arena_string(&source->arena, buf_string(&out));
}

static void keep_connection(struct pg_cron *source, PGconn *connection)
{
    source->user = arena_string(&source->arena, PQuser(connection));
    source->host = arena_string(&source->arena, PQhost(connection));
    source->port = arena_string(&source->arena, PQport(connection));
    source->database = arena_string(&source->arena, PQdb(connection));
    source->has_password = PQconnectionUsedPassword(connection) != 0;
}

static PGconn *connect_to(const char *url, struct pg_cron *source, struct error *err)
{
    PQconninfoOption *given = PQconninfoParse(url, NULL); // its message would quote the password
    if (given == NULL) {
        (void)error_set(err, ERROR_USAGE,
                        "this is no URL that libpq understands: write "
                        "postgresql://USER@HOST:PORT/DATABASE");
        return NULL;
    }
    keep_options(source, given);
    PQconninfoFree(given);
    const char *const keys[] = {"connect_timeout", "dbname",           "options",
                                "client_encoding", "application_name", NULL};
    const char *const values[] = {
        "10", url, "-c statement_timeout=60s -c search_path=pg_catalog", "UTF8", "ironcron/import",
        NULL};
    PGconn *connection = PQconnectdbParams(keys, values, 1);
    if (PQstatus(connection) != CONNECTION_OK) {
        (void)fail(connection, ERROR_UNAVAILABLE, "the database cannot be reached", err);
        if (PQconnectionNeedsPassword(connection) != 0) {
            (void)error_mend(err, "give one in $PGPASSWORD or ~/.pgpass");
        } else {
            (void)error_mend(err, "is it up, and are host, port, user and database of the URL "
                                  "right?");
        }
        PQfinish(connection);
        return NULL;
    }
    keep_connection(source, connection);
    return connection;
}

// ---- the tables ---------------------------------------------------------------------------------

static void take_jobs(struct pg_cron *source, const PGresult *rows)
{
    source->count = (size_t)PQntuples(rows);
    source->jobs = arena_alloc(&source->arena, source->count + 1, sizeof *source->jobs);
    for (size_t i = 0; i < source->count; i++) {
        int row = (int)i;
        source->jobs[i] = (struct pg_cron_job){.id = number_at(rows, row, 0),
                                               .name = text_at(source, rows, row, 1),
                                               .schedule = text_at(source, rows, row, 2),
                                               .command = text_at(source, rows, row, 3),
                                               .host = text_at(source, rows, row, 4),
                                               .port = text_at(source, rows, row, 5),
                                               .database = text_at(source, rows, row, 6),
                                               .user = text_at(source, rows, row, 7),
                                               .is_active = truth_at(rows, row, 8),
                                               .may_be_user = truth_at(rows, row, 9)};
    }
}

// Both are in the order of the jobs' ids.
static void take_runs(struct pg_cron *source, const PGresult *rows)
{
    size_t at = 0;
    for (int row = 0; row < PQntuples(rows); row++) {
        int64_t id = number_at(rows, row, 0);
        while (at < source->count && source->jobs[at].id < id) {
            at++;
        }
        if (at == source->count || source->jobs[at].id != id) {
            continue; // of a job that is gone
        }
        struct pg_cron_job *job = &source->jobs[at];
        job->runs = number_at(rows, row, 1);
        job->failed = number_at(rows, row, 2);
        job->first = text_at(source, rows, row, 3);
        job->last = text_at(source, rows, row, 4);
        job->last_status = text_at(source, rows, row, 5);
        job->longest = number_at(rows, row, 6);
    }
}

static bool read_rows(PGconn *connection, struct pg_cron *source, bool has_runs, struct error *err)
{
    PGresult *jobs = ask(connection, jobs_sql, err);
    if (jobs == NULL) {
        return false;
    }
    take_jobs(source, jobs);
    PQclear(jobs);
    PGresult *runs = has_runs ? ask(connection, runs_sql, err) : NULL;
    if (has_runs && runs == NULL) {
        return false;
    }
    if (runs != NULL) {
        take_runs(source, runs);
    }
    PQclear(runs);
    return true;
}

static bool read_all(PGconn *connection, struct pg_cron *source, struct error *err)
{
    PGresult *facts = ask(connection, facts_sql, err);
    if (facts == NULL) {
        return false;
    }
    const char *timezone = PQgetvalue(facts, 0, 0);
    source->timezone =
        arena_string(&source->arena, strcmp(timezone, "GMT") == 0 ? "UTC" : timezone);
    source->max_running = text_at(source, facts, 0, 1);
    source->sees_all = truth_at(facts, 0, 2);
    bool has_jobs = truth_at(facts, 0, 3);
    bool has_runs = truth_at(facts, 0, 4);
    PQclear(facts);
    if (!has_jobs) {
        return error_set(err, ERROR_NOT_FOUND,
                         "database %s has no pg_cron that %s may see: name the database of "
                         "cron.database_name, and a user who may read schema cron",
                         source->database, source->user);
    }
    return read_rows(connection, source, has_runs, err);
}

bool pg_cron_read(const char *url, struct pg_cron *out, struct error *err)
{
    *out = (struct pg_cron){0};
    arena_init(&out->arena, ARENA_MAX);
    PGconn *connection = connect_to(url, out, err);
    if (connection == NULL) {
        return false;
    }
    bool good = read_all(connection, out, err);
    PQfinish(connection);
    return good;
}

void pg_cron_release(struct pg_cron *source)
{
    arena_release(&source->arena);
}
