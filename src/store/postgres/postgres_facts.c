// SPDX-License-Identifier: MIT
#include "store/postgres/postgres_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "store/postgres/postgres_question.h"

// A person waits for what a command reads, and history may be long. In ms.
#define READING "600000"
// Of locks that only try whether sessions are what they seem.
#define PROBE_LOCK 1768124275

static const char facts_sql[] =
    "select current_setting('server_version'), current_setting('server_version_num')::int,"
    " pg_is_in_recovery(), current_setting('default_transaction_read_only')::bool,"
    " has_database_privilege(current_database(), 'create'), current_setting('fsync')::bool,"
    " pg_backend_pid(),"
    " current_setting('max_connections')::int,"
    " least(current_setting('max_connections')::int"
    "       - current_setting('superuser_reserved_connections')::int"
    "       - (select count(*) from pg_stat_activity where backend_type = 'client backend'),"
    "     nullif(r.rolconnlimit, -1)"
    "       - (select count(*) from pg_stat_activity where usename = current_user),"
    "     nullif(d.datconnlimit, -1)"
    "       - (select count(*) from pg_stat_activity where datname = current_database()))::int,"
    " (select count(*) from pg_locks)::int,"
    " current_setting('max_locks_per_transaction')::int"
    " * (current_setting('max_connections')::int"
    "    + current_setting('max_prepared_transactions')::int),"
    " (extract(epoch from clock_timestamp()) * 1000000)::bigint,"
    " to_regclass('ironcron.meta') is not null"
    " from pg_roles r, pg_database d"
    " where r.rolname = current_user and d.datname = current_database()";

static const char schema_sql[] =
    "select (select value::int from ironcron.meta where key = 'schema_version'),"
    " (select value::int from ironcron.meta where key = 'schema_oldest'),"
    " (select bool_and(has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert'))"
    "  from pg_class where relnamespace = 'ironcron'::regnamespace and relkind in ('r', 'p'))";

// ---- a connection of our own --------------------------------------------------------------------

static PGconn *connect_to(const char *url, const char *application_name)
{
    const char *const keys[] = {"dbname",           "application_name", "connect_timeout",
                                "tcp_user_timeout", "client_encoding",  NULL};
    const char *const values[] = {url, application_name, "4", "5000", "UTF8", NULL};
    return PQconnectdbParams(keys, values, 1);
}

static bool complain_down(const PGconn *connection, struct error *err)
{
    const char *message = PQerrorMessage(connection);
    return error_set(err, ERROR_UNAVAILABLE, "the store cannot be reached: %.*s",
                     (int)strcspn(message, "\n"), message);
}

static bool complain(const PGresult *result, struct error *err)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    return error_set(err, ERROR_STORE, "the store's server answers: %s",
                     message == NULL ? "nothing, it closed the connection" : message);
}

// NULL with err unless it gave rows.
static PGresult *ask(PGconn *connection, const char *sql, struct error *err)
{
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0) {
        return result;
    }
    (void)complain(result, err);
    PQclear(result);
    return NULL;
}

// ---- sessions -----------------------------------------------------------------------------------

static bool takes_lock(PGconn *connection, unsigned key)
{
    char sql[96];
    struct error ignored = ERROR_INIT;
    snprintf(sql, sizeof sql, "select pg_try_advisory_lock(%d, %u)", PROBE_LOCK, key >> 1);
    PGresult *result = ask(connection, sql, &ignored);
    bool taken = result != NULL && field_bool(result, 0, 0);
    PQclear(result);
    return taken;
}

// Behind a proxy that gives each transaction another session, locks say nothing: both "sessions"
// may be one, or a session may lose what it has locked.
static bool loses_sessions(const char *url, const char *application_name, PGconn *connection)
{
    unsigned key = 0;
    PGconn *other = connect_to(url, application_name);
    bool known = getrandom(&key, sizeof key, 0) == sizeof key && PQstatus(other) == CONNECTION_OK;
    bool loses = known && takes_lock(connection, key) && takes_lock(other, key);
    PQfinish(other);
    return loses;
}

// ---- facts --------------------------------------------------------------------------------------

static void take_facts(struct postgres_facts *facts, const PGresult *row, struct instant here)
{
    snprintf(facts->server, sizeof facts->server, "PostgreSQL %.40s", field_text(row, 0, 0));
    facts->server_major = (int)field_int(row, 0, 1) / 10000;
    facts->is_standby = field_bool(row, 0, 2);
    facts->is_read_only = field_bool(row, 0, 3);
    facts->may_create = field_bool(row, 0, 4);
    facts->is_fsync = field_bool(row, 0, 5);
    facts->connections_most = (int)field_int(row, 0, 7);
    facts->connections_left = (int)field_int(row, 0, 8);
    facts->locks = (int)field_int(row, 0, 9);
    facts->locks_most = (int)field_int(row, 0, 10);
    facts->skew = (struct duration){field_int(row, 0, 11) - here.us};
    facts->may_write = true;
}

static bool read_schema(PGconn *connection, struct postgres_facts *facts, struct error *err)
{
    PGresult *row = ask(connection, schema_sql, err);
    if (row == NULL) {
        return false;
    }
    facts->schema = (int)field_int(row, 0, 0);
    facts->schema_oldest = (int)field_int(row, 0, 1);
    facts->may_write = field_bool(row, 0, 2);
    PQclear(row);
    return true;
}

// The server read its clock between our two looks at ours.
static struct instant middle(struct instant before, struct instant after)
{
    return (struct instant){before.us + (after.us - before.us) / 2};
}

static bool read_facts(PGconn *connection, struct clock *clock, struct postgres_facts *facts,
                       struct error *err)
{
    struct instant before = clock_now(clock);
    PGresult *row = ask(connection, facts_sql, err);
    if (row == NULL) {
        return false;
    }
    take_facts(facts, row, middle(before, clock_now(clock)));
    facts->has_proxy = field_int(row, 0, 6) != PQbackendPID(connection);
    bool is_made = field_bool(row, 0, 12);
    PQclear(row);
    return !is_made || read_schema(connection, facts, err);
}

bool postgres_facts_read(const char *url, const char *application_name, struct clock *clock,
                         struct postgres_facts *facts_out, struct error *err)
{
    struct postgres_facts facts = {0};
    PGconn *connection = connect_to(url, application_name);
    bool read = PQstatus(connection) == CONNECTION_OK ? read_facts(connection, clock, &facts, err)
                                                      : complain_down(connection, err);
    if (read && !facts.is_standby) {
        facts.loses_sessions = loses_sessions(url, application_name, connection);
    }
    PQfinish(connection);
    if (read) {
        *facts_out = facts;
    }
    return read;
}

// ---- an open store ------------------------------------------------------------------------------

static bool take_now(const PGresult *row, const void *reader)
{
    **(struct instant *const *)reader = field_instant(row, 0, 0);
    return true;
}

bool postgres_store_greet(struct store *store, struct instant *now_out, struct error *err)
{
    AUTO(question_release) struct question question;
    question_init(&question, "select (extract(epoch from clock_timestamp()) * 1000)::bigint,"
                             " set_config('statement_timeout', '" READING "', false)");
    return question_each(&question, store, take_now, &now_out, err);
}
