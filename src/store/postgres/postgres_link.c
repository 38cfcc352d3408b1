// SPDX-License-Identifier: MIT
// The connection: made when something is to be sent, checked before anything is, gone after any
// doubt. Nothing here waits, but for link_reader.
#include "store/postgres/postgres_private.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

// What every connection asks before it is used: is it the primary, and of which version is the
// schema?
static const char check_sql[] =
    "select pg_is_in_recovery(), to_regclass('ironcron.meta') is not null,"
    " current_setting('server_version_num')::int";

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

static bool fail(struct postgres_store *store, const char *doing, struct error *err)
{
    char what[300];
    char where[300];
    first_line(PQerrorMessage(store->connection), what, sizeof what);
    link_describe(store, where, sizeof where);
    return error_set(err, ERROR_UNAVAILABLE, "the store (%s) %s: %s", where, doing,
                     what[0] == '\0' ? "it closed the connection" : what);
}

void link_explain(const struct postgres_store *store, const PGresult *result, struct error *err)
{
    char where[300];
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    link_describe(store, where, sizeof where);
    if (state != NULL && strcmp(state, "IC001") == 0) {
        error_set(err, ERROR_REFUSED, "%s", message);
        return;
    }
    error_set(err, ERROR_STORE, "the store (%s) answers: %s (SQLSTATE %s)", where,
              message == NULL ? "nothing that makes sense" : message,
              state == NULL ? "none" : state);
}

void link_close(struct postgres_store *store)
{
    PQfinish(store->connection);
    store->connection = NULL;
    store->link = LINK_DOWN;
}

// ---- opening ------------------------------------------------------------------------------------

static PGconn *start(const struct postgres_store *store)
{
    long long deadline = (long long)duration_ms(store->options.call_deadline);
    char options[300];
    int length = snprintf(options, sizeof options,
                          "-c statement_timeout=%lld -c lock_timeout=%lld "
                          "-c idle_in_transaction_session_timeout=%lld "
                          "-c client_connection_check_interval=2s -c client_min_messages=warning",
                          deadline, deadline / 2, deadline * 2);
    CHECK(length > 0 && (size_t)length < sizeof options);
    const char *const keys[] = {
        "dbname",           "application_name", "options", "client_encoding",
        "tcp_user_timeout", "connect_timeout",  NULL};
    const char *const values[] = {
        store->url, store->application_name, options, "UTF8", "15000", "10", NULL};
    return PQconnectStartParams(keys, values, 1);
}

// What the server remarks beside its answers is not for standard error.
static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

static bool begin(struct postgres_store *store, struct error *err)
{
    store->connection = start(store);
    CHECK(store->connection != NULL);
    (void)PQsetNoticeProcessor(store->connection, ignore_notice, NULL);
    if (PQstatus(store->connection) == CONNECTION_BAD) {
        return fail(store, "cannot be reached", err);
    }
    store->link = LINK_CONNECTING;
    store->polling = PGRES_POLLING_WRITING;
    return true;
}

static bool is_good(struct postgres_store *store, const PGresult *result, struct error *err)
{
    char where[300];
    link_describe(store, where, sizeof where);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        link_explain(store, result, err);
        return false;
    }
    if (field_int(result, 0, 2) < 150000) {
        return error_set(err, ERROR_VERSION,
                         "the store (%s) is PostgreSQL %s; ironcron needs 15 or later", where,
                         PQparameterStatus(store->connection, "server_version"));
    }
    if (field_bool(result, 0, 0)) {
        return error_set(err, ERROR_UNAVAILABLE,
                         "the store (%s) is a standby, which cannot be written: give the primary's "
                         "address in `store:`",
                         where);
    }
    if (!field_bool(result, 0, 1)) {
        return error_set(err, ERROR_VERSION,
                         "the store (%s) has no tables of ironcron yet: run `ironcron migrate "
                         "deploy --store`",
                         where);
    }
    return true;
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

static bool send_statements(struct postgres_store *store, struct error *err)
{
    bool sent = PQenterPipelineMode(store->connection) == 1;
    for (size_t i = 0; i < POSTGRES_STATEMENT_COUNT && sent; i++) {
        sent =
            PQsendPrepare(store->connection, statements[i].name, statements[i].text, 0, NULL) == 1;
    }
    sent = sent && PQpipelineSync(store->connection) == 1 && PQflush(store->connection) >= 0;
    store->link = LINK_PREPARING;
    return sent || fail(store, "broke off", err);
}

static bool check(struct postgres_store *store, struct error *err)
{
    while (!PQisBusy(store->connection)) {
        PGresult *result = PQgetResult(store->connection);
        if (result == NULL) {
            return send_statements(store, err);
        }
        bool good = is_good(store, result, err);
        PQclear(result);
        if (!good) {
            return false;
        }
    }
    return true;
}

static bool is_prepared(struct postgres_store *store, const PGresult *result, struct error *err)
{
    switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
        store->link = LINK_UP;
        return true;
    case PGRES_FATAL_ERROR:
        link_explain(store, result, err);
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
            return fail(store, "broke off", err);
        }
    }
    return good;
}

static bool listen_on(struct postgres_store *store, struct error *err)
{
    if (PQconsumeInput(store->connection) == 0 || PQflush(store->connection) < 0) {
        return fail(store, "broke off", err);
    }
    return store->link == LINK_CHECKING ? check(store, err) : prepare(store, err);
}

static bool connect_on(struct postgres_store *store, struct error *err)
{
    store->polling = PQconnectPoll(store->connection);
    if (store->polling == PGRES_POLLING_FAILED) {
        return fail(store, "cannot be reached", err);
    }
    if (store->polling != PGRES_POLLING_OK) {
        return true;
    }
    if (PQsetnonblocking(store->connection, 1) != 0 ||
        PQsendQuery(store->connection, check_sql) == 0) {
        return fail(store, "broke off", err);
    }
    store->link = LINK_CHECKING;
    return true;
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
    return store->link == LINK_CONNECTING ? connect_on(store, err)
           : store->link == LINK_UP       ? true
                                          : listen_on(store, err);
}

// ---- for reading --------------------------------------------------------------------------------

bool link_reader(struct postgres_store *store, struct error *err)
{
    if (store->reader != NULL && PQstatus(store->reader) == CONNECTION_OK) {
        return true;
    }
    PQfinish(store->reader);
    store->reader = NULL;
    struct postgres_store twin = *store; // the same steps on a connection of its own
    twin.connection = NULL;
    twin.link = LINK_DOWN;
    while (twin.link != LINK_UP) {
        if (!link_advance(&twin, err)) {
            PQfinish(twin.connection);
            return false;
        }
        bool writes = twin.link == LINK_CONNECTING && twin.polling == PGRES_POLLING_WRITING;
        struct pollfd fd = {.fd = PQsocket(twin.connection),
                            .events = (short)(writes ? POLLOUT : POLLIN)};
        (void)poll(&fd, 1, twin.link == LINK_UP ? 0 : 100);
    }
    (void)PQexitPipelineMode(twin.connection);
    (void)PQsetnonblocking(twin.connection, 0);
    store->reader = twin.connection;
    return true;
}
