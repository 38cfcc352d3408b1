// SPDX-License-Identifier: MIT
// A copy of a run's row that outlives the reading.
#pragma once

#include "job/job.h"
#include "store/store.h"

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
