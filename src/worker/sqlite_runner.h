// SPDX-License-Identifier: MIT
// Jobs of kind sql on SQLite databases, as processes: stands in front of the process runner, gives
// it a worker (this same program) for each such run, and makes of the worker's report what became
// of the run. Commands go through untouched. So limits, kill, timeout and the dead man's switch are
// those of every other process.
#pragma once

#include "job/database.h"
#include "runner/runner.h"
#include "worker/order.h"

struct sqlite_runner {
    struct runner port; // first: the port is the whole; its events are the owner's
    struct runner *processes;
    const struct database *databases; // borrowed
    size_t database_count;
    struct order_store store;
};

void sqlite_runner_init(struct sqlite_runner *runner);
// The store's file, which is there by now: no job writes to it. NULL where it is no file.
void sqlite_runner_protect(struct sqlite_runner *runner, const char *store_path);
// At first, and when the runner process was replaced. Takes over its events.
void sqlite_runner_set_processes(struct sqlite_runner *runner, struct runner *processes);
// At first, and with a new configuration, which must live until the next.
void sqlite_runner_set_databases(struct sqlite_runner *runner, const struct database *databases,
                                 size_t count);
