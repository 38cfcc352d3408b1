// SPDX-License-Identifier: MIT
// The connection: made when something is to be sent, checked before anything is, gone after any
// doubt. Nothing here waits, but for link_reader.
#include "store/postgres/postgres_check.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

// An idle node has one connection.
#define READER_IDLE DURATION_S(10)

void link_describe(const struct postgres_store *store, char *out, size_t size)
{
    const char *host = PQhost(store->connection);
    const char *name = PQdb(store->connection);
    const char *port = PQport(store->connection);
    snprintf(out, size, "database %s at %s:%s", name == NULL || name[0] == '\0' ? "?" : name,
             host == NULL || host[0] == '\0' ? "localhost" : host,
             port == NULL || port[0] == '\0' ? "5432" : port);
}

// The first line of what libpq says, which may have several, and a line feed at the end.
static void first_line(const char *message, char *out, size_t size)
{
    size_t length = strcspn(message, "\n");
    snprintf(out, size, "%.*s", (int)(length < size ? length : size - 1), message);
}

// All connections of the server are taken.
static bool fail_full(const struct postgres_store *store, const char *what, const char *where,
                      struct error *err)
{
    const struct connections *had = &store->connections;
    if (had->maximum == 0) { // it never told
        (void)error_set(err, ERROR_UNAVAILABLE, "the store (%s) has no connection left (%s)", where,
                        what);
    } else {
        (void)error_set(err, ERROR_UNAVAILABLE,
                        "the store (%s) has no connection left: max_connections is %d, %d of them "
                        "reserved, %d were in use when this node last connected; a node needs two "
                        "to connect and one from then on",
                        where, had->maximum, had->reserved, had->used);
    }
    return error_mend(err, "raise max_connections, or end sessions that nobody needs");
}

// The server answers, and lets us not in. By SQLSTATE, since its words are in its language.
static void mend_refusal(const char *what, struct error *err)
{
    if (strstr(what, "28P01") != NULL) {
        (void)error_mend(err, "correct the user or the password in `store:`, or the role's on the "
                              "server: alter role … password '…'");
    } else if (strstr(what, "28000") != NULL) {
        (void)error_mend(err, "make the role (create role … login), or let it in from this host "
                              "(pg_hba.conf of the server)");
    } else if (strstr(what, "3D000") != NULL) {
        (void)error_mend(err, "correct the database in `store:`, or make it: create database … "
                              "owner …");
    } else if (strstr(what, "42501") != NULL) {
        err->code = ERROR_DENIED;
        (void)error_mend(err, "let the role in: grant connect on database … to …");
    }
}

static bool fail_on(struct postgres_store *store, const PGconn *connection, const char *doing,
                    struct error *err)
{
    char what[300];
    char where[300];
    first_line(PQerrorMessage(connection), what, sizeof what);
    link_describe(store, where, sizeof where);
    if (strstr(what, "53300") != NULL) {
        return fail_full(store, what, where, err);
    }
    (void)error_set(err, ERROR_UNAVAILABLE, "the store (%s) %s: %s", where, doing,
                    what[0] == '\0' ? "it closed the connection" : what);
    if (PQconnectionNeedsPassword(connection) != 0) {
        (void)error_mend(err, "give one in $PGPASSWORD or ~/.pgpass, or by ${NAME} in `store:`");
    } else {
        mend_refusal(what, err);
    }
    return false;
}

bool link_fail(struct postgres_store *store, const char *doing, struct error *err)
{
    return fail_on(store, store->connection, doing, err);
}

static const char *role_of(const struct postgres_store *store)
{
    return PQuser(store->connection != NULL ? store->connection : store->reader);
}

void link_explain(const struct postgres_store *store, const PGresult *result, struct error *err)
{
    char where[300];
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    link_describe(store, where, sizeof where);
    if (has_state(result, "IC001")) {
        error_set(err, ERROR_REFUSED, "%s", message);
    } else {
        bool denied = has_state(result, "42501");
        error_set(err, denied ? ERROR_DENIED : ERROR_STORE,
                  "the store (%s) answers: %s (SQLSTATE %s)", where,
                  message == NULL ? "nothing that makes sense" : message,
                  state == NULL ? "none" : state);
    }
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    if (hint != NULL && has_state(result, "53200")) {
        (void)error_mend(err, "the server's lock table is full: raise max_locks_per_transaction "
                              "there and start it again, or end the session that holds so many: "
                              "select pid, count(*) from pg_locks group by pid order by 2 desc");
    } else if (hint != NULL) {
        (void)error_mend(err, "%s", hint);
    } else if (err->code == ERROR_DENIED) {
        (void)error_mend(err,
                         "use the role that ran `ironcron migrate deploy --store`, which owns "
                         "the tables; for one that only looks: grant usage on schema ironcron "
                         "to %s; grant select on all tables in schema ironcron to %s",
                         role_of(store), role_of(store));
    } else if (has_state(result, "42P05") || has_state(result, "26000")) {
        // Prepared in this session by somebody else, or by us in another one.
        err->code = ERROR_CONFIG;
        (void)error_mend(err, "a connection pooler (pgbouncer with pool_mode = transaction or "
                              "statement?) is in between: " POOLER_MEND);
    } else if (has_state(result, "55P03")) {
        err->code = ERROR_UNAVAILABLE;
        (void)error_mend(err, "end the transaction that somebody has left open: select pid, "
                              "application_name, xact_start from pg_stat_activity where state "
                              "like 'idle in transaction%%'");
    } else if (has_state(result, "57014")) {
        err->code = ERROR_UNAVAILABLE;
        (void)error_mend(err, "the server is too slow for it at the moment, or it was cancelled; "
                              "ironcron doctor says what burdens it");
    }
}

bool link_flush(struct postgres_store *store)
{
    return store->link != LINK_UP || PQflush(store->connection) >= 0;
}

void link_close(struct postgres_store *store)
{
    PQfinish(store->prover);
    store->prover = NULL;
    PQfinish(store->connection);
    store->connection = NULL;
    store->link = LINK_DOWN;
}

// ---- opening ------------------------------------------------------------------------------------

// What the server remarks beside its answers is not for standard error, and in the words of its
// language. Two remarks are answers: somebody ended the wait for the standby, so what is being
// committed is here, but would not be there; and our own of who has the lock of a job.
static void take_notice(void *context, const PGresult *notice)
{
    struct postgres_store *store = context;
    const char *from = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
    if (from != NULL && strcmp(from, "SyncRepWaitForLSN") == 0 && store->first != NULL) {
        store->first->not_replicated = true;
    }
    if (has_state(notice, "IC004")) {
        locks_take_stranger(store, notice);
    }
}

// Errors with their SQLSTATE, since their words are in the server's language.
static PGconn *start(struct postgres_store *store)
{
    const char *const keys[] = {"dbname",           "application_name", "client_encoding",
                                "tcp_user_timeout", "keepalives_idle",  "keepalives_interval",
                                "keepalives_count", "connect_timeout",  NULL};
    const char *const values[] = {
        store->url, store->application_name, "UTF8", "15000", "10", "5", "3", "10", NULL};
    PGconn *connection = PQconnectStartParams(keys, values, 1);
    CHECK(connection != NULL);
    (void)PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
    (void)PQsetNoticeReceiver(connection, take_notice, store);
    return connection;
}

static bool begin(struct postgres_store *store, struct error *err)
{
    store->connection = start(store);
    store->link = LINK_CONNECTING;
    store->polling = PGRES_POLLING_WRITING;
    return PQstatus(store->connection) != CONNECTION_BAD ||
           link_fail(store, "cannot be reached", err);
}

bool link_start_prover(struct postgres_store *store, struct error *err)
{
    store->prover = start(store);
    store->polling = PGRES_POLLING_WRITING;
    return PQstatus(store->prover) != CONNECTION_BAD ||
           fail_on(store, store->prover, "cannot be reached a second time", err);
}

bool link_poll(struct postgres_store *store, PGconn *connection, struct error *err)
{
    store->polling = PQconnectPoll(connection);
    if (store->polling == PGRES_POLLING_FAILED) {
        return fail_on(store, connection, "cannot be reached", err);
    }
    return store->polling != PGRES_POLLING_OK || PQsetnonblocking(connection, 1) == 0 ||
           fail_on(store, connection, "broke off", err);
}

static const struct {
    const char *name, *text;
} statements[POSTGRES_STATEMENT_COUNT] = {
#define X(id, text) [id] = {#id, text},
#include "store/postgres/postgres_sql.def"
#undef X
};

const char *postgres_statement_name(enum postgres_statement statement)
{
    return statements[statement].name;
}

bool link_prepare(struct postgres_store *store, struct error *err)
{
    if (store->only_asks) {
        store->link = LINK_UP;
        return true;
    }
    bool sent = PQenterPipelineMode(store->connection) == 1;
    for (size_t i = 0; i < POSTGRES_STATEMENT_COUNT && sent; i++) {
        sent =
            PQsendPrepare(store->connection, statements[i].name, statements[i].text, 0, NULL) == 1;
    }
    sent = sent && PQpipelineSync(store->connection) == 1 && PQflush(store->connection) >= 0;
    store->link = LINK_PREPARING;
    return sent || link_fail(store, "broke off", err);
}

static bool is_prepared(struct postgres_store *store, const PGresult *result, struct error *err)
{
    switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
        store->link = LINK_UP;
        return true;
    case PGRES_FATAL_ERROR:
        link_explain(store, result, err);
        if (err->code == ERROR_UNAVAILABLE || err->code == ERROR_CONFIG) {
            return false; // the tables are only out of reach, or behind a pooler
        }
        (void)error_wrap(err, "the tables are of another version; run `ironcron migrate deploy "
                              "--store`");
        err->code = ERROR_VERSION;
        return false;
    default:
        return true;
    }
}

static bool prepare(struct postgres_store *store, struct error *err)
{
    bool good = true;
    while (good && store->link == LINK_PREPARING && !PQisBusy(store->connection)) {
        PGresult *result = PQgetResult(store->connection); // NULL between two statements
        good = result == NULL || is_prepared(store, result, err);
        PQclear(result);
        if (result == NULL && PQstatus(store->connection) != CONNECTION_OK) {
            return link_fail(store, "broke off", err);
        }
    }
    return good;
}

static bool listen_on(struct postgres_store *store, struct error *err)
{
    if (PQconsumeInput(store->connection) == 0 || PQflush(store->connection) < 0) {
        return link_fail(store, "broke off", err);
    }
    return prepare(store, err);
}

static bool connect_on(struct postgres_store *store, struct error *err)
{
    return link_poll(store, store->connection, err) &&
           (store->polling != PGRES_POLLING_OK || check_begin(store, err));
}

bool link_advance(struct postgres_store *store, struct error *err)
{
    if (store->link == LINK_DOWN) {
        store->link_deadline =
            mono_add(clock_mono(store->options.clock), store->options.call_deadline);
        return begin(store, err);
    }
    if (store->link != LINK_UP &&
        !mono_before(clock_mono(store->options.clock), store->link_deadline)) {
        char where[300];
        link_describe(store, where, sizeof where);
        return error_set(err, ERROR_UNAVAILABLE,
                         "the store (%s) did not answer within %lld s: is it up, and does a "
                         "firewall drop packets?",
                         where, (long long)(store->options.call_deadline.us / 1000000));
    }
    switch (store->link) {
    case LINK_CONNECTING:
        return connect_on(store, err);
    case LINK_CHECKING:
        return check_advance(store, err);
    case LINK_PREPARING:
        return listen_on(store, err);
    default:
        return true;
    }
}

// ---- for reading --------------------------------------------------------------------------------

void link_reader_rest(struct postgres_store *store)
{
    if (store->reader != NULL &&
        mono_since(clock_mono(store->options.clock), store->read_at).us > READER_IDLE.us) {
        PQfinish(store->reader);
        store->reader = NULL;
    }
}

bool link_reader(struct postgres_store *store, struct error *err)
{
    store->read_at = clock_mono(store->options.clock);
    if (store->reader != NULL && PQstatus(store->reader) == CONNECTION_OK) {
        return true;
    }
    PQfinish(store->reader);
    store->reader = NULL;
    struct postgres_store twin = *store; // the same steps on a connection of its own
    twin.only_asks = true;
    if (store->reading_most.us > 0) {
        twin.options.call_deadline = store->reading_most;
    }
    twin.connection = NULL;
    twin.prover = NULL;
    twin.link = LINK_DOWN;
    twin.purpose = FOR_READING;
    while (twin.link != LINK_UP) {
        if (!link_advance(&twin, err)) {
            PQfinish(twin.connection);
            return false;
        }
        bool writes = check_connects(&twin) && twin.polling == PGRES_POLLING_WRITING;
        struct pollfd fd = {.fd = PQsocket(twin.connection),
                            .events = (short)(writes ? POLLOUT : POLLIN)};
        (void)poll(&fd, 1, twin.link == LINK_UP ? 0 : 100);
    }
    (void)PQexitPipelineMode(twin.connection);
    (void)PQsetnonblocking(twin.connection, 0);
    (void)PQsetNoticeReceiver(twin.connection, take_notice, store); // not the twin's
    store->reader = twin.connection;
    return true;
}
