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

#include "base/check.h"
#include "noop_engine.h"
#include "store/sqlite/sqlite_store.h"

#define BATCH 1000

static struct store *open_sqlite(const char *path, struct clock *clock)
{
    struct error err = ERROR_INIT;
    struct store *store;
    if (!sqlite_store_open(path, SQLITE_STORE_WRITE, clock, &store, &err)) {
        noop_fail(path, err.text);
    }
    return store;
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
        noop_fail(sql, sqlite3_errmsg(db));
    }
    return statement;
}

static void execute(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        noop_fail(sql, sqlite3_errmsg(db));
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
                noop_fail(step->write, sqlite3_errmsg(db));
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
        noop_fail(path, "cannot be opened");
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
    double begin = noop_seconds();
    for (size_t batch = 0; batch * BATCH < runs; batch++) {
        write_batch(into, claims, sizeof(claims) / sizeof(*claims), batch);
        write_batch(into, ends, sizeof(ends) / sizeof(*ends), batch);
        write_batch(into, seals, sizeof(seals) / sizeof(*seals), batch);
    }
    *seconds_out = noop_seconds() - begin;
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
    double engine = noop_engine_seconds(open_sqlite, engine_path, jobs, rounds);
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
