// SPDX-License-Identifier: MIT
// Ends runs on the server, from a connection of its own beside the pool's: pg_cancel_backend first,
// pg_terminate_backend later. Not by PQcancel, which blocks, and without a deadline.
#pragma once

#include "sql/backend.h"

struct db_pool;

struct force {
    struct db_pool *pool;
    struct backend backend;
    bool busy; // connecting, or waiting for the answer
    bool sent;
    struct mono until; // the answer must be there; while not busy: nothing is sent before
};

// Carries out what runs of the pool want (force_wanted). True while it is busy.
bool force_look(struct force *force, struct mono now);
bool force_is_busy(const struct force *force);
void force_stop(struct force *force);
