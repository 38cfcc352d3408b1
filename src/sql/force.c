// SPDX-License-Identifier: MIT
#include "sql/force.h"

#include <string.h>

#include "sql/db_pool.h"
#include "sql/runner_private.h"

#define ANSWER_MAX DURATION_S(5)
#define TEXT_MAX   ((size_t)1024 * 1024)

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
    }
}

bool force_is_busy(const struct force *force)
{
    return force->busy;
}

// ---- the connection -----------------------------------------------------------------------------

// Pid and start together name a backend: a pid alone may have been given to another one since.
static void on_ready(struct backend *backend)
{
    struct force *force = force_of(backend);
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
    force->until = mono_add(clock_mono(backend->clock), ANSWER_MAX);
    force->sent = true;
    if (before[0] == '\0' || text.overflow || PQsendQuery(backend->conn, buf_string(&text)) != 1) {
        force_stop(force);
        return;
    }
    backend_flush(backend);
}

static void on_broken(struct backend *backend)
{
    struct force *force = force_of(backend);
    force_stop(force);
    force->until = mono_add(clock_mono(backend->clock), DURATION_S(1)); // not again before
}

static void on_input(struct backend *backend)
{
    struct force *force = force_of(backend);
    bool done = backend->state == BACKEND_BROKEN;
    while (!done && !PQisBusy(backend->conn)) {
        PGresult *result = PQgetResult(backend->conn);
        done = result == NULL;
        PQclear(result);
    }
    if (done) {
        force_stop(force);
        force->until = (struct mono){0};
    }
}

bool force_look(struct force *force, struct mono now)
{
    struct sql_runner *runner = force->pool->runner;
    if (force->busy && force->sent && mono_before(force->until, now)) {
        force_stop(force);
    } else if (force->busy) {
        backend_look(&force->backend, now);
    } else if (!mono_before(now, force->until) && next_wanted(force, runner->runs) != NULL) {
        force->busy = true;
        force->sent = false;
        backend_open(&force->backend, runner->options.loop, runner->options.clock, force->pool->url,
                     &force_events);
    }
    return force->busy;
}
