// SPDX-License-Identifier: MIT
#include "sql/script.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sql/db_pool.h"
#include "sql/runner_private.h"

// From then on a server may look whether its client is still there.
#define VERSION_CONNECTION_CHECK 140000
// From then on pg_terminate_backend can wait until the backend is gone.
#define VERSION_TERMINATE_WAITS 140000
#define LEFT_OF                                                                                    \
    "from pg_catalog.pg_stat_activity where application_name = any($1::text[]) "                   \
    "and pid <> pg_catalog.pg_backend_pid()"
#define STATEMENT_TIMEOUT_MAX ((int64_t)INT32_MAX)
#define SETUP_MAX             ((size_t)8192)

// ---- stages -------------------------------------------------------------------------------------

static void seat_push(struct seat *seat, enum stage stage)
{
    CHECK(seat->stage_count < STAGES_MAX);
    seat->stages[(seat->first_stage + seat->stage_count++) % STAGES_MAX] = stage;
}

enum stage seat_stage(const struct seat *seat)
{
    CHECK(seat->stage_count > 0);
    return seat->stages[seat->first_stage];
}

void seat_pop(struct seat *seat)
{
    CHECK(seat->stage_count > 0);
    seat->first_stage = (seat->first_stage + 1) % STAGES_MAX;
    seat->stage_count--;
}

// ---- sending ------------------------------------------------------------------------------------

// A failure to send is a broken connection, which shows when its answer is read.
static void send_params(struct seat *seat, enum stage stage, const char *text, size_t count,
                        const char *const *values)
{
    if (PQsendQueryParams(seat->backend.conn, text, (int)count, NULL, values, NULL, NULL, 0) == 1) {
        seat_push(seat, stage);
    } else {
        seat->spoiled = true;
    }
}

static void send_sync(struct seat *seat, enum stage stage)
{
    if (PQpipelineSync(seat->backend.conn) == 1) {
        seat_push(seat, stage);
    } else {
        seat->spoiled = true;
    }
}

static void send_simple(struct seat *seat, enum stage stage, const char *text)
{
    if (PQsendQuery(seat->backend.conn, text) == 1) {
        seat_push(seat, stage);
    } else {
        seat->spoiled = true;
    }
}

// Labels are made of the letters of names: as an array they need no quotes.
static void send_left(struct seat *seat)
{
    bool waits = seat->server_version >= VERSION_TERMINATE_WAITS;
    const char *values[] = {seat->pool->runner->left};
    send_params(seat, STAGE_TERMINATE,
                waits ? "select pg_catalog.pg_terminate_backend(pid, 5000) " LEFT_OF
                      : "select pg_catalog.pg_terminate_backend(pid) " LEFT_OF,
                1, values);
    // Of what is gone already the first says false, so what is left is looked at anew.
    send_sync(seat, STAGE_SYNC_SETUP);
    send_params(seat, STAGE_LEFT, "select pid " LEFT_OF, 1, values);
}

void script_greet(struct seat *seat)
{
    seat->server_version = PQserverVersion(seat->backend.conn);
    seat->use = SEAT_CLEANING;
    PQenterPipelineMode(seat->backend.conn);
    send_params(seat, STAGE_GREETING,
                "select pid, (extract(epoch from backend_start) * 1000000)::bigint "
                "from pg_catalog.pg_stat_activity where pid = pg_catalog.pg_backend_pid()",
                0, NULL);
    if (!seat->pool->cleared && seat->pool->runner->left != NULL) {
        send_left(seat);
    }
    send_sync(seat, STAGE_SYNC_CLEAN);
}

void script_reset(struct seat *seat)
{
    PGconn *conn = seat->backend.conn;
    seat->use = SEAT_CLEANING;
    if (PQpipelineStatus(conn) == PQ_PIPELINE_OFF && PQenterPipelineMode(conn) != 1) {
        seat->spoiled = true;
        return;
    }
    if (PQtransactionStatus(conn) != PQTRANS_IDLE) {
        send_params(seat, STAGE_ROLLBACK, "rollback", 0, NULL);
        send_sync(seat, STAGE_SYNC_ROLLBACK);
    }
    send_params(seat, STAGE_DISCARD, "discard all", 0, NULL);
    send_sync(seat, STAGE_SYNC_CLEAN);
}

// ---- settings -----------------------------------------------------------------------------------

// What is left of the timeout, for the server; a setting of 0 is none.
static void remaining(const struct sql_run *run, char out[24])
{
    struct mono now = clock_mono(run->runner->options.clock);
    int64_t ms = run->timeout.us == 0 ? 0 : duration_ms(mono_since(run->deadline, now));
    ms = run->timeout.us > 0 && ms < 1 ? 1 : ms;
    snprintf(out, 24, "%" PRId64, ms < STATEMENT_TIMEOUT_MAX ? ms : STATEMENT_TIMEOUT_MAX);
}

// The role comes last: it may not be allowed the others.
static void send_settings(struct seat *seat, const struct sql_run *run)
{
    char timeout[24];
    char text[1024];
    const char *local = run->transaction ? "true" : "false";
    remaining(run, timeout);
    const char *values[] = {run->label, timeout, run->run_id, run->role};
    bool checks = seat->server_version >= VERSION_CONNECTION_CHECK;
    snprintf(text, sizeof text,
             "select pg_catalog.set_config('application_name', $1, %s), "
             "pg_catalog.set_config('statement_timeout', $2, %s), "
             "pg_catalog.set_config('ironcron.run_id', $3, %s)%s%s%s%s%s%s",
             local, local, local,
             checks ? ", pg_catalog.set_config('client_connection_check_interval', '1s', " : "",
             checks ? local : "", checks ? ")" : "",
             run->role == NULL ? "" : ", pg_catalog.set_config('role', $4, ",
             run->role == NULL ? "" : local, run->role == NULL ? "" : ")");
    send_params(seat, STAGE_SETTINGS, text, run->role == NULL ? 3 : 4, values);
}

static void send_statement(struct seat *seat, const struct sql_run *run)
{
    send_params(seat, STAGE_STATEMENT, run->statement.text, run->statement.name_count,
                (const char *const *)run->values);
}

// The same for the simple protocol, where nothing may be bound. As commands, since after a query
// SET TRANSACTION would come too late.
static void add_setting(struct buf *out, const struct seat *seat, bool local, const char *name,
                        const char *value)
{
    char *quoted = PQescapeLiteral(seat->backend.conn, value, strlen(value));
    buf_printf(out, "set %s %s = %s;", local ? "local" : "session", name,
               quoted == NULL ? "''" : quoted);
    PQfreemem(quoted);
}

static void send_setup(struct seat *seat, const struct sql_run *run)
{
    AUTO(buf_release) struct buf text;
    char timeout[24];
    bool local = run->transaction;
    buf_init(&text, SETUP_MAX);
    remaining(run, timeout);
    buf_add_string(&text, local ? "begin;" : "");
    add_setting(&text, seat, local, "application_name", run->label);
    add_setting(&text, seat, local, "statement_timeout", timeout);
    add_setting(&text, seat, local, "ironcron.run_id", run->run_id);
    add_setting(&text, seat, local, "idle_in_transaction_session_timeout", "60s");
    if (seat->server_version >= VERSION_CONNECTION_CHECK) {
        add_setting(&text, seat, local, "client_connection_check_interval", "1s");
    }
    if (run->role != NULL) {
        add_setting(&text, seat, local, "role", run->role);
    }
    send_simple(seat, STAGE_SETTINGS, buf_string(&text));
}

// ---- a run --------------------------------------------------------------------------------------

bool script_may_follow(const struct sql_run *run)
{
    return run->way == WAY_PIPELINE;
}

void script_start(struct seat *seat, struct sql_run *run)
{
    seat->use = SEAT_WORKING;
    seat->run = run;
    run->seat = seat;
    sql_run_hand_over(run);
    switch (run->way) {
    case WAY_PIPELINE:
        send_params(seat, STAGE_BEGIN, "begin", 0, NULL);
        send_settings(seat, run);
        send_statement(seat, run);
        send_params(seat, STAGE_COMMIT, "commit", 0, NULL);
        send_sync(seat, STAGE_SYNC_RUN);
        return;
    case WAY_SEPARATE:
        // Without the answer of these the statement could run under the wrong role.
        send_settings(seat, run);
        send_sync(seat, STAGE_SYNC_SETUP);
        return;
    case WAY_SCRIPT:
        PQexitPipelineMode(seat->backend.conn);
        send_setup(seat, run);
        return;
    }
}

// It is to end: what has not been sent is not sent any more.
static bool is_withheld(struct sql_run *run, enum stage done)
{
    if (run->force == FORCE_NONE || done == STAGE_COMMIT ||
        (done == STAGE_STATEMENT && !run->transaction)) {
        return false;
    }
    run->withheld = true;
    sql_run_fail(run, "%s",
                 run->transaction ? "ended before its COMMIT, and rolled back"
                                  : "ended before its statement was sent");
    return true;
}

static bool go_on_script(struct seat *seat, struct sql_run *run, enum stage done)
{
    if (sql_run_has_failed(run) || is_withheld(run, done)) {
        return true;
    }
    switch (done) {
    case STAGE_SETTINGS:
        send_simple(seat, STAGE_STATEMENT, run->statement.text);
        PQsetSingleRowMode(seat->backend.conn);
        return false;
    case STAGE_STATEMENT:
        if (!run->transaction) {
            return true;
        }
        send_simple(seat, STAGE_PROBE,
                    "select pg_catalog.current_setting('ironcron.run_id', true)");
        return false;
    case STAGE_PROBE:
        if (!run->probed) {
            sql_run_fail(run, "its statements end the transaction that they were to run in: remove "
                              "COMMIT and ROLLBACK, or set transaction: false; what was committed "
                              "stays");
            return true;
        }
        run->committing = true;
        send_simple(seat, STAGE_COMMIT, "commit");
        return false;
    default:
        return true;
    }
}

bool script_go_on(struct seat *seat, enum stage done)
{
    struct sql_run *run = seat->run;
    if (run->way == WAY_SCRIPT) {
        return go_on_script(seat, run, done);
    }
    if (done == STAGE_SYNC_SETUP && !sql_run_has_failed(run) && !is_withheld(run, done)) {
        send_statement(seat, run);
        send_sync(seat, STAGE_SYNC_RUN);
        PQsetSingleRowMode(seat->backend.conn);
        return false;
    }
    return done == STAGE_SYNC_RUN || done == STAGE_SYNC_SETUP;
}
