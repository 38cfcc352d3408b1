// SPDX-License-Identifier: MIT
// One accepted run of a sql job on PostgreSQL, from the start to its one end. Internal to this
// room.
#pragma once

#include "runner/output.h"
#include "runner/runner.h"
#include "sql/rows.h"
#include "statement/statement.h"
#include "time/clock.h"

struct sql_runner;
struct db_pool;
struct seat;

enum sql_run_way {
    WAY_PIPELINE, // one statement in a transaction: all of it in one message
    WAY_SEPARATE, // one statement by itself, after the session is set up
    WAY_SCRIPT,   // several statements, or COPY: the simple protocol, step by step
};

enum sql_run_force { FORCE_NONE, FORCE_CANCEL, FORCE_TERMINATE };

struct sql_run {
    struct sql_run *next, *previous; // all runs
    struct sql_run *next_waiting;
    struct sql_runner *runner;
    struct db_pool *pool;
    struct seat *seat; // NULL while it waits
    uint64_t handle;
    // what to do
    char *job;
    char label[64]; // application_name
    char run_id[UUID_TEXT_SIZE];
    int64_t fence;
    char *role; // NULL
    bool transaction;
    enum sql_run_way way;
    struct statement statement;
    char **values; // of the statement's names
    struct duration timeout, kill_after;
    struct mono accepted;
    struct mono deadline; // MONO_NEVER without a timeout
    // who wants it to end
    bool timed_out, cancelled, distrusted, at_once;
    enum sql_run_force force; // what was done about it
    bool force_wanted;        // and is not on its way yet
    struct mono force_until;
    // what came of it
    struct output output;
    struct rows rows;
    int64_t row_count;
    char command[64]; // the last command tag
    char sqlstate[6];
    struct buf error; // empty: no failure
    bool fatal;       // the server said that it ends the connection
    bool handed_over;
    bool withheld;   // part of it was not sent, since it was to end
    bool committing; // its statement was fine, COMMIT is not answered
    bool own;        // on the store's own database: its SUCCESS is part of its transaction
    bool probed;     // the transaction is the one that we began
};

// NULL: refused, err says why.
struct sql_run *sql_run_new(struct sql_runner *runner, const struct runner_start *start,
                            struct error *err);
// Text for the output, bounded.
void sql_run_put(struct sql_run *run, const struct buf *text);
// Keeps the first failure.
void sql_run_fail(struct sql_run *run, const char *format, ...) PRINTF(2, 3);
bool sql_run_has_failed(const struct sql_run *run);
// What is worth keeping in the record: a JSON object, the caller's.
char *sql_run_facts(const struct sql_run *run);
// It is being executed now.
void sql_run_hand_over(struct sql_run *run);
// The server has answered everything: tells the end and frees the run.
void sql_run_finish(struct sql_run *run);
// The connection is lost, or was closed by us: the same.
void sql_run_lose(struct sql_run *run, const char *why);
// It never came to a connection: the same. `text` NULL: a stop or the timeout says why.
void sql_run_give_up(struct sql_run *run, const char *text);
void sql_run_free(struct sql_run *run); // without telling
