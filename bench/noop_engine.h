// SPDX-License-Identifier: MIT
// No-op jobs through the real engine and a store.
#pragma once

#include "store/store.h"
#include "time/clock.h"

// Opens the store for writing, or ends the program.
typedef struct store *noop_open_fn(const char *where, struct clock *clock);
// How long it took to run `job_count` jobs `rounds` times, each with all that serve writes.
double noop_engine_seconds(noop_open_fn *open, const char *where, size_t job_count, int rounds);
double noop_seconds(void);
_Noreturn void noop_fail(const char *what, const char *why);
