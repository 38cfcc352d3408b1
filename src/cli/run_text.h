// SPDX-License-Identifier: MIT
// A run in words.
#pragma once

#include "base/buf.h"
#include "cli/terminal.h"
#include "document/run_kept.h"
#include "store/store.h"

enum colour run_state_colour(enum run_state state);
// "3m 12s", or "-" while it runs.
void run_duration(const struct store_run_row *row, struct instant now, char *out, size_t size);
// "exit code 3", "killed by signal 9", the error's first line, or "".
void run_result(const struct store_run_row *row, char *out, size_t size);
// "run ID of JOB: FAILED after 3s: exit code 3\nMore: ironcron runs show ID"
void run_conclusion(const struct store_run_row *row, struct buf *out);
