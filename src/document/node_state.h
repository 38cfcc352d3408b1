// SPDX-License-Identifier: MIT
// What a node's row says of its life, by the store's clock. Who knows better (by a lock on this
// host, or of itself) says so instead.
#pragma once

#include "store/store.h"

// "live", "stopped", "lost" as written down; "overdue": past its lease, and nobody has declared it
// dead yet; "gone": it had no lease but a lock, and is not the node that has that now.
const char *node_state_of(const struct store_node_row *row, struct instant now);
