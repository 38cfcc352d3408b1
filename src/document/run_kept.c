// SPDX-License-Identifier: MIT
#include "document/run_kept.h"

#include <stdio.h>

#include "base/utf8.h"

void run_kept_copy(struct run_kept *kept, const struct store_run_row *row)
{
    kept->is_there = true;
    kept->row = *row;
    snprintf(kept->job, sizeof kept->job, "%s", row->job);
    kept->row.job = kept->job;
    if (row->error != NULL) {
        snprintf(kept->error, sizeof kept->error, "%s", row->error);
        utf8_trim_partial(kept->error);
        kept->row.error = kept->error;
    }
}

static bool keep(void *context, const struct store_run_row *row)
{
    run_kept_copy(context, row);
    return false;
}

bool run_kept_read(struct run_kept *kept, struct store *store, struct uuid id, struct error *err)
{
    struct store_run_filter filter = {
        .run_id = id, .since = INSTANT_NONE, .until = INSTANT_NONE, .limit = 1};
    kept->is_there = false;
    return store->ops->read_runs(store, &filter, keep, kept, err);
}
