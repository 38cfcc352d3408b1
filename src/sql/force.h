// SPDX-License-Identifier: MIT
// Ends runs on the server, from a connection of its own beside the pool's: pg_cancel_backend first,
// pg_terminate_backend later. Not by PQcancel, which blocks, and without a deadline. The same way
// it ends what nodes that died have left there.
#pragma once

#include "sql/backend.h"

struct db_pool;

enum force_step {
    FORCE_STEP_RUNS, // of this node
    FORCE_STEP_LEFT, // those of dead nodes are being ended
    FORCE_STEP_LOOK, // which of them are there all the same
};

struct force {
    struct db_pool *pool;
    struct backend backend;
    bool busy; // connecting, or waiting for the answer
    bool sent;
    enum force_step step;
    int left_pid;      // one that is there all the same; 0 = none
    struct mono until; // the answer must be there; while not busy: nothing is sent before
};

// Carries out what runs of the pool want (force_wanted), and clears the pool. True while it is
// busy.
bool force_look(struct force *force, struct mono now);
bool force_is_busy(const struct force *force);
void force_stop(struct force *force);
