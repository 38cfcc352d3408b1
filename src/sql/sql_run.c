// SPDX-License-Identifier: MIT
#include "sql/sql_run.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "job/params.h"
#include "sql/db_pool.h"
#include "sql/runner_private.h"
#include "statement/lexer.h"
#include "time/format.h"

#define ERROR_MAX 4000

// ---- making -------------------------------------------------------------------------------------

static char *value_of(const char *name, const struct runner_start *start)
{
    char text[64];
    if (strcmp(name, "due_at") == 0) {
        format_utc_ms(start->due_at, text);
    } else if (strcmp(name, "run_id") == 0) {
        uuid_format(start->run_id, text);
    } else if (strcmp(name, "fence") == 0) {
        snprintf(text, sizeof text, "%" PRId64, start->fence);
    } else {
        const struct job_variable *param = job_params_find(start->params, name);
        CHECK(param != NULL); // a declared one always has a value, or the run was refused
        return alloc_string(param->value);
    }
    return alloc_string(text);
}

// The names outlive the job that they are borrowed from only as positions.
static void bind_values(struct sql_run *run, const struct runner_start *start)
{
    size_t count = run->statement.name_count;
    run->values = alloc_zero(count + 1, sizeof *run->values);
    for (size_t i = 0; i < count; i++) {
        run->values[i] = value_of(run->statement.names[i], start);
    }
}

// COPY may want to talk to its client, which a pipeline does not survive.
static bool begins_with_copy(const char *text)
{
    struct lexer lexer = {.text = text, .dialect = STATEMENT_POSTGRESQL};
    struct lexeme lexeme;
    struct error err = ERROR_INIT;
    do {
        if (!lexer_next(&lexer, &lexeme, &err)) {
            return false;
        }
    } while (lexeme.kind == LEXEME_BLANK ||
             (lexeme.kind == LEXEME_OTHER && text[lexeme.start] == ';'));
    return lexeme.length == 4 && strncasecmp(text + lexeme.start, "copy", 4) == 0;
}

static enum sql_run_way way_of(const struct sql_run *run)
{
    if (!run->statement.is_single || begins_with_copy(run->statement.text)) {
        return WAY_SCRIPT;
    }
    return run->transaction ? WAY_PIPELINE : WAY_SEPARATE;
}

static bool parse(struct sql_run *run, const struct runner_start *start, struct error *err)
{
    const char *names[JOB_PARAMS_MAX + 1];
    job_params_names(start->params, names);
    if (!statement_parse(start->job->sql->statement, STATEMENT_POSTGRESQL, names, &run->statement,
                         err)) {
        return error_wrap(err, "the statement of job %s", start->job->name);
    }
    bind_values(run, start);
    run->way = way_of(run);
    return true;
}

void sql_node_label(struct uuid node, char out[SQL_NODE_LABEL_SIZE])
{
    char id[UUID_TEXT_SIZE];
    uuid_format(node, id);
    // The end of an id is its random part.
    snprintf(out, SQL_NODE_LABEL_SIZE, "ironcron/%.12s", id + 24);
}

// 63 bytes are kept by the server.
static void set_label(struct sql_run *run)
{
    char node[SQL_NODE_LABEL_SIZE];
    sql_node_label(run->runner->options.node, node);
    snprintf(run->label, sizeof run->label, "%s/%.28s/%s", node, run->job, run->run_id + 24);
}

static void describe(struct sql_run *run, const struct runner_start *start)
{
    const struct job *job = start->job;
    run->job = alloc_string(job->name);
    uuid_format(start->run_id, run->run_id);
    set_label(run);
    run->role = alloc_optional(job->sql->role);
    run->transaction = job->sql->transaction;
    run->timeout = job->timeout;
    run->kill_after = job->kill_after;
}

struct sql_run *sql_run_new(struct sql_runner *runner, const struct runner_start *start,
                            struct error *err)
{
    struct sql_run *run = alloc_zero(1, sizeof *run);
    run->runner = runner;
    run->handle = start->run;
    run->fence = start->fence;
    run->accepted = clock_mono(runner->options.clock);
    describe(run, start);
    run->deadline = run->timeout.us == 0 ? MONO_NEVER : mono_add(run->accepted, run->timeout);
    output_init(&run->output, runner->options.output_max);
    buf_init(&run->error, ERROR_MAX);
    if (!parse(run, start, err)) {
        sql_run_free(run);
        return NULL;
    }
    return run;
}

void sql_run_free(struct sql_run *run)
{
    for (size_t i = 0; run->values != NULL && i < run->statement.name_count; i++) {
        free(run->values[i]);
    }
    free(run->values);
    statement_release(&run->statement);
    output_release(&run->output);
    rows_release(&run->rows);
    buf_release(&run->error);
    free(run->job);
    free(run->role);
    free(run);
}

// ---- while it goes on ---------------------------------------------------------------------------

void sql_run_put(struct sql_run *run, const struct buf *text)
{
    const struct runner_events *events = &run->runner->port.events;
    if (text->length > 0 &&
        output_tell(&run->output, events, run->handle, text->data, text->length)) {
        sql_runner_tells(run->runner);
    }
}

void sql_run_fail(struct sql_run *run, const char *format, ...)
{
    if (run->error.length > 0) {
        return;
    }
    char text[ERROR_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_add_string(&run->error, text);
}

bool sql_run_has_failed(const struct sql_run *run)
{
    return run->error.length > 0;
}

void sql_run_hand_over(struct sql_run *run)
{
    const struct runner_events *events = &run->runner->port.events;
    run->handed_over = true;
    sql_runner_tells(run->runner);
    events->on_started(events->context, run->handle, 0);
}

// ---- the end ------------------------------------------------------------------------------------

char *sql_run_facts(const struct sql_run *run)
{
    json_t *facts = json_object();
    if (run->command[0] != '\0') {
        json_object_set_new(facts, "command", json_string(run->command));
        json_object_set_new(facts, "rows", json_integer(run->row_count));
    }
    if (run->sqlstate[0] != '\0') {
        json_object_set_new(facts, "sqlstate", json_string(run->sqlstate));
    }
    char *text = json_dumps(facts, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(facts);
    return text;
}

static void tell(struct sql_run *run, enum runner_end_kind kind, const char *error)
{
    const struct runner_events *events = &run->runner->port.events;
    char *facts = sql_run_facts(run);
    char *masked = error == NULL ? NULL : log_mask(error);
    struct runner_end end = {.kind = kind,
                             .duration =
                                 mono_since(clock_mono(run->runner->options.clock), run->accepted),
                             .output_bytes = run->output.total,
                             .output_cut = run->output.left_out > 0,
                             .error = masked,
                             .failure = FAILURE_SQL,
                             .settles = run->own && run->committing,
                             .facts = facts};
    uint64_t handle = run->handle;
    output_tell_rest(&run->output, events, handle);
    sql_runner_forget(run->runner, run);
    sql_runner_tells(run->runner);
    events->on_end(events->context, handle, &end);
    free(facts);
    free(masked);
    sql_run_free(run);
}

// Whoever wanted it to end decides what the end is called.
static enum runner_end_kind kind_of(const struct sql_run *run)
{
    return run->distrusted  ? RUNNER_GONE
           : run->timed_out ? RUNNER_TIMED_OUT
           : run->cancelled ? RUNNER_CANCELLED
                            : RUNNER_FAILED;
}

static void timeout_text(const struct sql_run *run, char out[80])
{
    char text[FORMAT_DURATION_SIZE];
    format_duration(run->timeout, text);
    snprintf(out, 80, "not done after its timeout of %s", text);
}

void sql_run_finish(struct sql_run *run)
{
    bool late = mono_before(run->deadline,
                            mono_add(clock_mono(run->runner->options.clock), DURATION_MS(20)));
    bool stopped_by_server = strcmp(run->sqlstate, "57014") == 0;
    run->timed_out |= stopped_by_server && late && !run->cancelled;
    enum runner_end_kind kind = kind_of(run);
    char limit[80];
    timeout_text(run, limit);
    if (!sql_run_has_failed(run)) {
        tell(run, RUNNER_SUCCEEDED, NULL);
    } else if (kind == RUNNER_TIMED_OUT && stopped_by_server) {
        buf_clear(&run->error);
        sql_run_fail(run, "%s; the server cancelled it%s", limit,
                     run->transaction ? " and rolled back" : "");
        tell(run, kind, buf_string(&run->error));
    } else if (kind == RUNNER_FAILED && stopped_by_server) {
        buf_add_string(&run->error, "; somebody cancelled it on the server, or a statement_timeout "
                                    "that the statement, its role or the database sets");
        tell(run, kind, buf_string(&run->error));
    } else {
        bool stopped = stopped_by_server || run->withheld;
        tell(run, stopped ? kind : RUNNER_FAILED, buf_string(&run->error));
    }
}

// What is known of the effect of a run whose connection is gone.
static const char *effect(const struct sql_run *run)
{
    if (!run->handed_over) {
        return "nothing of it was executed";
    }
    if (!run->transaction) {
        return "what it had done by then may stay";
    }
    if (run->fatal) {
        return "the transaction was rolled back";
    }
    if (run->own) { // where it was not, its SUCCESS stands and this is read by nobody
        return "its transaction, which holds its end as well, was rolled back";
    }
    return run->committing ? "the connection was lost while COMMIT was under way: it may or may "
                             "not have been committed"
                           : "all of it, with its COMMIT, was on its way to the server: it may or "
                             "may not have been committed";
}

static const char *unfinished_effect(const struct sql_run *run)
{
    bool whole = (run->way == WAY_PIPELINE && !run->own) || run->committing;
    return run->transaction && !run->fatal && run->handed_over && !whole
               ? "COMMIT was not sent, so the transaction is rolled back"
               : effect(run);
}

void sql_run_lose(struct sql_run *run, const char *why)
{
    enum runner_end_kind kind = kind_of(run);
    const char *place = db_pool_name(run->pool);
    const char *what = unfinished_effect(run);
    char limit[80];
    timeout_text(run, limit);
    char text[ERROR_MAX + 512];
    if (kind == RUNNER_TIMED_OUT || kind == RUNNER_GONE) {
        snprintf(text, sizeof text, "%s; its backend on %s was ended%s%s: %s",
                 kind == RUNNER_GONE ? "ended at the trust deadline" : limit, place,
                 why == NULL ? "" : ", ", why == NULL ? "" : why, what);
    } else if (sql_run_has_failed(run)) {
        snprintf(text, sizeof text, "%s; the connection to %s ended: %s", buf_string(&run->error),
                 place, what);
    } else {
        snprintf(text, sizeof text, "the connection to %s was lost (%s): %s", place,
                 why == NULL ? "closed" : why, what);
    }
    tell(run, kind, text);
}

void sql_run_give_up(struct sql_run *run, const char *text)
{
    enum runner_end_kind kind = kind_of(run);
    char own[256];
    char limit[80];
    timeout_text(run, limit);
    if (kind == RUNNER_TIMED_OUT) {
        snprintf(own, sizeof own,
                 "%s: it waited for a connection to %.100s all that time; raise its "
                 "\"connections\"",
                 limit, db_pool_name(run->pool));
        text = own;
    } else if (kind == RUNNER_GONE) {
        text = "ended at the trust deadline before it came to a connection";
    }
    tell(run, kind, text);
}
