// SPDX-License-Identifier: MIT
// A run in words.
#pragma once

#include "base/buf.h"
#include "cli/terminal.h"
#include "document/run_kept.h"
#include "store/store.h"

enum colour run_state_colour(enum run_state state);
// What is said of a run that is node_list_cut_off.
#define RUN_CUT_OFF "cut off with its node, which is gone"
// "3m 12s", "3m 12s so far" while it runs, "-" where nobody saw the end.
void run_duration(const struct store_run_row *row, struct instant now, bool is_cut_off, char *out,
                  size_t size);
// "exit code 3", "killed by signal 9", the error's first line, or "".
void run_result(const struct store_run_row *row, char *out, size_t size);
// "run ID of JOB: FAILED after 3s: exit code 3\nMore: ironcron runs show ID"
void run_conclusion(const struct store_run_row *row, struct buf *out);
