// SPDX-License-Identifier: MIT
// The ids of all runs that are STARTED, of one job or of all.
#pragma once

#include "store/store.h"

struct running_ids {
    struct uuid *list;
    size_t count, capacity;
};

bool running_ids_read(struct running_ids *ids, struct store *store, const char *job_or_null,
                      struct error *err) MUST_USE;
void running_ids_release(struct running_ids *ids);
