// SPDX-License-Identifier: MIT
// The embedded store: one SQLite file (WAL, synchronous=FULL), one node. See store/store.h.
#pragma once

#include "store/store.h"
#include "time/clock.h"

enum sqlite_store_mode {
    SQLITE_STORE_WRITE,     // creates (mode 0600) and migrates the file when needed
    SQLITE_STORE_READ_ONLY, // never writes; an absent file is ERROR_UNAVAILABLE
};

// Refuses: a file of a newer version (ERROR_VERSION), one that is no database or is damaged
// (ERROR_STORE, with the remedy), a network filesystem (ERROR_ENVIRONMENT), no permission, no
// space.
bool sqlite_store_open(const char *path, enum sqlite_store_mode mode, struct clock *clock,
                       struct store **store_out, struct error *err) MUST_USE;
