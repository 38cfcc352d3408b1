// SPDX-License-Identifier: MIT
// Would `serve` take its store on PostgreSQL? Tried by the very checks that it makes itself: those
// of the connection, what this host remembers of the store, and the room for its locks. Writes
// nothing; blocks, for some seconds at most.
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "store/postgres/postgres_facts.h"
#include "store/store.h"
#include "time/clock.h"

struct store_trial {
    const struct config *config;
    struct clock *clock;
    struct store *store;
    struct store_op_identity identity;
    struct uuid own; // the node of this host, or the one that was; nil = none
};

// False: such a connection would not do. To be ended in any case.
bool store_trial_begin(struct store_trial *trial, const struct config *config, const char *command,
                       struct clock *clock, struct error *err) MUST_USE;
void store_trial_end(struct store_trial *trial);

// Is it the store that this host knows?
bool store_trial_memory(const struct store_trial *trial, struct error *err) MUST_USE;
// Is there room for the locks of this host's node?
bool store_trial_room(const struct store_trial *trial, struct error *err) MUST_USE;
bool store_trial_facts(const struct store_trial *trial, struct postgres_facts *facts_out,
                       struct error *err) MUST_USE;
// Are there enough connections for all nodes at work? If not err says how many there should be.
bool store_trial_connections(const struct store_trial *trial, const struct postgres_facts *facts,
                             struct error *err) MUST_USE;
