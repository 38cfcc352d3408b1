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
#define STATEMENT_TIMEOUT_MAX    ((int64_t)INT32_MAX)
#define SETUP_MAX                ((size_t)8192)

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

// The rights are looked up in the catalogue, where what is not there is no error. What changes the
// isolation or forbids writing changes what an end within the transaction would mean.
static void send_identity(struct seat *seat)
{
    const struct sql_runner *runner = seat->pool->runner;
    const char *values[] = {runner->store_system, runner->store_database};
    send_params(
        seat, STAGE_IDENTITY,
        "select coalesce(pg_catalog.bool_or(pg_catalog.has_schema_privilege(n.oid, 'usage') "
        "and pg_catalog.has_function_privilege(p.oid, 'execute')), false), "
        "pg_catalog.current_setting('default_transaction_isolation') = 'read committed' "
        "and pg_catalog.current_setting('default_transaction_read_only') = 'off' "
        "from pg_catalog.pg_control_system() s join pg_catalog.pg_database d "
        "on d.datname = pg_catalog.current_database() "
        "left join pg_catalog.pg_namespace n on n.nspname = 'ironcron' "
        "left join pg_catalog.pg_proc p on p.pronamespace = n.oid "
        "and p.proname = 'finish_own' "
        "where s.system_identifier::text = $1 and d.oid::text = $2 "
        "group by d.oid",
        2, values);
    send_sync(seat, STAGE_SYNC_ROLLBACK); // where it may not be asked nothing else fails with it
}

void script_greet(struct seat *seat)
{
    seat->server_version = PQserverVersion(seat->backend.conn);
    seat->use = SEAT_CLEANING;
    PQenterPipelineMode(seat->backend.conn);
    if (seat->pool->runner->store_system[0] != '\0') {
        send_identity(seat);
    }
    // The view pg_stat_activity would be planned for as long as all else of a connection takes.
    send_params(seat, STAGE_GREETING,
                "select pid, (extract(epoch from backend_start) * 1000000)::bigint "
                "from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())",
                0, NULL);
    send_sync(seat, STAGE_SYNC_CLEAN);
}

// What a run may have left in its session. On the store's own database the plans stay, which are
// nobody's: there each run ends by a function that would have to be planned anew, for longer than
// all else takes.
static void send_discard(struct seat *seat, enum stage stage)
{
    static const char *const all[] = {"discard all", NULL};
    static const char *const all_but_plans[] = {"close all",
                                                "set session authorization default",
                                                "reset all",
                                                "deallocate all",
                                                "unlisten *",
                                                "select pg_catalog.pg_advisory_unlock_all()",
                                                "discard temp",
                                                "discard sequences",
                                                NULL};
    for (const char *const *part = seat->is_store ? all_but_plans : all; *part != NULL; part++) {
        send_params(seat, stage, *part, 0, NULL);
    }
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
    send_discard(seat, STAGE_DISCARD);
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

// With the reset in the same message neither side wakes a second time for it. Where the COMMIT is
// not reached the server skips both.
static void send_commit(struct seat *seat)
{
    send_params(seat, STAGE_COMMIT, "commit", 0, NULL);
    send_discard(seat, STAGE_TIDY);
    send_sync(seat, STAGE_SYNC_RUN);
}

bool script_may_follow(const struct sql_run *run)
{
    return run->way == WAY_PIPELINE;
}

void script_start(struct seat *seat, struct sql_run *run)
{
    seat->use = SEAT_WORKING;
    seat->run = run;
    run->seat = seat;
    run->own = seat->is_store && run->transaction;
    seat->is_tidy = false;
    sql_run_hand_over(run);
    switch (run->way) {
    case WAY_PIPELINE:
        send_params(seat, STAGE_BEGIN, "begin", 0, NULL);
        send_settings(seat, run);
        send_statement(seat, run);
        if (run->own) { // its end is written when what it did is known
            (void)PQsendFlushRequest(seat->backend.conn);
            return;
        }
        send_commit(seat);
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

// ---- a run on the store's own database ----------------------------------------------------------

// The end of a run that has done what it was to do, as the engine will write it as well.
static void send_finish(struct seat *seat, const struct sql_run *run)
{
    char fence[24];
    char duration[24];
    struct duration took = mono_since(clock_mono(run->runner->options.clock), run->accepted);
    char *facts = sql_run_facts(run);
    snprintf(fence, sizeof fence, "%" PRId64, run->fence);
    snprintf(duration, sizeof duration, "%" PRId64, duration_ms(took));
    const char *values[] = {run->run_id, fence, duration, facts};
    send_params(seat, STAGE_FINISH,
                "select ironcron.finish_own($1::pg_catalog.uuid, $2::pg_catalog.int8, "
                "$3::pg_catalog.int8, $4::pg_catalog.text)",
                4, values);
    free(facts);
}

// What the role has deferred is carried out as that role; the end is written as who is connected.
static void send_own_end(struct seat *seat, struct sql_run *run)
{
    send_params(seat, STAGE_CHECK, "set constraints all immediate", 0, NULL);
    send_params(seat, STAGE_ROLE, "reset role", 0, NULL);
    send_finish(seat, run);
    run->committing = true;
    send_commit(seat);
}

static bool go_on_own(struct seat *seat, struct sql_run *run, enum stage done)
{
    if (done != STAGE_STATEMENT) {
        return done == STAGE_SYNC_RUN;
    }
    if (sql_run_has_failed(run) || is_withheld(run, STAGE_SYNC_SETUP)) {
        send_sync(seat, STAGE_SYNC_RUN);
    } else {
        send_own_end(seat, run);
    }
    return false;
}

// The same step by step. From its end to its COMMIT it has the job's row, for which all others
// wait: should we stand still just there the server gives it up.
static void go_on_own_script(struct seat *seat, struct sql_run *run, enum stage done)
{
    switch (done) {
    case STAGE_PROBE:
        send_simple(seat, STAGE_CHECK,
                    "set constraints all immediate; reset role;"
                    "set local idle_in_transaction_session_timeout = '5s'");
        return;
    case STAGE_CHECK:
        send_finish(seat, run);
        return;
    default:
        run->committing = true;
        send_simple(seat, STAGE_COMMIT, "commit");
        return;
    }
}

// ---- a run, further -----------------------------------------------------------------------------

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
                    "select pg_catalog.current_setting('ironcron.run_id', true), "
                    "pg_catalog.current_setting('transaction_isolation') = 'read committed' "
                    "and pg_catalog.current_setting('transaction_read_only') = 'off'");
        return false;
    case STAGE_PROBE:
        if (!run->probed) {
            sql_run_fail(run, "its statements end the transaction that they were to run in: remove "
                              "COMMIT and ROLLBACK, or set transaction: false; what was committed "
                              "stays");
            return true;
        }
        if (run->own) {
            go_on_own_script(seat, run, done);
            return false;
        }
        run->committing = true;
        send_simple(seat, STAGE_COMMIT, "commit");
        return false;
    case STAGE_CHECK:
    case STAGE_FINISH:
        go_on_own_script(seat, run, done);
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
    if (run->own) {
        return go_on_own(seat, run, done);
    }
    if (done == STAGE_SYNC_SETUP && !sql_run_has_failed(run) && !is_withheld(run, done)) {
        send_statement(seat, run);
        send_sync(seat, STAGE_SYNC_RUN);
        PQsetSingleRowMode(seat->backend.conn);
        return false;
    }
    return done == STAGE_SYNC_RUN || done == STAGE_SYNC_SETUP;
}
