// SPDX-License-Identifier: MIT
// The runner as the rest of this room sees it.
#pragma once

#include "sql/sql_run.h"
#include "sql/sql_runner.h"

#define LEFT_NODES_MAX 64

struct sql_runner {
    struct runner port; // first: the port is the whole
    struct sql_runner_options options;
    struct runner *sqlite;
    char store_system[24], store_database[24]; // "" = not on a server
    struct db_pool *pools; // those of databases that are gone included, until they are empty
    struct database *databases;
    size_t database_count;
    struct sql_run *runs;
    size_t run_count;
    struct mono trusted_until;
    struct uuid left[LEFT_NODES_MAX]; // dead nodes whose backends are to be ended, the last of them
    size_t left_count;
    uv_timer_t *tick; // while there is anything to look at
    uint64_t tick_ms; // 0 = off
    uv_idle_t *soon;  // work that start and stop have left
    uv_check_t *told; // events were told in this turn
};

void sql_runner_tells(struct sql_runner *runner);
void sql_runner_forget(struct sql_runner *runner, struct sql_run *run);
