// SPDX-License-Identifier: MIT
// Runs that are STARTED in the store while their node is gone: nothing runs any more, and a node
// that lives, or the next one, records them as LOST.
#pragma once

#include "store/store.h"

#define CUT_OFF_NODES_MAX 1000 // nodes that ended long ago are history

struct cut_off {
    struct uuid gone[CUT_OFF_NODES_MAX];
    size_t count;
};

// What a row says is not always so: who asks knows which nodes live.
typedef bool cut_off_lives_fn(const void *context, const struct store_node_row *row);

bool cut_off_load(struct cut_off *nodes, struct store *store, cut_off_lives_fn *lives,
                  const void *context, struct error *err) MUST_USE;
void cut_off_add(struct cut_off *nodes, struct uuid gone);
// Of a node that was not among those read nothing is cut off; nor where they are NULL.
bool cut_off_is(const struct cut_off *nodes_or_null, const struct store_run_row *run);
