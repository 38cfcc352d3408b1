// SPDX-License-Identifier: MIT
// What a connection must be before anything is sent on it: the primary of the same database as
// before, with tables that this program knows, and a session of its own. Then it takes the node's
// locks. Question after question; nothing here waits.
#include "store/postgres/postgres_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define POSTGRES_VERSION_MIN 150000
#define SETTINGS_SIZE        700
#define LOCK_WAIT_MS         2000
#define LEFT_TO_OTHERS       10 // connections
#define MIGRATE              "run `ironcron migrate deploy --store`"

static bool ask(struct postgres_store *store, PGconn *connection, const char *sql,
                struct error *err)
{
    return PQsendQuery(connection, sql) == 1 || link_fail(store, "broke off", err);
}

// ---- the server ---------------------------------------------------------------------------------

// Settings go with the first question, not with the greeting, which poolers do not hand on. A beat
// and a claim are committed alike, on the standby as well where there is a synchronous one.
static const char server_sql[] =
    "select pg_is_in_recovery(), current_setting('transaction_read_only') = 'on',"
    " to_regclass('ironcron.meta') is not null, current_setting('server_version_num'),"
    " (select system_identifier from pg_control_system()),"
    " (select oid from pg_database where datname = current_database()),"
    " case when not pg_is_in_recovery() then"
    "  ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint end,"
    " pg_backend_pid(), current_setting('max_connections'),"
    " current_setting('superuser_reserved_connections'),"
    " (select count(*) from pg_stat_activity where backend_type = 'client backend'),"
    " set_config('synchronous_commit', case when current_setting('synchronous_commit') in"
    "  ('off', 'local', 'remote_write') then 'on' else current_setting('synchronous_commit') end,"
    "  false), has_database_privilege(current_database(), 'create'),"
    " (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint,"
    " (select count(set_config(name, value, false)) from (values %s) s (name, value)),"
    " case when to_regclass('ironcron.meta') is not null then"
    "  has_table_privilege('ironcron.meta', 'update') end";

// What a stranger has in hand keeps up what is behind it no longer than a beat may be late.
static long long lock_wait(long long deadline)
{
    return deadline / 2 < LOCK_WAIT_MS ? deadline / 2 : LOCK_WAIT_MS;
}

// Who has waited for a lock sees what the one before did, whatever isolation the database has.
static bool ask_server(struct postgres_store *store, struct error *err)
{
    long long deadline = (long long)duration_ms(store->options.call_deadline);
    char settings[SETTINGS_SIZE];
    char sql[sizeof server_sql + sizeof settings];
    int length =
        snprintf(settings, sizeof settings,
                 "('statement_timeout', '%lld'), ('lock_timeout', '%lld'),"
                 " ('idle_in_transaction_session_timeout', '%lld'), ('idle_session_timeout', '0'),"
                 " ('client_connection_check_interval', '2s'), ('client_min_messages', 'warning'),"
                 " ('jit', 'off'), ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'),"
                 " ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '20000'),"
                 " ('default_transaction_isolation', 'read committed')",
                 deadline, lock_wait(deadline), deadline * 2);
    CHECK(length > 0 && (size_t)length < sizeof settings);
    snprintf(sql, sizeof sql, server_sql, settings);
    return ask(store, store->connection, sql, err);
}

static bool fail_bare(bool may_create, const char *where, struct error *err)
{
    (void)error_set(err, ERROR_VERSION, "the store (%s) has no tables of ironcron yet%s", where,
                    may_create ? "" : ", and this role may not make them");
    return error_mend(err, may_create ? MIGRATE : MIGRATE " as a role with CREATE there");
}

static bool is_primary(struct postgres_store *store, const PGresult *result, const char *where,
                       struct error *err)
{
    if (field_int(result, 0, 3) < POSTGRES_VERSION_MIN) {
        (void)error_set(err, ERROR_VERSION, "the store (%s) is PostgreSQL %s", where,
                        PQparameterStatus(store->connection, "server_version"));
        return error_mend(err, "ironcron needs 15 or later: keep the store on such a server");
    }
    if (field_bool(result, 0, 0)) {
        (void)error_set(err, ERROR_UNAVAILABLE,
                        "the store (%s) is a standby, which cannot be written", where);
        return error_mend(err, "give the primary's address in `store:`, or those of all servers "
                               "with ?target_session_attrs=read-write");
    }
    bool is_read_only = field_bool(result, 0, 1) && store->purpose != FOR_READING;
    if (is_read_only && field_bool(result, 0, 2) && !field_bool(result, 0, 15)) {
        (void)error_set(err, ERROR_DENIED, "the role %s of the store (%s) may only read it",
                        PQuser(store->connection), where);
        return error_mend(err, "use the role that ran `ironcron migrate deploy --store`, which "
                               "owns the tables");
    }
    if (is_read_only) {
        (void)error_set(err, ERROR_UNAVAILABLE,
                        "the store (%s) is read-only (default_transaction_read_only is on)", where);
        return error_mend(err, "turn that off for the user of ironcron");
    }
    return field_bool(result, 0, 2) || fail_bare(field_bool(result, 0, 12), where, err);
}

#define MOVED                                                                                      \
    "was moved on purpose, run `ironcron doctor --accept-rewind` and start the node afresh"

// The same as the one where this node's rows are: a lock, and a row that is not there, say nothing
// in another one.
static bool is_same(const struct postgres_identity *before, const struct postgres_identity *now,
                    const char *where, struct error *err)
{
    if (before->system[0] == '\0') {
        return true;
    }
    if (strcmp(before->system, now->system) != 0) {
        (void)error_set(err, ERROR_REFUSED,
                        "the store (%s) is on another server than before (system identifier %s, "
                        "not %s)",
                        where, now->system, before->system);
        return error_mend(err, "give the former one's address in `store:`, or, when it " MOVED);
    }
    if (before->database != now->database) {
        (void)error_set(err, ERROR_REFUSED,
                        "the store (%s) is another database than before (its number is %lld, not "
                        "%lld)",
                        where, (long long)now->database, (long long)before->database);
        return error_mend(err, "give the former one's name in `store:`, or, when it " MOVED);
    }
    if (now->timeline < before->timeline) {
        (void)error_set(err, ERROR_REFUSED,
                        "the store (%s) is a former primary (timeline %lld, and %lld was seen "
                        "already), and what it holds is out of date",
                        where, (long long)now->timeline, (long long)before->timeline);
        return error_mend(err, "stop it, and give the present primary's address in `store:`");
    }
    return true;
}

// A connection that can be done without: to the very server of the other one, and not one of the
// last.
static bool fits_beside(const struct postgres_store *store, const char *where, struct error *err)
{
    const struct connections *has = &store->connections;
    return (store->found.up_since == store->seen.up_since &&
            has->used + LEFT_TO_OTHERS <= has->maximum - has->reserved) ||
           error_set(err, ERROR_UNAVAILABLE, "the store (%s) is another one, or nearly full",
                     where);
}

static bool take_server(struct postgres_store *store, const PGresult *result, struct error *err)
{
    char where[300];
    link_describe(store, where, sizeof where);
    struct postgres_identity now = {.database = field_int(result, 0, 5),
                                    .timeline = field_int(result, 0, 6),
                                    .up_since = field_int(result, 0, 13)};
    snprintf(now.system, sizeof now.system, "%s", PQgetvalue(result, 0, 4));
    if (!is_primary(store, result, where, err) || !is_same(&store->seen, &now, where, err)) {
        return false;
    }
    store->found = now;
    store->backend = field_int(result, 0, 7);
    store->connections = (struct connections){.maximum = (int)field_int(result, 0, 8),
                                              .reserved = (int)field_int(result, 0, 9),
                                              .used = (int)field_int(result, 0, 10)};
    return store->purpose != FOR_ENDS || fits_beside(store, where, err);
}

// ---- the tables ---------------------------------------------------------------------------------

static bool ask_schema(struct postgres_store *store, struct error *err)
{
    return ask(store, store->connection,
               "select (select value from ironcron.meta where key = 'schema_version'),"
               " (select value from ironcron.meta where key = 'schema_oldest')",
               err);
}

static bool take_schema(struct postgres_store *store, const PGresult *result, struct error *err)
{
    char where[300];
    long long version = field_int(result, 0, 0);
    long long oldest = field_int(result, 0, 1);
    link_describe(store, where, sizeof where);
    if (version < postgres_store_version()) {
        (void)error_set(err, ERROR_VERSION,
                        "the tables of the store (%s) have version %lld, and this ironcron (%s) "
                        "needs %d",
                        where, version, IRONCRON_VERSION, postgres_store_version());
        return error_mend(err, MIGRATE);
    }
    if (oldest > postgres_store_version()) {
        (void)error_set(err, ERROR_VERSION,
                        "the tables of the store (%s) have version %lld, which this ironcron (%s, "
                        "version %d) is too old for",
                        where, version, IRONCRON_VERSION, postgres_store_version());
        return error_mend(err, "install the ironcron that made them, or a later one");
    }
    return true;
}

// ---- the session --------------------------------------------------------------------------------

// A pooler between us and the server hands out another session for each transaction: locks would
// stay behind in sessions of nobody. Proof: while a second connection is amid a transaction, this
// one still is where it was, and a lock that it holds is not to be had there.
#define PROOF_SPACE "1768124273"

static bool fail_proof(struct postgres_store *store, const char *what, struct error *err)
{
    char where[300];
    link_describe(store, where, sizeof where);
    (void)error_set(err, ERROR_CONFIG,
                    "the store (%s) %s: a connection pooler (pgbouncer with pool_mode = "
                    "transaction or statement?) is in between, and locks do not hold through it",
                    where, what);
    return error_mend(err, POOLER_MEND);
}

static bool ask_lock(struct postgres_store *store, struct error *err)
{
    char sql[160];
    snprintf(sql, sizeof sql, "select pg_try_advisory_lock(" PROOF_SPACE ", %lld)",
             (long long)store->backend);
    return ask(store, store->connection, sql, err);
}

static bool take_lock(struct postgres_store *store, const PGresult *result, struct error *err)
{
    return field_bool(result, 0, 0) || fail_proof(store, "gives no lock for this session", err);
}

static bool ask_prover(struct postgres_store *store, struct error *err)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "begin; select pg_backend_pid(), pg_try_advisory_xact_lock(" PROOF_SPACE ", %lld)",
             (long long)store->backend);
    return ask(store, store->prover, sql, err);
}

static bool take_prover(struct postgres_store *store, const PGresult *result, struct error *err)
{
    bool apart = field_int(result, 0, 0) != store->backend && !field_bool(result, 0, 1);
    return apart || fail_proof(store, "gives a lock of this session to another one too", err);
}

static bool ask_proof(struct postgres_store *store, struct error *err)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "select case when pg_backend_pid() = %lld"
             " then pg_advisory_unlock(" PROOF_SPACE ", %lld) end",
             (long long)store->backend, (long long)store->backend);
    return ask(store, store->connection, sql, err);
}

static bool take_proof(struct postgres_store *store, const PGresult *result, struct error *err)
{
    PQfinish(store->prover);
    store->prover = NULL;
    return field_bool(result, 0, 0) || fail_proof(store, "changes sessions on the way", err);
}

// ---- the node's locks ---------------------------------------------------------------------------

static bool ask_locks(struct postgres_store *store, struct error *err)
{
    struct parameters parameters;
    const char *values[7] = {NULL};
    put_node(&parameters, store->node);
    put_int(&parameters, store->found.timeline);
    put_held(&parameters, store);
    put_witness(&parameters, store);
    for (int i = 0; i < parameters.count; i++) {
        values[i] = parameters.at[i] == SIZE_MAX ? NULL : parameters.text.data + parameters.at[i];
    }
    bool sent =
        PQsendQueryParams(store->connection, "select ironcron.link_up($1, $2, $3, $4, $5, $6, $7)",
                          7, NULL, values, NULL, NULL, 0) == 1;
    parameters_release(&parameters);
    return sent || link_fail(store, "broke off", err);
}

static bool take_locks(struct postgres_store *store, const PGresult *result, struct error *err)
{
    (void)result;
    (void)err;
    store->seen = store->found;
    locks_settled(store);
    return true;
}

// ---- step after step ----------------------------------------------------------------------------

static const struct {
    bool (*ask)(struct postgres_store *store, struct error *err);
    bool (*take)(struct postgres_store *store, const PGresult *result, struct error *err);
    enum { ALWAYS, TO_WORK, TO_WRITE } when;
    bool on_prover;
} steps[] = {
    {ask_server, take_server, ALWAYS, false}, {ask_schema, take_schema, ALWAYS, false},
    {ask_lock, take_lock, TO_WORK, false},    {ask_prover, take_prover, TO_WORK, true},
    {ask_proof, take_proof, TO_WORK, false},  {ask_locks, take_locks, TO_WRITE, false},
};

// Who reads, or ends runs by rows alone, needs no session of its own; who only tries leaves no
// trace.
static bool is_left_out(const struct postgres_store *store)
{
    return (steps[store->step].when >= TO_WORK && store->purpose != FOR_ALL) ||
           (steps[store->step].when >= TO_WRITE && store->options.only_tries);
}

static bool begin_step(struct postgres_store *store, struct error *err)
{
    while (store->step < ARRAY_LENGTH(steps) && is_left_out(store)) {
        store->step++;
    }
    if (store->step == ARRAY_LENGTH(steps)) {
        return link_prepare(store, err);
    }
    if (steps[store->step].on_prover) {
        return link_start_prover(store, err);
    }
    return steps[store->step].ask(store, err);
}

bool check_begin(struct postgres_store *store, struct error *err)
{
    store->step = 0;
    store->link = LINK_CHECKING;
    return begin_step(store, err);
}

static bool refuse(struct postgres_store *store, const PGresult *result, struct error *err)
{
    if (has_state(result, "IC005")) {
        return witness_fail(store, result, err);
    }
    link_explain(store, result, err);
    if (steps[store->step].on_prover) {
        struct error why = *err;
        (void)fail_proof(store, "lets no transaction through", err);
        return error_wrap(err, "%s", why.text);
    }
    return false;
}

static bool take(struct postgres_store *store, const PGresult *result, struct error *err)
{
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        return steps[store->step].take(store, result, err);
    case PGRES_COMMAND_OK: // begin
        return true;
    default:
        return refuse(store, result, err);
    }
}

bool check_advance(struct postgres_store *store, struct error *err)
{
    bool on_prover = steps[store->step].on_prover;
    PGconn *connection = on_prover ? store->prover : store->connection;
    if (on_prover && store->polling != PGRES_POLLING_OK) {
        return link_poll(store, connection, err) &&
               (store->polling != PGRES_POLLING_OK || steps[store->step].ask(store, err));
    }
    if (PQconsumeInput(connection) == 0 || PQflush(connection) < 0) {
        return link_fail(store, "broke off", err);
    }
    while (!PQisBusy(connection)) {
        PGresult *result = PQgetResult(connection);
        if (result == NULL) {
            store->step++;
            return begin_step(store, err);
        }
        bool good = take(store, result, err);
        PQclear(result);
        if (!good) {
            return false;
        }
    }
    return true;
}

int check_descriptor(const struct postgres_store *store)
{
    bool on_prover = store->link == LINK_CHECKING && steps[store->step].on_prover;
    return PQsocket(on_prover ? store->prover : store->connection);
}

bool check_connects(const struct postgres_store *store)
{
    return store->link == LINK_CONNECTING ||
           (store->link == LINK_CHECKING && steps[store->step].on_prover &&
            store->polling != PGRES_POLLING_OK);
}
