// SPDX-License-Identifier: MIT
#include "sql/force.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sql/db_pool.h"
#include "sql/runner_private.h"

#define ANSWER_MAX DURATION_S(5)
#define TEXT_MAX   ((size_t)1024 * 1024)
// The server itself waits up to 5 s for what it terminates.
#define CLEAR_ANSWER_MAX DURATION_S(8)
// From then on pg_terminate_backend can wait until the backend is gone.
#define VERSION_TERMINATE_WAITS 140000

static void on_ready(struct backend *backend);
static void on_broken(struct backend *backend);
static void on_input(struct backend *backend);
static const struct backend_events force_events = {on_ready, on_broken, on_input};

static struct force *force_of(struct backend *backend)
{
    return CONTAINER_OF(backend, struct force, backend);
}

static struct sql_run *next_wanted(const struct force *force, struct sql_run *run)
{
    while (run != NULL &&
           !(run->force_wanted && run->seat != NULL && run->seat->pool == force->pool)) {
        run = run->next;
    }
    return run;
}

void force_stop(struct force *force)
{
    if (force->busy) {
        backend_close(&force->backend);
        force->busy = false;
        force->until = (struct mono){0};
    }
}

bool force_is_busy(const struct force *force)
{
    return force->busy;
}

// ---- what is sent -------------------------------------------------------------------------------

static void ask(struct force *force, const struct buf *text, struct duration patience)
{
    struct backend *backend = &force->backend;
    force->until = mono_add(clock_mono(backend->clock), patience);
    force->sent = true;
    if (text->overflow || PQsendQuery(backend->conn, buf_string(text)) != 1) {
        force_stop(force);
        return;
    }
    backend_flush(backend);
}

// Pid and start together name a backend: a pid alone may have been given to another one since.
static void send_runs(struct force *force)
{
    AUTO(buf_release) struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_add_string(&text, "select case when w.kill then pg_catalog.pg_terminate_backend(a.pid) "
                          "else pg_catalog.pg_cancel_backend(a.pid) end "
                          "from pg_catalog.pg_stat_activity a join (values ");
    const char *before = "";
    struct sql_run *run = next_wanted(force, force->pool->runner->runs);
    for (; run != NULL; run = next_wanted(force, run->next)) {
        const struct seat *seat = run->seat;
        buf_printf(&text, "%s(%d, %s::bigint, %s)", before, seat->pid,
                   seat->backend_start[0] == '\0' ? "null" : seat->backend_start,
                   run->force == FORCE_TERMINATE ? "true" : "false");
        run->force_wanted = false;
        before = ", ";
    }
    buf_add_string(&text, ") as w(pid, start, kill) on a.pid = w.pid and (w.start is null or "
                          "w.start = (extract(epoch from a.backend_start) * 1000000)::bigint)");
    force->step = FORCE_STEP_RUNS;
    if (before[0] == '\0') {
        force_stop(force);
        return;
    }
    ask(force, &text, ANSWER_MAX);
}

// The backends of dead nodes, by what all of a node's are called. Labels need no quotes.
static void add_left(const struct sql_runner *runner, struct buf *out)
{
    buf_printf(out,
               "from pg_catalog.pg_stat_activity where pid <> pg_catalog.pg_backend_pid() and "
               "pg_catalog.left(application_name, %d) = any('{",
               SQL_NODE_LABEL_LENGTH);
    for (size_t i = 0; i < runner->left_count; i++) {
        char label[SQL_NODE_LABEL_SIZE];
        sql_node_label(runner->left[i], label);
        buf_printf(out, "%s%s", i == 0 ? "" : ",", label);
    }
    buf_add_string(out, "}'::text[])");
}

// One that belongs to a role of which we are none would fail the others with it. What is gone in
// the meantime is answered by no, as what resists is, and so is looked at anew.
static void send_left(struct force *force, enum force_step step)
{
    AUTO(buf_release) struct buf text;
    buf_init(&text, TEXT_MAX);
    bool waits = PQserverVersion(force->backend.conn) >= VERSION_TERMINATE_WAITS;
    if (step == FORCE_STEP_LOOK) {
        buf_add_string(&text, "select pid ");
        add_left(force->pool->runner, &text);
    } else {
        buf_printf(&text, "select pg_catalog.pg_terminate_backend(pid%s) ", waits ? ", 5000" : "");
        add_left(force->pool->runner, &text);
        buf_add_string(&text, " and pg_catalog.pg_has_role(usesysid, 'USAGE')");
    }
    force->step = step;
    force->left_pid = 0;
    ask(force, &text, CLEAR_ANSWER_MAX);
}

// ---- the connection -----------------------------------------------------------------------------

static void on_ready(struct backend *backend)
{
    struct force *force = force_of(backend);
    if (force->pool->cleared) {
        send_runs(force);
    } else {
        send_left(force, FORCE_STEP_LEFT);
    }
}

static void on_broken(struct backend *backend)
{
    struct force *force = force_of(backend);
    force_stop(force);
    force->until = mono_add(clock_mono(backend->clock), DURATION_S(1)); // not again before
}

static void note_left(const struct force *force)
{
    if (force->left_pid != 0) {
        LOG(LOG_ERROR, "backends_left",
            "on %s backend %d of a node that died may still run: it could not be terminated; see "
            "pg_stat_activity, application_name ironcron/...",
            db_pool_name(force->pool), force->left_pid);
    }
}

// What was sent is answered.
static void go_on(struct force *force)
{
    switch (force->step) {
    case FORCE_STEP_LEFT:
        send_left(force, FORCE_STEP_LOOK);
        return;
    case FORCE_STEP_LOOK:
        note_left(force);
        send_runs(force);
        db_pool_cleared(force->pool);
        return;
    case FORCE_STEP_RUNS:
        force_stop(force);
        return;
    }
}

static void take(struct force *force, const PGresult *result)
{
    if (force->step == FORCE_STEP_LOOK && PQntuples(result) > 0) {
        force->left_pid = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
    }
}

static void on_input(struct backend *backend)
{
    struct force *force = force_of(backend);
    if (backend->state == BACKEND_BROKEN) {
        on_broken(backend);
        return;
    }
    while (!PQisBusy(backend->conn)) {
        PGresult *result = PQgetResult(backend->conn);
        if (result == NULL) {
            go_on(force);
            return;
        }
        take(force, result);
        PQclear(result);
    }
}

bool force_look(struct force *force, struct mono now)
{
    struct sql_runner *runner = force->pool->runner;
    bool wanted = !force->pool->cleared || next_wanted(force, runner->runs) != NULL;
    if (force->busy && force->sent && mono_before(force->until, now)) {
        force_stop(force);
    } else if (force->busy) {
        backend_look(&force->backend, now);
    } else if (!mono_before(now, force->until) && wanted) {
        force->busy = true;
        force->sent = false;
        backend_open(&force->backend, runner->options.loop, runner->options.clock, force->pool->url,
                     &force_events);
    }
    return force->busy;
}
