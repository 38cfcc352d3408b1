// SPDX-License-Identifier: MIT
// A place in a database's pool: one connection, the run that has it, and what was sent on it whose
// answer is still to come. Internal to this room.
#pragma once

#include "sql/backend.h"
#include "sql/sql_run.h"

// What an answer that is to come belongs to.
enum stage {
    STAGE_IDENTITY, // is this the database of the store?
    STAGE_GREETING, // who the backend is
    STAGE_ROLLBACK, // ends what a failed run has left open
    STAGE_DISCARD,  // nothing of a run is left for the next one
    STAGE_BEGIN,
    STAGE_SETTINGS,
    STAGE_STATEMENT,
    STAGE_PROBE,  // is it still the transaction that we began?
    STAGE_CHECK,  // what is deferred …
    STAGE_ROLE,   // … as the role, which ends then
    STAGE_FINISH, // the run's end, beside its effect
    STAGE_COMMIT,
    STAGE_TIDY, // the same as DISCARD, in the message of the run that has left it
    STAGE_SYNC_ROLLBACK,
    STAGE_SYNC_CLEAN, // ends greeting and reset; the connection is fit for a run
    STAGE_SYNC_SETUP, // the session is set up; the statement may go
    STAGE_SYNC_RUN,   // the run is answered
};
#define STAGES_MAX 32

enum seat_use {
    SEAT_OPENING,
    SEAT_CLEANING, // greeting or reset is under way
    SEAT_IDLE,
    SEAT_WORKING,
};

struct seat {
    struct backend backend; // first
    struct seat *next;
    struct db_pool *pool;
    struct sql_run *run; // NULL
    enum seat_use use;
    enum stage stages[STAGES_MAX]; // a ring
    size_t first_stage, stage_count;
    int pid;                // of the backend, as the server tells it
    char backend_start[32]; // microseconds since 1970; with the pid it names the backend for ever
    int server_version;
    bool is_store; // the store's own database, and runs may write their ends there
    bool spoiled;  // must not be used again
    bool is_tidy;  // nothing of its last run is left
    struct mono idle_since;
};

enum stage seat_stage(const struct seat *seat); // the one whose answer comes next
void seat_pop(struct seat *seat);
