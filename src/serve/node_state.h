// SPDX-License-Identifier: MIT
// What this host has seen of its store on PostgreSQL, in the file `node.state`: which database it
// is, and how far its audit was sealed. A restored backup, or a standby that was promoted without
// the last commits, would repeat slots that have run: a store that is behind what was seen is not
// worked on until somebody says that it is meant (`ironcron doctor --accept-rewind`).
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "store/chain.h"
#include "store/store.h"

// Is the store the one that the file tells of, and not behind it? A file that is not there is fine.
bool node_state_check(const char *path, const struct store_op_identity *now,
                      struct error *err) MUST_USE;
// The row of the audit that was seen last, for who asks the store of it; 0 = none.
int64_t node_state_seen(const char *path);
// The same with its hash, where it was seen in this very database. False: none was.
bool node_state_last(const char *path, const struct store_op_identity *now, int64_t *sealed_out,
                     uint8_t hash_out[CHAIN_HASH_SIZE]) MUST_USE;
// Whole or not at all, also when the host goes down.
bool node_state_write(const char *path, const struct store_op_identity *now,
                      struct error *err) MUST_USE;
// The store was found to lack what it had acknowledged: later nodes do not go on with it either.
bool node_state_lacks(const char *path, const char *why, struct error *err) MUST_USE;
