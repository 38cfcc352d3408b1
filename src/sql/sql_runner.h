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

// What the backends of a node are called on their servers (application_name begins with it; behind
// it comes what the backend is doing): "ironcron/0123456789ab".
#define SQL_NODE_LABEL_LENGTH 21
#define SQL_NODE_LABEL_SIZE   (SQL_NODE_LABEL_LENGTH + 1)
void sql_node_label(struct uuid node, char out[SQL_NODE_LABEL_SIZE]);

struct sql_runner_options {
    uv_loop_t *loop;
    struct clock *clock;
    struct uuid node;
    int64_t output_max; // bytes kept of each run's output
    // Called once after the events of one turn of the loop.
    void (*on_told)(void *context);
    void *context;
};

struct runner *sql_runner_new(const struct sql_runner_options *options);
// The databases from now on, copied. What runs or waits on one that changed goes on where it is.
void sql_runner_set_databases(struct runner *runner, const struct database *databases,
                              size_t count);
// The store's own database, by the server's system identifier and its number there: runs in a
// transaction commit their effect and their SUCCESS together. NULL: the store is somewhere else.
void sql_runner_set_store(struct runner *runner, const char *system, int64_t database);
// Who carries out jobs on SQLite databases, with the events of its own; NULL refuses them.
void sql_runner_set_sqlite(struct runner *runner, struct runner *sqlite);
// This node is dead, and its backends may not have noticed yet: they are terminated on each
// database, at once, and before anything else is run there. Once more changes nothing.
void sql_runner_end_node(struct runner *runner, struct uuid node);
// All that may be ended of those nodes is ended, on each database.
bool sql_runner_has_ended_left(struct runner *runner);
void sql_runner_set_output_max(struct runner *runner, int64_t bytes);
// Closes all connections, which also ends what runs there, without any event. The loop must turn
// once more afterwards. NULL is fine.
void sql_runner_free(struct runner *runner);
