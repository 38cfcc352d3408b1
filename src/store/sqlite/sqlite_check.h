// SPDX-License-Identifier: MIT
// How the file of an open SQLite store is: for `doctor`. Through the store's own connection, since
// closing any other descriptor of the file would drop this process's locks on it.
#pragma once

#include "store/store.h"

struct sqlite_check {
    int64_t bytes;      // of the file
    int64_t free_bytes; // of them unused, until the next rows need them
    int64_t wal_bytes;
    bool was_deep;
    bool is_sound;    // only where was_deep
    char damage[512]; // the first thing found, where it is not sound
};

// deep: reads the whole file (PRAGMA quick_check).
bool sqlite_check_run(struct store *store, bool deep, struct sqlite_check *check_out,
                      struct error *err) MUST_USE;
