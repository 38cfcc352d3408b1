// SPDX-License-Identifier: MIT
#include "sql/sql_runner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sql/db_pool.h"
#include "sql/runner_private.h"

#define TICK_BUSY_MS 100
#define TICK_IDLE_MS 5000
// The server's own statement_timeout comes first.
#define TIMEOUT_GRACE DURATION_MS(500)
// From pg_terminate_backend until we stop waiting for it.
#define TERMINATE_MAX DURATION_S(5)

static struct sql_runner *from_port(struct runner *port)
{
    return CONTAINER_OF(port, struct sql_runner, port);
}

static void on_tick(uv_timer_t *timer);
static void on_soon(uv_idle_t *idle);
static void on_told(uv_check_t *check);

// ---- turning ------------------------------------------------------------------------------------

static void set_tick(struct sql_runner *runner, uint64_t ms)
{
    if (ms != runner->tick_ms) {
        runner->tick_ms = ms;
        uv_timer_stop(runner->tick);
        if (ms > 0) {
            uv_timer_start(runner->tick, on_tick, ms, ms);
        }
    }
}

// There is work for the next turn of the loop.
static void work_soon(struct sql_runner *runner)
{
    uv_idle_start(runner->soon, on_soon);
    set_tick(runner, TICK_BUSY_MS);
}

// After all that one turn of the loop has brought, so that their ends are stored together.
void sql_runner_tells(struct sql_runner *runner)
{
    uv_check_start(runner->told, on_told);
}

static void on_told(uv_check_t *check)
{
    struct sql_runner *runner = check->data;
    uv_check_stop(check);
    runner->options.on_told(runner->options.context);
}

void sql_runner_forget(struct sql_runner *runner, struct sql_run *run)
{
    *(run->previous == NULL ? &runner->runs : &run->previous->next) = run->next;
    if (run->next != NULL) {
        run->next->previous = run->previous;
    }
    runner->run_count--;
}

// ---- ending what is to end ----------------------------------------------------------------------

static void escalate(struct sql_run *run, enum sql_run_force force, struct mono until)
{
    run->force = force;
    run->force_wanted = true;
    run->force_until = until;
}

// The first reason counts.
static void look_at_reasons(struct sql_run *run, struct mono now)
{
    const struct sql_runner *runner = run->runner;
    if (run->timed_out || run->cancelled || run->distrusted) {
        return;
    }
    struct mono late = run->seat == NULL || run->deadline.us == INT64_MAX
                           ? run->deadline
                           : mono_add(run->deadline, TIMEOUT_GRACE);
    if (mono_before(runner->trusted_until, now)) {
        run->distrusted = run->at_once = true;
    } else if (mono_before(late, now)) {
        run->timed_out = true;
    }
}

static void look_at_run(struct sql_run *run, struct mono now)
{
    look_at_reasons(run, now);
    if (!run->timed_out && !run->cancelled && !run->distrusted) {
        return;
    }
    if (run->seat == NULL) {
        db_pool_remove(run->pool, run);
        sql_run_give_up(run, NULL);
    } else if (run->force != FORCE_TERMINATE &&
               (run->at_once ||
                (run->force == FORCE_CANCEL && mono_before(run->force_until, now)))) {
        escalate(run, FORCE_TERMINATE, mono_add(now, TERMINATE_MAX));
    } else if (run->force == FORCE_NONE) {
        escalate(run, FORCE_CANCEL, mono_add(now, run->kill_after));
    } else if (run->force == FORCE_TERMINATE && mono_before(run->force_until, now)) {
        db_pool_cut(run, "the server did not confirm it within 5 seconds; it ends when the server "
                         "notices that the connection is closed");
    }
}

static void look_at_runs(struct sql_runner *runner)
{
    struct mono now = clock_mono(runner->options.clock);
    for (struct sql_run *run = runner->runs, *next; run != NULL; run = next) {
        next = run->next;
        look_at_run(run, now);
    }
}

static void drop_empty_pools(struct sql_runner *runner)
{
    for (struct db_pool **link = &runner->pools; *link != NULL;) {
        struct db_pool *pool = *link;
        if (pool->retired && db_pool_is_empty(pool)) {
            *link = pool->next;
            db_pool_free(pool);
        } else {
            link = &pool->next;
        }
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct sql_runner *runner = timer->data;
    look_at_runs(runner);
    struct mono now = clock_mono(runner->options.clock);
    bool busy = runner->run_count > 0;
    bool connected = false;
    for (struct db_pool *pool = runner->pools; pool != NULL; pool = pool->next) {
        busy = db_pool_look(pool, now) || busy;
        connected = connected || pool->seats != NULL || !pool->cleared;
    }
    drop_empty_pools(runner);
    set_tick(runner, busy ? TICK_BUSY_MS : connected ? TICK_IDLE_MS : 0);
}

static void on_soon(uv_idle_t *idle)
{
    struct sql_runner *runner = idle->data;
    uv_idle_stop(idle);
    look_at_runs(runner);
    struct mono now = clock_mono(runner->options.clock);
    for (struct db_pool *pool = runner->pools; pool != NULL; pool = pool->next) {
        db_pool_dispatch(pool);
        force_look(&pool->force, now);
    }
}

// ---- the port -----------------------------------------------------------------------------------

static struct db_pool *pool_of(struct sql_runner *runner, const struct database *database)
{
    for (struct db_pool *pool = runner->pools; pool != NULL; pool = pool->next) {
        if (db_pool_fits(pool, database)) {
            return pool;
        }
    }
    struct db_pool *pool = db_pool_new(runner, database);
    pool->next = runner->pools;
    runner->pools = pool;
    return pool;
}

static bool start(struct runner *port, const struct runner_start *start, struct error *err)
{
    struct sql_runner *runner = from_port(port);
    const struct database *database =
        database_find(runner->databases, runner->database_count, start->job->sql->database);
    if (database == NULL) {
        return error_set(err, ERROR_SPAWN, "cannot start job %s: there is no database \"%s\" now",
                         start->job->name, start->job->sql->database);
    }
    if (database->kind == DATABASE_SQLITE && runner->sqlite != NULL) {
        return runner->sqlite->ops->start(runner->sqlite, start, err);
    }
    if (database->kind == DATABASE_SQLITE) {
        return error_set(err, ERROR_SPAWN, "cannot start job %s: nothing here runs SQL on SQLite",
                         start->job->name);
    }
    struct sql_run *run = sql_run_new(runner, start, err);
    if (run == NULL) {
        return false;
    }
    run->next = runner->runs;
    if (run->next != NULL) {
        run->next->previous = run;
    }
    runner->runs = run;
    runner->run_count++;
    db_pool_add(pool_of(runner, database), run);
    work_soon(runner);
    return true;
}

static void stop(struct runner *port, uint64_t handle, bool at_once)
{
    struct sql_runner *runner = from_port(port);
    for (struct sql_run *run = runner->runs; run != NULL; run = run->next) {
        if (run->handle == handle) {
            run->cancelled = !run->timed_out && !run->distrusted;
            run->at_once |= at_once;
            work_soon(runner);
            return;
        }
    }
}

// After a stop the feeding may come before the look at what runs, which the deadline has ended.
static void feed(struct runner *port, struct mono deadline)
{
    struct sql_runner *runner = from_port(port);
    struct mono now = clock_mono(runner->options.clock);
    for (struct sql_run *run = runner->runs; run != NULL; run = run->next) {
        look_at_reasons(run, now);
    }
    runner->trusted_until = deadline;
}

// ---- life ---------------------------------------------------------------------------------------

static void free_databases(struct sql_runner *runner)
{
    for (size_t i = 0; i < runner->database_count; i++) {
        free((char *)(uintptr_t)runner->databases[i].name);
        free((char *)(uintptr_t)runner->databases[i].url);
        free((char *)(uintptr_t)runner->databases[i].path);
        free((char *)(uintptr_t)runner->databases[i].place);
    }
    free(runner->databases);
}

void sql_runner_set_databases(struct runner *port, const struct database *databases, size_t count)
{
    struct sql_runner *runner = from_port(port);
    free_databases(runner);
    runner->databases = alloc_zero(count + 1, sizeof *runner->databases);
    runner->database_count = count;
    for (size_t i = 0; i < count; i++) {
        struct database *to = &runner->databases[i];
        *to = databases[i];
        to->name = alloc_optional(databases[i].name);
        to->url = alloc_optional(databases[i].url);
        to->path = alloc_optional(databases[i].path);
        to->place = alloc_optional(databases[i].place);
    }
    for (struct db_pool *pool = runner->pools; pool != NULL; pool = pool->next) {
        const struct database *now = database_find(databases, count, pool->name);
        if (now == NULL || !db_pool_fits(pool, now)) {
            pool->retired = true;
        } else {
            pool->connections = now->connections;
        }
    }
    if (runner->pools != NULL) {
        work_soon(runner);
    }
}

void sql_runner_set_sqlite(struct runner *port, struct runner *sqlite)
{
    from_port(port)->sqlite = sqlite;
}

void sql_runner_set_store(struct runner *port, const char *system, int64_t database)
{
    struct sql_runner *runner = from_port(port);
    snprintf(runner->store_system, sizeof runner->store_system, "%s", system == NULL ? "" : system);
    snprintf(runner->store_database, sizeof runner->store_database, "%" PRId64, database);
}

static bool is_left(const struct sql_runner *runner, struct uuid node)
{
    for (size_t i = 0; i < runner->left_count; i++) {
        if (uuid_equal(runner->left[i], node)) {
            return true;
        }
    }
    return false;
}

void sql_runner_end_node(struct runner *port, struct uuid node)
{
    struct sql_runner *runner = from_port(port);
    if (is_left(runner, node)) {
        return;
    }
    if (runner->left_count == LEFT_NODES_MAX) { // the oldest has been dead for long
        memmove(runner->left, runner->left + 1, (LEFT_NODES_MAX - 1) * sizeof *runner->left);
        runner->left_count--;
    }
    runner->left[runner->left_count++] = node;
    for (size_t i = 0; i < runner->database_count; i++) {
        if (runner->databases[i].kind == DATABASE_POSTGRESQL) {
            db_pool_clear(pool_of(runner, &runner->databases[i]));
        }
    }
    work_soon(runner);
}

bool sql_runner_has_ended_left(struct runner *port)
{
    struct sql_runner *runner = from_port(port);
    bool ended = true;
    for (size_t i = 0; i < runner->database_count; i++) {
        if (runner->databases[i].kind == DATABASE_POSTGRESQL) {
            ended = pool_of(runner, &runner->databases[i])->cleared && ended; // it may be new
        }
    }
    if (!ended && runner->tick_ms == 0) {
        work_soon(runner);
    }
    return ended;
}

void sql_runner_set_output_max(struct runner *port, int64_t bytes)
{
    from_port(port)->options.output_max = bytes;
}

struct runner *sql_runner_new(const struct sql_runner_options *options)
{
    static const struct runner_ops ops = {.start = start, .stop = stop, .feed = feed};
    struct sql_runner *runner = alloc_zero(1, sizeof *runner);
    *runner = (struct sql_runner){
        .port = {.ops = &ops}, .options = *options, .trusted_until = MONO_NEVER};
    runner->tick = alloc_zero(1, sizeof *runner->tick);
    runner->soon = alloc_zero(1, sizeof *runner->soon);
    runner->told = alloc_zero(1, sizeof *runner->told);
    uv_timer_init(options->loop, runner->tick);
    uv_idle_init(options->loop, runner->soon);
    uv_check_init(options->loop, runner->told);
    runner->tick->data = runner->soon->data = runner->told->data = runner;
    return &runner->port;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void sql_runner_free(struct runner *port)
{
    if (port == NULL) {
        return;
    }
    struct sql_runner *runner = from_port(port);
    for (struct db_pool *pool; (pool = runner->pools) != NULL;) {
        runner->pools = pool->next;
        db_pool_free(pool);
    }
    for (struct sql_run *run; (run = runner->runs) != NULL;) {
        sql_runner_forget(runner, run);
        sql_run_free(run);
    }
    uv_close((uv_handle_t *)runner->tick, free_handle);
    uv_close((uv_handle_t *)runner->soon, free_handle);
    uv_close((uv_handle_t *)runner->told, free_handle);
    free_databases(runner);
    free(runner);
}
