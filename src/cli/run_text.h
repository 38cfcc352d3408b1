// SPDX-License-Identifier: MIT
// A run in words, and a copy of its row that outlives the reading.
#pragma once

#include "base/buf.h"
#include "cli/terminal.h"
#include "job/job.h"
#include "store/store.h"
#include "time/zone.h"

#define RUN_ERROR_MAX 4096

struct run_kept {
    bool is_there;
    struct store_run_row row; // texts point into this struct
    char job[JOB_NAME_MAX + 1];
    char error[RUN_ERROR_MAX + 1];
};

void run_kept_copy(struct run_kept *kept, const struct store_run_row *row);
// is_there is false when the store has no such run.
bool run_kept_read(struct run_kept *kept, struct store *store, struct uuid id,
                   struct error *err) MUST_USE;

enum colour run_state_colour(enum run_state state);
// "3m 12s", or "-" while it runs.
void run_duration(const struct store_run_row *row, struct instant now, char *out, size_t size);
// "exit code 3", "killed by signal 9", the error's first line, or "".
void run_result(const struct store_run_row *row, char *out, size_t size);
// "run ID of JOB: FAILED after 3s: exit code 3\nMore: ironcron runs show ID"
void run_conclusion(const struct store_run_row *row, struct buf *out);
