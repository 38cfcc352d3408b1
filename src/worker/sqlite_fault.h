// SPDX-License-Identifier: MIT
// What SQLite said, as one sentence with a remedy.
#pragma once

#include <sqlite3.h>

#include "base/error.h"

// `where` is put in front: "line 2, column 5". Which user's rights count is said where it matters.
void sqlite_fault(sqlite3 *db, int code, const char *path, const char *where, struct error *err);
