// SPDX-License-Identifier: MIT
#include "sql/db_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "sql/answer.h"
#include "sql/runner_private.h"
#include "sql/script.h"
#include "time/format.h"

#define IDLE_MAX DURATION_S(90)
#define HOLD     DURATION_S(1)
// From the death of a node until its backends are not waited for any more, where there is a
// connection.
#define CLEAR_MAX DURATION_S(30)

static void seat_ready(struct backend *backend);
static void seat_broken(struct backend *backend);
static void seat_input(struct backend *backend);
static const struct backend_events seat_events = {seat_ready, seat_broken, seat_input};

static struct seat *seat_of(struct backend *backend)
{
    return CONTAINER_OF(backend, struct seat, backend);
}

const char *db_pool_name(const struct db_pool *pool)
{
    return pool->name;
}

// ---- seats --------------------------------------------------------------------------------------

static void seat_open(struct db_pool *pool)
{
    struct sql_runner *runner = pool->runner;
    struct seat *seat = alloc_zero(1, sizeof *seat);
    seat->pool = pool;
    seat->use = SEAT_OPENING;
    seat->next = pool->seats;
    pool->seats = seat;
    pool->seat_count++;
    backend_open(&seat->backend, runner->options.loop, runner->options.clock, pool->url,
                 &seat_events);
}

static void seat_close(struct seat *seat)
{
    struct db_pool *pool = seat->pool;
    struct seat **link = &pool->seats;
    while (*link != seat) {
        link = &(*link)->next;
    }
    *link = seat->next;
    pool->seat_count--;
    backend_close(&seat->backend);
    free(seat);
}

// ---- the line -----------------------------------------------------------------------------------

void db_pool_add(struct db_pool *pool, struct sql_run *run)
{
    run->pool = pool;
    run->next_waiting = NULL;
    *(pool->waiting_last == NULL ? &pool->waiting_first : &pool->waiting_last->next_waiting) = run;
    pool->waiting_last = run;
}

void db_pool_remove(struct db_pool *pool, struct sql_run *run)
{
    struct sql_run *before = NULL;
    for (struct sql_run *at = pool->waiting_first; at != run; at = at->next_waiting) {
        before = at;
    }
    *(before == NULL ? &pool->waiting_first : &before->next_waiting) = run->next_waiting;
    if (pool->waiting_last == run) {
        pool->waiting_last = before;
    }
}

static void start_next(struct seat *seat)
{
    struct sql_run *run = seat->pool->waiting_first;
    db_pool_remove(seat->pool, run);
    script_start(seat, run);
}

static size_t count_waiting(const struct db_pool *pool, size_t limit)
{
    size_t count = 0;
    for (const struct sql_run *run = pool->waiting_first; run != NULL && count < limit;
         run = run->next_waiting) {
        count++;
    }
    return count;
}

static size_t count_coming(const struct db_pool *pool)
{
    size_t count = 0;
    for (const struct seat *seat = pool->seats; seat != NULL; seat = seat->next) {
        count += seat->use == SEAT_OPENING || (seat->use == SEAT_CLEANING && seat->run == NULL);
    }
    return count;
}

void db_pool_dispatch(struct db_pool *pool)
{
    for (struct seat *seat = pool->seats;
         seat != NULL && pool->waiting_first != NULL && pool->cleared; seat = seat->next) {
        if (seat->use == SEAT_IDLE) {
            start_next(seat);
            backend_flush(&seat->backend);
        }
    }
    struct mono now = clock_mono(pool->runner->options.clock);
    size_t limit = (size_t)pool->connections;
    size_t wanted = count_waiting(pool, limit + 1);
    for (size_t coming = count_coming(pool);
         coming < wanted && !mono_before(now, pool->held_until) &&
         pool->seat_count < pool->connections;
         coming++) {
        seat_open(pool);
    }
}

// ---- a database that cannot be reached ----------------------------------------------------------

static bool has_connected(const struct db_pool *pool)
{
    for (const struct seat *seat = pool->seats; seat != NULL; seat = seat->next) {
        if (seat->use != SEAT_OPENING) {
            return true;
        }
    }
    return false;
}

static void describe_down(struct db_pool *pool, const char *why, struct buf *out)
{
    char since[FORMAT_TIME_SIZE];
    format_utc_ms(pool->down_since, since);
    buf_printf(out,
               "cannot connect to database %s (%s), since %s: %s; check that it runs there "
               "and that its url is right; nothing of this run was executed",
               pool->name, pool->place, since, why);
}

// All that wait would get the same answer. Where others are connected it may only be full.
static void seat_failed(struct seat *seat)
{
    struct db_pool *pool = seat->pool;
    struct clock *clock = pool->runner->options.clock;
    if (instant_is_none(pool->down_since)) {
        pool->down_since = clock_now(clock);
    }
    AUTO(buf_release) struct buf text;
    buf_init(&text, 4096);
    describe_down(pool, seat->backend.error.text, &text);
    seat_close(seat);
    if (has_connected(pool)) {
        pool->held_until = mono_add(clock_mono(clock), HOLD);
        return;
    }
    struct sql_run *run = pool->waiting_first;
    pool->waiting_first = pool->waiting_last = NULL;
    for (struct sql_run *next; run != NULL; run = next) {
        next = run->next_waiting;
        sql_run_give_up(run, buf_string(&text));
    }
}

// ---- what happens on a connection ---------------------------------------------------------------

static void seat_ready(struct backend *backend)
{
    struct seat *seat = seat_of(backend);
    seat->pool->down_since = INSTANT_NONE;
    seat->pid = PQbackendPID(backend->conn);
    PQsetNoticeReceiver(backend->conn, answer_notice, seat);
    script_greet(seat);
    backend_flush(backend);
}

static void seat_lose(struct seat *seat, const char *why)
{
    struct db_pool *pool = seat->pool;
    struct sql_run *run = seat->run;
    char text[512];
    snprintf(text, sizeof text, "%.*s", (int)strcspn(why, "\n"), why);
    seat_close(seat);
    if (run != NULL) {
        sql_run_lose(run, text);
    }
    db_pool_dispatch(pool);
}

static void seat_broken(struct backend *backend)
{
    struct seat *seat = seat_of(backend);
    if (seat->use == SEAT_OPENING) {
        seat_failed(seat);
    } else {
        seat_lose(seat, backend->error.text);
    }
}

static void seat_idle(struct seat *seat)
{
    seat->use = SEAT_IDLE;
    seat->idle_since = clock_mono(seat->backend.clock);
    db_pool_dispatch(seat->pool);
}

// The run has its answer. What was forced may still be on its way, and must not hit the next run.
static bool seat_answered(struct seat *seat)
{
    struct db_pool *pool = seat->pool;
    struct sql_run *run = seat->run;
    bool forced = run->force != FORCE_NONE || seat->spoiled;
    seat->run = NULL;
    sql_run_finish(run);
    if (forced || pool->retired) {
        seat_close(seat);
        db_pool_dispatch(pool);
        return false;
    }
    if (seat->is_tidy) {
        seat_idle(seat);
        return true;
    }
    script_reset(seat);
    if (pool->waiting_first != NULL && pool->cleared && script_may_follow(pool->waiting_first)) {
        start_next(seat);
    }
    backend_flush(&seat->backend);
    return true;
}

static bool seat_done(struct seat *seat, enum stage done)
{
    if (done == STAGE_SYNC_CLEAN) {
        if (seat->run == NULL) {
            seat_idle(seat);
        }
        return true;
    }
    // A run that follows is there already while its connection is still being reset.
    bool cleaning = done == STAGE_IDENTITY || done == STAGE_GREETING || done == STAGE_ROLLBACK ||
                    done == STAGE_DISCARD || done == STAGE_SYNC_ROLLBACK;
    if (seat->run == NULL || cleaning) {
        return true;
    }
    if (script_go_on(seat, done)) {
        return seat_answered(seat);
    }
    backend_flush(&seat->backend);
    return true;
}

static void seat_input(struct backend *backend)
{
    struct seat *seat = seat_of(backend);
    if (!answer_take(seat, seat_done)) {
        return;
    }
    if (backend->state == BACKEND_BROKEN || PQstatus(backend->conn) == CONNECTION_BAD) {
        seat_lose(seat, PQerrorMessage(backend->conn));
    } else if (seat->spoiled && seat->run != NULL && sql_run_has_failed(seat->run)) {
        seat_answered(seat);
    } else if (seat->spoiled) {
        seat_lose(seat, "it could not be reset");
    } else {
        backend_flush(backend);
    }
}

void db_pool_cut(struct sql_run *run, const char *why)
{
    run->seat->run = NULL;
    seat_close(run->seat);
    run->seat = NULL;
    sql_run_lose(run, why);
}

// ---- what dead nodes have left ------------------------------------------------------------------

void db_pool_clear(struct db_pool *pool)
{
    pool->cleared = pool->runner->left_count == 0;
    pool->clear_until = mono_add(clock_mono(pool->runner->options.clock), CLEAR_MAX);
}

void db_pool_cleared(struct db_pool *pool)
{
    pool->cleared = true;
    db_pool_dispatch(pool);
}

// Runs do not wait for ever for what nobody can end.
static void look_at_left(struct db_pool *pool, struct mono now)
{
    if (!pool->cleared && has_connected(pool) && mono_before(pool->clear_until, now)) {
        LOG(LOG_ERROR, "backends_left",
            "on %s nobody could look for backends of a node that died, which may still run: see "
            "pg_stat_activity, application_name ironcron/...",
            pool->name);
        db_pool_cleared(pool);
    }
}

// ---- time ---------------------------------------------------------------------------------------

static bool is_idle_for_long(const struct seat *seat, struct mono now)
{
    return seat->use == SEAT_IDLE &&
           (seat->pool->retired || mono_since(now, seat->idle_since).us > IDLE_MAX.us);
}

bool db_pool_look(struct db_pool *pool, struct mono now)
{
    bool soon = pool->waiting_first != NULL;
    for (struct seat *seat = pool->seats, *next; seat != NULL; seat = next) {
        next = seat->next;
        soon |= seat->use != SEAT_IDLE;
        if (is_idle_for_long(seat, now)) {
            seat_close(seat);
        } else {
            backend_look(&seat->backend, now);
        }
    }
    soon |= force_look(&pool->force, now);
    look_at_left(pool, now);
    db_pool_dispatch(pool);
    return soon;
}

// ---- life ---------------------------------------------------------------------------------------

struct db_pool *db_pool_new(struct sql_runner *runner, const struct database *database)
{
    struct db_pool *pool = alloc_zero(1, sizeof *pool);
    *pool = (struct db_pool){.runner = runner,
                             .name = alloc_string(database->name),
                             .url = alloc_string(database->url),
                             .place = alloc_string(database->place),
                             .connections = database->connections,
                             .down_since = INSTANT_NONE};
    pool->force.pool = pool;
    db_pool_clear(pool);
    return pool;
}

bool db_pool_fits(const struct db_pool *pool, const struct database *database)
{
    return !pool->retired && strcmp(pool->name, database->name) == 0 &&
           database->kind == DATABASE_POSTGRESQL && strcmp(pool->url, database->url) == 0;
}

bool db_pool_is_empty(const struct db_pool *pool)
{
    return pool->seats == NULL && pool->waiting_first == NULL && !force_is_busy(&pool->force);
}

void db_pool_free(struct db_pool *pool)
{
    while (pool->seats != NULL) {
        seat_close(pool->seats);
    }
    force_stop(&pool->force);
    free(pool->name);
    free(pool->url);
    free(pool->place);
    free(pool);
}
