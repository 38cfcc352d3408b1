// SPDX-License-Identifier: MIT
#include "sql/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sql/db_pool.h"
#include "sql/failure.h"

#define OUTPUT_MAX ((size_t)1024 * 1024) // of one table or notice

// ---- output -------------------------------------------------------------------------------------

void answer_notice(void *context, const PGresult *notice)
{
    struct seat *seat = context;
    // Only what the statement and its COMMIT say; our own commands are not the job's.
    if (seat->run == NULL || seat->stage_count == 0 ||
        (seat_stage(seat) != STAGE_STATEMENT && seat_stage(seat) != STAGE_COMMIT)) {
        return;
    }
    AUTO(buf_release) struct buf text;
    buf_init(&text, OUTPUT_MAX);
    failure_notice(notice, &text);
    sql_run_put(seat->run, &text);
}

static void put_table(struct sql_run *run, const PGresult *shape)
{
    AUTO(buf_release) struct buf text;
    buf_init(&text, OUTPUT_MAX);
    rows_flush(&run->rows, shape, &text);
    sql_run_put(run, &text);
}

// ---- failures -----------------------------------------------------------------------------------

static void take_failure(struct seat *seat, const PGresult *result, const char *what)
{
    struct sql_run *run = seat->run;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (sqlstate == NULL || run == NULL) {
        return; // libpq's own words on a connection that has broken
    }
    run->fatal |= severity != NULL && strcmp(severity, "ERROR") != 0;
    if (sql_run_has_failed(run)) {
        return;
    }
    snprintf(run->sqlstate, sizeof run->sqlstate, "%s", sqlstate);
    AUTO(buf_release) struct buf text;
    buf_init(&text, 8192);
    failure_describe(result, seat_stage(seat) == STAGE_STATEMENT ? &run->statement : NULL, &text);
    sql_run_fail(run, "%s%s", what, buf_string(&text));
}

// Data from or for a client that is not there. libpq waits in the middle of it, so the connection
// goes.
static void refuse_copy(struct seat *seat)
{
    sql_run_fail(seat->run,
                 "COPY FROM STDIN and TO STDOUT have nobody to talk to here: name a file "
                 "on the server, or use a command with psql");
    seat->spoiled = true;
}

// ---- the statement ------------------------------------------------------------------------------

static bool is_tag(const char *tag, const char *word)
{
    size_t length = strlen(word);
    return strncmp(tag, word, length) == 0 && (tag[length] == '\0' || tag[length] == ' ');
}

// Of one statement: with several, the probe finds out.
static void check_tag(struct sql_run *run, const char *tag)
{
    static const char *const ends[] = {"COMMIT", "ROLLBACK", "PREPARE TRANSACTION"};
    for (size_t i = 0; i < ARRAY_LENGTH(ends) && run->transaction; i++) {
        if (is_tag(tag, ends[i]) && run->way == WAY_PIPELINE) {
            sql_run_fail(run,
                         "its statement ends the transaction that it was to run in: remove "
                         "%s, or set transaction: false",
                         ends[i]);
        }
    }
}

static void take_complete(struct sql_run *run, PGresult *result)
{
    const char *tag = PQcmdStatus(result);
    snprintf(run->command, sizeof run->command, "%s", tag);
    run->row_count += strtoll(PQcmdTuples(result), NULL, 10);
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        put_table(run, result);
    } else if (tag[0] != '\0' && run->way == WAY_SCRIPT) {
        AUTO(buf_release) struct buf line;
        buf_init(&line, 256);
        buf_printf(&line, "%s\n", tag);
        sql_run_put(run, &line);
    }
    check_tag(run, tag);
}

// True: the result has found an owner.
static bool take_statement(struct seat *seat, PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
        rows_add(&seat->run->rows, result);
        return true;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        take_complete(seat->run, result);
        return false;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        refuse_copy(seat);
        return false;
    case PGRES_FATAL_ERROR:
        if (seat->run->rows.count > 0) {
            rows_release(&seat->run->rows);
        }
        take_failure(seat, result, "");
        return false;
    default:
        return false;
    }
}

// ---- the other stages ---------------------------------------------------------------------------

static void take_greeting(struct seat *seat, const PGresult *result)
{
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
        seat->pid = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        snprintf(seat->backend_start, sizeof seat->backend_start, "%s", PQgetvalue(result, 0, 1));
    }
}

// Without the rights it goes the way of any other database.
static void take_identity(struct seat *seat, const PGresult *result)
{
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1) {
        return; // another one
    }
    bool granted = PQgetvalue(result, 0, 0)[0] == 't';
    seat->is_store = granted && PQgetvalue(result, 0, 1)[0] == 't';
    if (!granted && !seat->pool->told_of_rights) {
        seat->pool->told_of_rights = true;
        LOG(LOG_WARN, "store_rights",
            "database %s is the one of the store, but its user may not write the end of a run "
            "together with its effect: grant usage on schema ironcron, and execute on function "
            "ironcron.finish_own(uuid, bigint, bigint, text), to that user",
            db_pool_name(seat->pool));
    }
}

static void take_setup(struct seat *seat, const PGresult *result)
{
    const struct sql_run *run = seat->run;
    char what[160] = "its session cannot be set up: ";
    if (run->role != NULL) {
        snprintf(what, sizeof what,
                 "its session cannot be set up for the role \"%s\": ", run->role);
    }
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        take_failure(seat, result, what);
    }
}

static void take_commit(struct seat *seat, PGresult *result)
{
    struct sql_run *run = seat->run;
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        take_failure(seat, result, "COMMIT failed and the transaction was rolled back: ");
    } else if (PQresultStatus(result) == PGRES_COMMAND_OK &&
               !is_tag(PQcmdStatus(result), "COMMIT")) {
        sql_run_fail(run, "COMMIT was answered by %s: the transaction was rolled back",
                     PQcmdStatus(result));
    }
}

static void take_probe(struct sql_run *run, const PGresult *result)
{
    run->probed = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 &&
                  strcmp(PQgetvalue(result, 0, 0), run->run_id) == 0;
    run->own = run->own && run->probed && PQgetvalue(result, 0, 1)[0] == 't';
}

static bool take_result(struct seat *seat, PGresult *result)
{
    bool failed = PQresultStatus(result) == PGRES_FATAL_ERROR;
    switch (seat_stage(seat)) {
    case STAGE_IDENTITY:
        take_identity(seat, result);
        break;
    case STAGE_GREETING:
        take_greeting(seat, result);
        break;
    case STAGE_ROLLBACK:
    case STAGE_DISCARD:
        seat->spoiled |= failed;
        break;
    case STAGE_BEGIN:
    case STAGE_SETTINGS:
        take_setup(seat, result);
        break;
    case STAGE_STATEMENT:
        return take_statement(seat, result);
    case STAGE_PROBE:
        take_probe(seat->run, result);
        break;
    case STAGE_CHECK:
    case STAGE_ROLE:
    case STAGE_FINISH:
        if (failed) {
            take_failure(seat, result, "");
        }
        break;
    case STAGE_COMMIT:
        take_commit(seat, result);
        break;
    case STAGE_TIDY: // where one part fails, so do the others: it is reset once more
        seat->is_tidy = PQresultStatus(result) == PGRES_COMMAND_OK;
        break;
    case STAGE_SYNC_ROLLBACK:
    case STAGE_SYNC_CLEAN:
    case STAGE_SYNC_SETUP:
    case STAGE_SYNC_RUN:
        break;
    }
    return false;
}

// ---- taking -------------------------------------------------------------------------------------

static bool is_sync(enum stage stage)
{
    return stage == STAGE_SYNC_ROLLBACK || stage == STAGE_SYNC_CLEAN || stage == STAGE_SYNC_SETUP ||
           stage == STAGE_SYNC_RUN;
}

// A stage is complete: at its end mark, or at the synchronisation itself. The next one's rows come
// one by one.
static bool complete(struct seat *seat, bool (*on_done)(struct seat *seat, enum stage done))
{
    enum stage done = seat_stage(seat);
    seat_pop(seat);
    if (done == STAGE_STATEMENT && seat->run != NULL && seat->run->way == WAY_PIPELINE &&
        !seat->run->own) {
        seat->run->committing = !sql_run_has_failed(seat->run);
    }
    if (seat->stage_count > 0 && seat_stage(seat) == STAGE_STATEMENT) {
        PQsetSingleRowMode(seat->backend.conn);
    }
    return on_done(seat, done);
}

// A result of libpq itself, not of the server: the connection is of no use any more.
static bool is_own_error(const PGresult *result)
{
    return result != NULL && PQresultStatus(result) == PGRES_FATAL_ERROR &&
           PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL;
}

// To a job that listens nothing can be told; libpq keeps all that comes until it is taken.
static void drop_notifications(PGconn *conn)
{
    for (PGnotify *notification; (notification = PQnotifies(conn)) != NULL;) {
        PQfreemem(notification);
    }
}

bool answer_take(struct seat *seat, bool (*on_done)(struct seat *seat, enum stage done))
{
    PGconn *conn = seat->backend.conn;
    drop_notifications(conn);
    while (seat->stage_count > 0 && !seat->spoiled && !PQisBusy(conn)) {
        PGresult *result = PQgetResult(conn);
        if (is_own_error(result) || (result == NULL && is_sync(seat_stage(seat)))) {
            PQclear(result);
            return true;
        }
        bool ends = result == NULL || PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        if (result != NULL && (ends || !take_result(seat, result))) {
            PQclear(result);
        }
        if (ends && !complete(seat, on_done)) {
            return false;
        }
    }
    return true;
}
