// SPDX-License-Identifier: MIT
// A database that jobs work on, as the configuration names it. Plain data; owned by the config that
// made it, like the jobs.
#pragma once

#include <stddef.h>

enum database_kind { DATABASE_POSTGRESQL, DATABASE_SQLITE };

struct database {
    const char *name;
    enum database_kind kind;
    const char *url;   // for libpq, with its password: never shown; NULL on SQLite
    const char *path;  // absolute, of the SQLite file; NULL on PostgreSQL
    const char *place; // for people, without password: "app at db.internal:5432", or the path
    int connections;   // at the same time, at most
};

// The one of this name among `count`, or NULL.
const struct database *database_find(const struct database *databases, size_t count,
                                     const char *name);
