// SPDX-License-Identifier: MIT
// The databases of sql jobs on PostgreSQL, as they are now: reachable, writable, with enough
// connections, no proxy that breaks sessions; roles that may be taken, statements that the server
// understands. Everything is read only. Only at a start and by `validate`, never on a node's loop:
// it waits.
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/validate_checks.h"
#include "job/params.h"
#include "statement/statement.h"

// For all databases together: who starts a node does not wait for ever for what may be down.
#define LOOK_MAX DURATION_S(15)
#define STEP_MAX DURATION_S(4)
#define TEXT_MAX 1024

struct inspection {
    const struct config *config;
    const struct validate_options *options;
    struct validate_report *report;
    struct mono until;
    const struct database *database;
    PGconn *conn;
    size_t jobs;
    struct validate_lines lines;
};

// ---- waiting with a deadline --------------------------------------------------------------------

static struct mono step_end(const struct inspection *inspection)
{
    struct mono end = mono_add(clock_mono(inspection->options->clock), STEP_MAX);
    return mono_before(end, inspection->until) ? end : inspection->until;
}

static bool wait_socket(const struct inspection *inspection, PGconn *conn, short events,
                        struct mono until)
{
    struct pollfd socket = {.fd = PQsocket(conn), .events = events};
    int64_t left = duration_ms(mono_since(until, clock_mono(inspection->options->clock)));
    return left > 0 && poll(&socket, 1, (int)left) > 0;
}

static PGconn *connect_to(const struct inspection *inspection)
{
    const char *keywords[] = {"application_name", "gssencmode", "dbname", NULL};
    const char *values[] = {"ironcron validate", "disable", inspection->database->url, NULL};
    PGconn *conn = PQconnectStartParams(keywords, values, 1);
    struct mono until = step_end(inspection);
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (conn != NULL && PQstatus(conn) != CONNECTION_BAD && state != PGRES_POLLING_OK &&
           state != PGRES_POLLING_FAILED) {
        if (!wait_socket(inspection, conn, state == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                         until)) {
            break;
        }
        state = PQconnectPoll(conn);
    }
    return conn;
}

// The last result of what was sent; NULL when it took too long or the connection broke.
static PGresult *answer(const struct inspection *inspection, PGconn *conn, bool sent)
{
    struct mono until = step_end(inspection);
    PGresult *last = NULL;
    while (sent) {
        while (PQisBusy(conn)) {
            if (!wait_socket(inspection, conn, POLLIN, until) || PQconsumeInput(conn) == 0) {
                PQclear(last);
                return NULL;
            }
        }
        PGresult *result = PQgetResult(conn);
        if (result == NULL) {
            break;
        }
        PQclear(last);
        last = result;
    }
    return last;
}

static PGresult *ask(const struct inspection *inspection, PGconn *conn, const char *text)
{
    return answer(inspection, conn, PQsendQuery(conn, text) == 1);
}

static bool done(PGresult *result)
{
    bool fine =
        PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    return fine;
}

// ---- one database -------------------------------------------------------------------------------

static void complain_down(struct inspection *inspection)
{
    const struct database *database = inspection->database;
    char detail[TEXT_MAX];
    const char *why = PQstatus(inspection->conn) == CONNECTION_BAD
                          ? PQerrorMessage(inspection->conn)
                          : "no answer within 4 s";
    snprintf(detail, sizeof detail, "cannot connect to %.256s: %.*s", database->place,
             (int)strcspn(why, "\n"), why);
    enum validate_result result =
        inspection->options->down_fails ? VALIDATE_FAILED : VALIDATE_WARNING;
    validate_line(&inspection->lines, result, "database", database->name, detail,
                  "start it, or correct its url; until then its jobs fail, and they go on by "
                  "themselves when it is back");
    struct validate_report *report = inspection->report;
    report->down += result == VALIDATE_FAILED;
    if (result == VALIDATE_FAILED && ++report->away == report->failed) {
        report->code = ERROR_UNAVAILABLE;
    }
}

// What one transaction sets for the session another one of it must see, while a third holds
// whatever connection the proxy would give it.
static bool loses_sessions(const struct inspection *inspection)
{
    PGconn *other = connect_to(inspection);
    PGconn *conn = inspection->conn;
    bool lost = false;
    if (PQstatus(other) == CONNECTION_OK &&
        done(ask(inspection, conn, "select set_config('ironcron.probe', 'kept', false)")) &&
        done(ask(inspection, other, "begin")) && done(ask(inspection, other, "select 1"))) {
        PGresult *seen =
            ask(inspection, conn, "select coalesce(current_setting('ironcron.probe', true), '')");
        lost =
            PQresultStatus(seen) != PGRES_TUPLES_OK || strcmp(PQgetvalue(seen, 0, 0), "kept") != 0;
        PQclear(seen);
    }
    PQfinish(other);
    return lost;
}

static void inspect_proxy(struct inspection *inspection, const char *pid)
{
    const char *name = inspection->database->name;
    if (strtol(pid, NULL, 10) == PQbackendPID(inspection->conn)) {
        return;
    }
    if (loses_sessions(inspection)) {
        validate_line(
            &inspection->lines, VALIDATE_FAILED, "database", name,
            "a proxy in front of it gives each transaction another session, so that settings, "
            "roles and locks of one run reach another",
            "name the server's own port in the url, or set the proxy's pool_mode to session");
    } else {
        validate_line(&inspection->lines, VALIDATE_WARNING, "database", name,
                      "there is a proxy in front of it",
                      "its pool_mode must be session; better name the server's own port");
    }
}

static bool inspect_server(struct inspection *inspection)
{
    const struct database *database = inspection->database;
    PGresult *facts = ask(inspection, inspection->conn,
                          "select pg_backend_pid(), pg_is_in_recovery(), "
                          "current_setting('default_transaction_read_only')::bool, "
                          "current_setting('max_connections')::int - "
                          "current_setting('superuser_reserved_connections')::int");
    if (PQresultStatus(facts) != PGRES_TUPLES_OK) {
        PQclear(facts);
        complain_down(inspection);
        return false;
    }
    char detail[TEXT_MAX];
    if (PQgetvalue(facts, 0, 1)[0] == 't' || PQgetvalue(facts, 0, 2)[0] == 't') {
        snprintf(detail, sizeof detail, "%.256s is read-only: %s", database->place,
                 PQgetvalue(facts, 0, 1)[0] == 't' ? "a standby"
                                                   : "default_transaction_read_only is on");
        validate_line(&inspection->lines, VALIDATE_WARNING, "database", database->name, detail,
                      "name the primary in its url, if its jobs are to write");
    }
    if (database->connections > strtol(PQgetvalue(facts, 0, 3), NULL, 10)) {
        snprintf(detail, sizeof detail, "\"connections\" is %d, and the server has %s for all",
                 database->connections, PQgetvalue(facts, 0, 3));
        validate_line(&inspection->lines, VALIDATE_WARNING, "database", database->name, detail,
                      "lower \"connections\", or raise the server's max_connections");
    }
    inspect_proxy(inspection, PQgetvalue(facts, 0, 0));
    PQclear(facts);
    return true;
}

// ---- its jobs -----------------------------------------------------------------------------------

static void complain_result(struct inspection *inspection, const struct job *job,
                            const PGresult *result, const char *what, const char *remedy)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    char detail[TEXT_MAX];
    snprintf(detail, sizeof detail, "%s on database %.128s: %.6s: %.512s", what, job->sql->database,
             sqlstate == NULL ? "?" : sqlstate, message == NULL ? "no answer" : message);
    // What does not exist yet may be made before the job is due; wrong words stay wrong.
    bool stays = sqlstate != NULL && (strcmp(sqlstate, "42601") == 0 || strcmp(what, "role") == 0);
    validate_line(&inspection->lines, stays ? VALIDATE_FAILED : VALIDATE_WARNING, "sql", job->name,
                  detail, remedy);
}

static void inspect_role(struct inspection *inspection, const struct job *job)
{
    char *quoted = PQescapeIdentifier(inspection->conn, job->sql->role, strlen(job->sql->role));
    char text[256];
    snprintf(text, sizeof text, "set local role %s", quoted == NULL ? "none" : quoted);
    PQfreemem(quoted);
    PGresult *result = ask(inspection, inspection->conn, text);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        complain_result(inspection, job, result, "role",
                        "correct \"role\", or grant it to the user of the url");
    }
    PQclear(result);
}

// Parsed by the server and thrown away: nothing of it is executed.
static void inspect_statement(struct inspection *inspection, const struct job *job)
{
    const char *names[JOB_PARAMS_MAX + 1];
    job_params_names(job->params, names);
    struct statement statement;
    struct error err = ERROR_INIT;
    if (!statement_parse(job->sql->statement, STATEMENT_POSTGRESQL, names, &statement, &err)) {
        return;
    }
    if (statement.is_single) {
        PGconn *conn = inspection->conn;
        PGresult *result =
            answer(inspection, conn, PQsendPrepare(conn, "", statement.text, 0, NULL) == 1);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            complain_result(inspection, job, result, "its statement", "correct \"statement\"");
        }
        PQclear(result);
    }
    statement_release(&statement);
}

static void inspect_job(struct inspection *inspection, const struct job *job)
{
    if (mono_before(inspection->until, clock_mono(inspection->options->clock)) ||
        PQstatus(inspection->conn) != CONNECTION_OK ||
        !done(ask(inspection, inspection->conn, "begin transaction read only"))) {
        return;
    }
    inspection->jobs++;
    if (job->sql->role != NULL) {
        inspect_role(inspection, job);
    }
    if (PQtransactionStatus(inspection->conn) == PQTRANS_INTRANS) {
        inspect_statement(inspection, job);
    }
    PQclear(ask(inspection, inspection->conn, "rollback"));
}

static bool is_of(const struct job *job, const struct database *database)
{
    return job->sql != NULL && strcmp(job->sql->database, database->name) == 0;
}

static bool is_used(const struct config *config, const struct database *database)
{
    for (size_t i = 0; i < config->job_count; i++) {
        if (is_of(&config->jobs[i], database)) {
            return true;
        }
    }
    return false;
}

static void inspect_database(struct inspection *inspection)
{
    const struct config *config = inspection->config;
    size_t before = inspection->lines.count;
    inspection->conn = connect_to(inspection);
    inspection->jobs = 0;
    if (PQstatus(inspection->conn) != CONNECTION_OK) {
        complain_down(inspection);
    } else if (inspect_server(inspection)) {
        for (size_t i = 0; i < config->job_count; i++) {
            if (is_of(&config->jobs[i], inspection->database)) {
                inspect_job(inspection, &config->jobs[i]);
            }
        }
    }
    PQfinish(inspection->conn);
    if (inspection->lines.count == before) {
        char name[160];
        snprintf(name, sizeof name, "database %.128s", inspection->database->name);
        validate_ok(
            inspection->report, name, "%s answers; the statements of %zu job%s are understood",
            inspection->database->place, inspection->jobs, inspection->jobs == 1 ? "" : "s");
    }
}

void validate_postgresql(const struct config *config, const struct validate_options *options,
                         struct validate_report *report)
{
    struct inspection inspection = {
        .config = config, .options = options, .report = report, .lines = {.report = report}};
    if (options->is_node) {
        return;
    }
    inspection.until = mono_add(clock_mono(options->clock), LOOK_MAX);
    for (size_t i = 0; i < config->database_count; i++) {
        inspection.database = &config->databases[i];
        if (inspection.database->url != NULL && is_used(config, inspection.database)) {
            inspect_database(&inspection);
        }
    }
    validate_lines_end(&inspection.lines, "databases");
}
