// SPDX-License-Identifier: MIT
// How many no-op jobs a second the engine takes through the SQLite store, durably, beside what
// batched inserts and updates of the very same rows reach in SQLite alone.
//
//   noop_rate [FOLDER [JOBS [ROUNDS]]]
//
// The engine is the real one, and so is the store; the runner answers at once and the clock is
// virtual, so that a second passes when the last one's work is done. Then the rows that this left
// are written again into a new file of the same schema, by prepared statements in transactions of
// the same size.
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "engine/engine.h"
#include "store/sqlite/sqlite_store.h"

#define BATCH 1000

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "noop_rate: %s: %s\n", what, why);
    exit(1);
}

// ---- the ports

struct virtual_clock {
    struct clock clock;
    struct instant now;
};

static struct instant virtual_now(struct clock *clock)
{
    return ((struct virtual_clock *)clock)->now;
}

static struct mono virtual_mono(struct clock *clock)
{
    return (struct mono){((struct virtual_clock *)clock)->now.us};
}

struct noop_runner {
    struct runner runner;
    uint64_t *runs;
    size_t count, capacity;
};

static bool noop_start(struct runner *runner, const struct runner_start *start, struct error *err)
{
    (void)err;
    struct noop_runner *noop = (struct noop_runner *)runner;
    if (noop->count == noop->capacity) {
        noop->capacity = noop->capacity * 2 + 1024;
        noop->runs = realloc(noop->runs, noop->capacity * sizeof(*noop->runs));
        CHECK(noop->runs != NULL);
    }
    noop->runs[noop->count++] = start->run;
    return true;
}

static void noop_stop(struct runner *runner, uint64_t run, bool at_once)
{
    (void)runner, (void)run, (void)at_once;
}

static void noop_feed(struct runner *runner, struct mono deadline)
{
    (void)runner, (void)deadline;
}

static const struct runner_ops noop_ops = {
    .start = noop_start, .stop = noop_stop, .feed = noop_feed};

// Everything that was started has succeeded; true when there was anything.
static bool noop_deliver(struct noop_runner *noop)
{
    const struct runner_end end = {.kind = RUNNER_EXITED};
    size_t count = noop->count;
    noop->count = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t run = noop->runs[i];
        noop->runner.events.on_started(noop->runner.events.context, run, 1);
        noop->runner.events.on_end(noop->runner.events.context, run, &end);
    }
    return count > 0;
}

static void random_bytes(void *bytes, size_t size)
{
    CHECK(getrandom(bytes, size, 0) == (ssize_t)size);
}

// ---- nobody watches

static void ignore_started(void *context, const struct engine_run *run, struct duration delay)
{
    (void)context, (void)run, (void)delay;
}

static void ignore_ended(void *context, const struct engine_run *run, enum run_state state,
                         enum run_failure failure, struct duration duration, const char *error)
{
    (void)context, (void)run, (void)state, (void)failure, (void)duration;
    if (error != NULL) {
        fail("a no-op run failed", error);
    }
}

static void ignore_passed_over(void *context, const struct job *job, struct instant due_at,
                               enum slot_outcome outcome, enum slot_reason reason)
{
    (void)context, (void)due_at, (void)outcome;
    fail(job->name, slot_reason_name(reason));
}

static void ignore_lock(void *context, const struct job *job, enum engine_lock_result result)
{
    (void)context, (void)job, (void)result;
}

static void ignore_stale(void *context, const struct engine_run *run)
{
    (void)context, (void)run;
}

static void stop_on_store(void *context, const struct error *err)
{
    (void)context;
    if (err != NULL) {
        fail("the store", err->text);
    }
}

static const struct engine_events nobody = {.on_started = ignore_started,
                                            .on_handed_over = ignore_started,
                                            .on_ended = ignore_ended,
                                            .on_passed_over = ignore_passed_over,
                                            .on_lock = ignore_lock,
                                            .on_stale = ignore_stale,
                                            .on_store = stop_on_store};

// ---- the engine

static struct job *make_jobs(size_t count)
{
    static const struct job_retries no_retries;
    static const char *const argv[] = {"/bin/true", NULL};
    static const struct job_command command = {.argv = argv};
    static struct zone_cache *zones;
    const struct zone *utc;
    struct error err = ERROR_INIT;
    zones = zone_cache_new();
    if (!zone_cache_get(zones, "UTC", &utc, &err)) {
        fail("UTC", err.text);
    }
    struct job *jobs = calloc(count, sizeof(*jobs));
    CHECK(jobs != NULL);
    for (size_t i = 0; i < count; i++) {
        char *name = malloc(32);
        CHECK(name != NULL);
        snprintf(name, 32, "noop-%zu", i);
        jobs[i] = (struct job){.name = name,
                               .schedule_text = "@every 1s",
                               .timezone = "UTC",
                               .missed_within = DURATION_S(86400),
                               .kill_after = DURATION_S(10),
                               .retries = &no_retries,
                               .command = &command,
                               .missed = JOB_MISSED_LAST,
                               .config_file = "bench"};
        if (!schedule_parse("@every 1s", utc, SCHEDULE_DST_RUN, name, &jobs[i].schedule, &err)) {
            fail(name, err.text);
        }
    }
    return jobs;
}

// Turns until nothing is left to do at this instant.
static void settle(struct engine *engine, struct store *store, struct noop_runner *noop)
{
    bool busy = true;
    while (busy) {
        engine_turn(engine);
        busy = store_pump(store);
        busy |= noop_deliver(noop);
        busy |= engine_is_busy(engine);
    }
}

static double engine_seconds(const char *path, size_t job_count, int rounds)
{
    struct error err = ERROR_INIT;
    struct virtual_clock clock = {.clock = {virtual_now, virtual_mono},
                                  .now = instant_from_unix(1800000000)};
    struct noop_runner noop = {.runner = {.ops = &noop_ops}};
    struct store *store;
    if (!sqlite_store_open(path, SQLITE_STORE_WRITE, &clock.clock, &store, &err)) {
        fail(path, err.text);
    }
    uint8_t random[10];
    random_bytes(random, sizeof(random));
    struct engine_options options = {.node = uuid_v7(instant_ms(clock.now), random),
                                     .host = "bench",
                                     .version = IRONCRON_VERSION,
                                     .actor = "bench",
                                     .max_running = (int)job_count,
                                     .lease = DURATION_S(60),
                                     .margin = DURATION_S(15),
                                     .booted_at = clock.now,
                                     .boot_id = "bench",
                                     .schedules = true,
                                     .clock = &clock.clock,
                                     .store = store,
                                     .runner = &noop.runner,
                                     .random = random_bytes,
                                     .events = &nobody};
    struct engine *engine = engine_new(&options);
    struct job_set set = {.jobs = make_jobs(job_count), .count = job_count, .hash = "bench"};
    if (!engine_start(engine, &set, &err)) {
        fail("engine_start", err.text);
    }
    settle(engine, store, &noop);
    double begin = seconds();
    for (int round = 0; round < rounds; round++) {
        clock.now = instant_add(clock.now, DURATION_S(1));
        settle(engine, store, &noop);
    }
    double taken = seconds() - begin;
    engine_drain(engine);
    settle(engine, store, &noop);
    if (!engine_leave(engine, &err)) {
        fail("engine_leave", err.text);
    }
    engine_free(engine);
    store_close(store);
    return taken;
}

// ---- SQLite alone

// Row i of `select` is written by `write`, its columns being the parameters.
struct step {
    const char *select;
    const char *write;
    int rows_a_run;
    sqlite3_value ***rows;
    size_t count;
    int columns;
    sqlite3_stmt *statement;
};

#define AUDIT_COLUMNS "id, at, event, job_id, job, run_id, node, actor, detail"
#define AUDIT_WRITE   "INSERT INTO audit (" AUDIT_COLUMNS ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)"

static struct step claims[] = {
    {.select = "SELECT due_at, 0, job_id FROM run ORDER BY fence",
     .write = "UPDATE job SET high_water = ?1, throttle = ?2 WHERE job_id = ?3 AND high_water < ?1",
     .rows_a_run = 1},
    {.select = "SELECT fence, run_id, job_id, due_at, attempt, trigger, 0, node_no, started_at "
               "FROM run ORDER BY fence",
     .write = "INSERT INTO run (fence, run_id, job_id, due_at, attempt, trigger, state, node_no, "
              "started_at) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
     .rows_a_run = 1},
    {.select = "SELECT due_at, job_id, 0, reason, run, attempt, node_no FROM slot ORDER BY run",
     .write = "INSERT INTO slot (due_at, job_id, outcome, reason, run, attempt, node_no) "
              "VALUES (?1,?2,?3,?4,?5,?6,?7)",
     .rows_a_run = 1},
    {.select = "SELECT " AUDIT_COLUMNS " FROM audit WHERE event = 'STARTED' ORDER BY id",
     .write = AUDIT_WRITE,
     .rows_a_run = 1},
};
static struct step ends[] = {
    {.select =
         "SELECT state, failure, exit_code, error, duration, ended_at, fence, run_id FROM run "
         "ORDER BY fence",
     .write = "UPDATE run SET state = ?1, failure = ?2, exit_code = ?3, error = ?4, duration = ?5, "
              "ended_at = ?6 WHERE fence = ?7 AND run_id = ?8 AND state = 0",
     .rows_a_run = 1},
    {.select = "SELECT outcome, due_at, job_id, run FROM slot ORDER BY run",
     .write = "UPDATE slot SET outcome = ?1 WHERE due_at = ?2 AND job_id = ?3 AND run = ?4 AND "
              "outcome = 0",
     .rows_a_run = 1},
    {.select = "SELECT ended_at, job_id FROM run ORDER BY fence",
     .write = "UPDATE job SET last_success = ?1 WHERE job_id = ?2",
     .rows_a_run = 1},
    {.select = "SELECT " AUDIT_COLUMNS " FROM audit WHERE event = 'SUCCESS' ORDER BY id",
     .write = AUDIT_WRITE,
     .rows_a_run = 1},
};
static struct step seals[] = {
    {.select = "SELECT seq, hash FROM audit_seal ORDER BY seq",
     .write = "INSERT INTO audit_seal (seq, hash) VALUES (?1, ?2)",
     .rows_a_run = 2},
};

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
        fail(sql, sqlite3_errmsg(db));
    }
    return statement;
}

static void execute(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail(sql, sqlite3_errmsg(db));
    }
}

static void load(sqlite3 *from, sqlite3 *into, struct step *steps, size_t count)
{
    for (struct step *step = steps; step < steps + count; step++) {
        sqlite3_stmt *select = prepare(from, step->select);
        step->columns = sqlite3_column_count(select);
        step->statement = prepare(into, step->write);
        size_t capacity = 0;
        while (sqlite3_step(select) == SQLITE_ROW) {
            if (step->count == capacity) {
                capacity = capacity * 2 + 1024;
                step->rows = realloc(step->rows, capacity * sizeof(*step->rows));
                CHECK(step->rows != NULL);
            }
            sqlite3_value **row = calloc((size_t)step->columns, sizeof(sqlite3_value *));
            CHECK(row != NULL);
            for (int i = 0; i < step->columns; i++) {
                row[i] = sqlite3_value_dup(sqlite3_column_value(select, i));
            }
            step->rows[step->count++] = row;
        }
        sqlite3_finalize(select);
    }
}

static void write_batch(sqlite3 *db, struct step *steps, size_t count, size_t batch)
{
    execute(db, "BEGIN IMMEDIATE");
    for (struct step *step = steps; step < steps + count; step++) {
        size_t size = (size_t)BATCH * (size_t)step->rows_a_run;
        for (size_t i = batch * size; i < (batch + 1) * size && i < step->count; i++) {
            for (int column = 0; column < step->columns; column++) {
                sqlite3_bind_value(step->statement, column + 1, step->rows[i][column]);
            }
            if (sqlite3_step(step->statement) != SQLITE_DONE) {
                fail(step->write, sqlite3_errmsg(db));
            }
            sqlite3_reset(step->statement);
        }
    }
    execute(db, "COMMIT");
}

static void copy_schema(sqlite3 *from, sqlite3 *into)
{
    execute(into, "PRAGMA journal_mode = WAL");
    execute(into, "PRAGMA synchronous = FULL");
    execute(into, "PRAGMA journal_size_limit = 67108864");
    execute(into, "PRAGMA cache_size = -8192");
    sqlite3_stmt *schema = prepare(from, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND "
                                         "name NOT LIKE 'sqlite_%' AND type IN ('table', 'index') "
                                         "ORDER BY type DESC");
    while (sqlite3_step(schema) == SQLITE_ROW) {
        execute(into, (const char *)sqlite3_column_text(schema, 0));
    }
    sqlite3_finalize(schema);
}

// Returns the number of runs.
static size_t alone_seconds(const char *engine_path, const char *path, double *seconds_out)
{
    sqlite3 *from, *into;
    if (sqlite3_open_v2(engine_path, &from, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_open(path, &into) != SQLITE_OK) {
        fail(path, "cannot be opened");
    }
    copy_schema(from, into);
    char sql[4300];
    snprintf(sql, sizeof(sql), "ATTACH '%s' AS engine", engine_path);
    execute(into, sql);
    execute(into, "INSERT INTO main.node SELECT * FROM engine.node");
    execute(into, "INSERT INTO main.job SELECT * FROM engine.job");
    execute(into, "UPDATE main.job SET high_water = 0");
    execute(into, "DETACH engine");
    load(from, into, claims, sizeof(claims) / sizeof(*claims));
    load(from, into, ends, sizeof(ends) / sizeof(*ends));
    load(from, into, seals, sizeof(seals) / sizeof(*seals));
    size_t runs = claims[0].count;
    double begin = seconds();
    for (size_t batch = 0; batch * BATCH < runs; batch++) {
        write_batch(into, claims, sizeof(claims) / sizeof(*claims), batch);
        write_batch(into, ends, sizeof(ends) / sizeof(*ends), batch);
        write_batch(into, seals, sizeof(seals) / sizeof(*seals), batch);
    }
    *seconds_out = seconds() - begin;
    return runs;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";
    size_t jobs = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    int rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 50;
    char engine_path[2048], alone_path[2048];
    snprintf(engine_path, sizeof(engine_path), "%s/engine.db", folder);
    snprintf(alone_path, sizeof(alone_path), "%s/alone.db", folder);
    double engine = engine_seconds(engine_path, jobs, rounds);
    double alone;
    size_t runs = alone_seconds(engine_path, alone_path, &alone);
    if (runs != jobs * (size_t)rounds) {
        fprintf(stderr, "noop_rate: %zu runs, %zu expected\n", runs, jobs * (size_t)rounds);
        return 1;
    }
    printf("no-op jobs: %zu runs; engine and store %.0f/s, SQLite alone %.0f/s, ratio %.2f\n", runs,
           (double)runs / engine, (double)runs / alone, alone / engine);
    return 0;
}
