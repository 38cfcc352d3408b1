// SPDX-License-Identifier: MIT
// The runner of sql jobs: on PostgreSQL through libpq on the node's loop, nothing blocks; on SQLite
// by handing the run to the runner process. Each database has a pool of connections; a run beyond
// its limit waits in line, and its timeout goes on meanwhile.
//
// A run ends when the server has answered, or when its backend is known to be gone. Where neither
// can be found out, the end says so.
#pragma once

#include <uv.h>

#include "job/database.h"
#include "runner/runner.h"
#include "time/clock.h"

// What the backend of a run is called on its server (application_name).
#define SQL_LABEL_SIZE 64
void sql_label(const char *job, struct uuid run_id, char out[SQL_LABEL_SIZE]);

struct sql_runner_options {
    uv_loop_t *loop;
    struct clock *clock;
    int64_t output_max; // bytes kept of each run's output
    // Called once after the events of one turn of the loop.
    void (*on_told)(void *context);
    void *context;
};

struct runner *sql_runner_new(const struct sql_runner_options *options);
// The databases from now on, copied. What runs or waits on one that changed goes on where it is.
void sql_runner_set_databases(struct runner *runner, const struct database *databases,
                              size_t count);
// Who carries out jobs on SQLite databases, with the events of its own; NULL refuses them.
void sql_runner_set_sqlite(struct runner *runner, struct runner *sqlite);
// The labels of runs that a dead node has left, separated by commas; copied. Their backends may not
// have noticed yet: they are terminated before the first run on each database.
void sql_runner_set_left(struct runner *runner, const char *labels);
void sql_runner_set_output_max(struct runner *runner, int64_t bytes);
// Closes all connections, which also ends what runs there, without any event. The loop must turn
// once more afterwards. NULL is fine.
void sql_runner_free(struct runner *runner);
