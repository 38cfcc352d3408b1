// SPDX-License-Identifier: MIT
// The store that the configuration names, for whoever needs it: a file of SQLite, or PostgreSQL.
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "store/store.h"
#include "time/clock.h"

enum open_store_how {
    OPEN_STORE_READ,
    OPEN_STORE_TRY,   // as a node would, to see whether it could work there; writes nothing
    OPEN_STORE_WRITE, // a file of SQLite is made when there is none; tables on PostgreSQL are not
};

// `command` is who asks, as PostgreSQL shows it: "ironcron/serve". A PostgreSQL store is connected
// to by the first operation, not here.
bool open_store(const struct config *config, enum open_store_how how, const char *command,
                struct clock *clock, struct store **store_out, struct error *err) MUST_USE;
