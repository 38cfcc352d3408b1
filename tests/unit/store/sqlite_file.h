// SPDX-License-Identifier: MIT
// A SQLite store in a folder of its own, for tests.
#pragma once

#include "../../contract/contract.h"

#include "store/store.h"
#include "time/clock.h"

struct sqlite_file {
    char folder[64];
    char path[96];
};

void sqlite_file_make(struct sqlite_file *file);   // the folder; no store yet
void sqlite_file_remove(struct sqlite_file *file); // with everything in it
struct store *sqlite_file_open(const struct sqlite_file *file, struct clock *clock); // must succeed
// What a shell command prints; its exit status must be 0.
char *sqlite_file_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

extern const struct contract_backend sqlite_backend;
