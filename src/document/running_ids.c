// SPDX-License-Identifier: MIT
#include "document/running_ids.h"

#include <stdlib.h>

#include "base/alloc.h"

static bool note(void *context, const struct store_run_row *row)
{
    struct running_ids *ids = context;
    ARRAY_RESERVE(ids->list, ids->count, ids->capacity);
    ids->list[ids->count++] = row->run_id;
    return true;
}

bool running_ids_read(struct running_ids *ids, struct store *store, const char *job_or_null,
                      struct error *err)
{
    *ids = (struct running_ids){0};
    struct store_run_filter running = {.job = job_or_null, .by_state = true, .state = RUN_STARTED};
    return store->ops->read_runs(store, &running, note, ids, err);
}

void running_ids_release(struct running_ids *ids)
{
    free(ids->list);
}
