// SPDX-License-Identifier: MIT
// Migrations of the schema. A rolling upgrade brings the tables forward first: nodes of the version
// before go on with them where the migration says that they may.
#pragma once

#include <stddef.h>

#include "store/postgres/postgres_store.h"

struct postgres_migration {
    int version;
    int oldest;               // the oldest version of a program that works with these tables
    const char *const *texts; // up to NULL
};
// As postgres_store_migrate, by these steps in the order of their versions.
bool postgres_migrate_by(const char *url, const struct postgres_migration *steps, size_t count,
                         int *from_out, struct error *err) MUST_USE;
