// SPDX-License-Identifier: MIT
#include "document/cut_off.h"

struct loading {
    struct cut_off *nodes;
    cut_off_lives_fn *lives;
    const void *context;
};

void cut_off_add(struct cut_off *nodes, struct uuid gone)
{
    if (nodes->count < CUT_OFF_NODES_MAX) {
        nodes->gone[nodes->count++] = gone;
    }
}

static bool take(void *context, const struct store_node_row *row)
{
    struct loading *loading = context;
    if (!loading->lives(loading->context, row)) {
        cut_off_add(loading->nodes, row->node);
    }
    return loading->nodes->count < CUT_OFF_NODES_MAX;
}

bool cut_off_load(struct cut_off *nodes, struct store *store, cut_off_lives_fn *lives,
                  const void *context, struct error *err)
{
    struct loading loading = {nodes, lives, context};
    nodes->count = 0;
    return store->ops->read_nodes(store, take, &loading, err);
}

bool cut_off_is(const struct cut_off *nodes_or_null, const struct store_run_row *run)
{
    size_t count = nodes_or_null == NULL || run->state != RUN_STARTED ? 0 : nodes_or_null->count;
    for (size_t i = 0; i < count; i++) {
        if (uuid_equal(nodes_or_null->gone[i], run->node)) {
            return true;
        }
    }
    return false;
}
