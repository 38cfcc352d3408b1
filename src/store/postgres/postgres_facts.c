// SPDX-License-Identifier: MIT
#include "store/postgres/postgres_facts.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/postgres/postgres_question.h"

// A person waits for what a command reads, and history may be long. In ms.
#define READING "600000"
// For the word of another server.
#define SYSTEM_MOST DURATION_S(3)

// Of three limits the lowest one counts, in what is left and when nobody has any.
static const char facts_sql[] =
    "select current_setting('server_version'), current_setting('fsync')::bool,"
    " (select value::int from ironcron.meta where key = 'schema_version'),"
    " (select bool_and(has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert'))"
    "  from pg_class where relnamespace = 'ironcron'::regnamespace and relkind in ('r', 'p')),"
    " (select count(*) from ironcron.node where state = 'live' and node is distinct from $1)::int,"
    " most, reserved, least(most - reserved, role_most, database_most)::int,"
    " least(most - reserved"
    "       - (select count(*) from pg_stat_activity where backend_type = 'client backend'),"
    "     role_most - (select count(*) from pg_stat_activity where usename = current_user),"
    "     database_most"
    "       - (select count(*) from pg_stat_activity where datname = current_database()))::int,"
    " (select count(*) from pg_locks)::int,"
    " current_setting('max_locks_per_transaction')::int"
    "  * (most + current_setting('max_prepared_transactions')::int),"
    " (extract(epoch from clock_timestamp()) * 1000000)::bigint"
    " from (select current_setting('max_connections')::int most,"
    "        current_setting('superuser_reserved_connections')::int reserved,"
    "        nullif(r.rolconnlimit, -1) role_most, nullif(d.datconnlimit, -1) database_most"
    "       from pg_roles r, pg_database d"
    "       where r.rolname = current_user and d.datname = current_database()) limits";

struct look {
    struct clock *clock;
    struct instant before; // our clock, when the question was sent
    struct postgres_facts *facts;
};

// The server read its clock between our two looks at ours.
static struct duration skew_of(const struct look *look, int64_t server_us)
{
    int64_t passed = instant_since(clock_now(look->clock), look->before).us;
    return DURATION_US(server_us - look->before.us - passed / 2);
}

static bool take_facts(const PGresult *row, const void *reader)
{
    const struct look *look = reader;
    struct postgres_facts *facts = look->facts;
    snprintf(facts->server, sizeof facts->server, "PostgreSQL %.40s", field_text(row, 0, 0));
    facts->is_fsync = field_bool(row, 0, 1);
    facts->schema = (int)field_int(row, 0, 2);
    facts->may_write = field_bool(row, 0, 3);
    facts->nodes = (int)field_int(row, 0, 4);
    facts->connections_setting = (int)field_int(row, 0, 5);
    facts->connections_reserved = (int)field_int(row, 0, 6);
    facts->connections_most = (int)field_int(row, 0, 7);
    facts->connections_left = (int)field_int(row, 0, 8);
    facts->locks = (int)field_int(row, 0, 9);
    facts->locks_most = (int)field_int(row, 0, 10);
    facts->skew = skew_of(look, field_int(row, 0, 11));
    return true;
}

bool postgres_facts_read(struct store *store, struct clock *clock, struct uuid own,
                         struct postgres_facts *facts_out, struct error *err)
{
    struct instant now;
    if (!postgres_store_greet(store, &now, err)) { // connects, which is not to count as skew
        return false;
    }
    AUTO(question_release) struct question question;
    struct look look = {.clock = clock, .before = clock_now(clock), .facts = facts_out};
    question_init(&question, facts_sql);
    put_uuid(&question.parameters, own);
    return question_each(&question, store, take_facts, &look, err);
}

static bool take_room(const PGresult *row, const void *reader)
{
    (void)row;
    (void)reader;
    return true;
}

bool postgres_facts_room(struct store *store, int max_running, struct uuid own, struct error *err)
{
    AUTO(question_release) struct question question;
    question_init(&question, "select ironcron.check_room($1, $2)");
    put_int(&question.parameters, max_running);
    put_uuid(&question.parameters, own);
    return question_each(&question, store, take_room, NULL, err);
}

// ---- where a URL leads to -----------------------------------------------------------------------

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
    while (options != NULL && options->keyword != NULL) {
        if (strcmp(options->keyword, keyword) == 0) {
            return options->val != NULL ? options->val : "";
        }
        options++;
    }
    return "";
}

static bool same_option(const PQconninfoOption *a, const PQconninfoOption *b, const char *keyword,
                        const char *otherwise)
{
    const char *first = option_of(a, keyword);
    const char *second = option_of(b, keyword);
    return strcmp(*first != '\0' ? first : otherwise, *second != '\0' ? second : otherwise) == 0;
}

bool postgres_facts_same_server(const char *url, const char *other)
{
    PQconninfoOption *a = PQconninfoParse(url, NULL);
    PQconninfoOption *b = PQconninfoParse(other, NULL);
    bool same = a != NULL && b != NULL && same_option(a, b, "host", "") &&
                same_option(a, b, "hostaddr", "") && same_option(a, b, "port", "5432");
    PQconninfoFree(a);
    PQconninfoFree(b);
    return same;
}

// Waits for what libpq waits for. False: the time is over.
static bool wait_on(PGconn *connection, bool writes, struct clock *clock, struct mono until)
{
    struct pollfd fd = {.fd = PQsocket(connection), .events = (short)(writes ? POLLOUT : POLLIN)};
    int64_t left = duration_ms(mono_since(until, clock_mono(clock)));
    return left > 0 && poll(&fd, 1, (int)left) > 0;
}

static bool connect_until(PGconn *connection, struct clock *clock, struct mono until)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (PQstatus(connection) != CONNECTION_BAD && state != PGRES_POLLING_OK &&
           state != PGRES_POLLING_FAILED) {
        if (!wait_on(connection, state == PGRES_POLLING_WRITING, clock, until)) {
            return false;
        }
        state = PQconnectPoll(connection);
    }
    return PQstatus(connection) == CONNECTION_OK;
}

bool postgres_facts_system(const char *url, struct clock *clock, char out[POSTGRES_SYSTEM_SIZE])
{
    static const char *const keys[] = {"dbname", "application_name", NULL};
    const char *const values[] = {url, "ironcron/validate", NULL};
    struct mono until = mono_add(clock_mono(clock), SYSTEM_MOST);
    PGconn *connection = PQconnectStartParams(keys, values, 1);
    PGresult *result = NULL;
    if (connect_until(connection, clock, until) &&
        PQsendQuery(connection, "select system_identifier from pg_control_system()") == 1) {
        while (PQisBusy(connection) && wait_on(connection, false, clock, until) &&
               PQconsumeInput(connection) == 1) {
        }
        result = PQisBusy(connection) ? NULL : PQgetResult(connection);
    }
    bool tells = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    snprintf(out, POSTGRES_SYSTEM_SIZE, "%s", tells ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(connection);
    return tells;
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
