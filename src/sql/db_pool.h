// SPDX-License-Identifier: MIT
// The connections to one database, at most so many, and the line of runs that wait for one.
// Internal to this room.
#pragma once

#include "job/database.h"
#include "sql/force.h"
#include "sql/seat.h"

struct db_pool {
    struct db_pool *next;
    struct sql_runner *runner;
    char *name, *url, *place;
    int connections; // the limit
    bool retired;    // its database is gone or has changed: no new run comes here
    struct seat *seats;
    int seat_count;
    struct sql_run *waiting_first, *waiting_last;
    bool cleared;              // nothing of a dead node is left here …
    struct mono clear_until;   // … or is waited for any longer
    bool told_of_rights;       // that the end of a run cannot be written here
    struct instant down_since; // none while it can be reached
    struct mono held_until;    // no new connection before: the server has none left
    struct force force;
};

struct db_pool *db_pool_new(struct sql_runner *runner, const struct database *database);
bool db_pool_fits(const struct db_pool *pool, const struct database *database);
const char *db_pool_name(const struct db_pool *pool);
// Puts a run at the end of the line. Nothing is sent before db_pool_dispatch.
void db_pool_add(struct db_pool *pool, struct sql_run *run);
// Takes a run that waits out of the line.
void db_pool_remove(struct db_pool *pool, struct sql_run *run);
// Gives connections to those that wait, and opens more while the limit allows it.
void db_pool_dispatch(struct db_pool *pool);
// Deadlines, idle connections, what is to be ended. True: there is something to look at soon.
bool db_pool_look(struct db_pool *pool, struct mono now);
// A node has died: nothing is run here before what it left has been ended.
void db_pool_clear(struct db_pool *pool);
void db_pool_cleared(struct db_pool *pool);
bool db_pool_is_empty(const struct db_pool *pool);
// The run's connection is closed, which ends its backend sooner or later; the run is lost.
void db_pool_cut(struct sql_run *run, const char *why);
// Closes everything without telling; runs are the runner's.
void db_pool_free(struct db_pool *pool);
