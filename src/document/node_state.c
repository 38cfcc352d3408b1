// SPDX-License-Identifier: MIT
#include "document/node_state.h"

#include <string.h>

const char *node_state_of(const struct store_node_row *row, struct instant now)
{
    if (strcmp(row->state, "live") != 0) {
        return row->state;
    }
    return instant_is_none(row->valid_until)       ? "gone"
           : instant_before(now, row->valid_until) ? "live"
                                                   : "overdue";
}
