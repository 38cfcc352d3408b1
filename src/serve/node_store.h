// SPDX-License-Identifier: MIT
// The store of a node: opened, watched on the loop, and remembered by this host (node_state.h)
// where it is on a server.
#pragma once

#include "serve/node.h"

// Opens it. False also when it is not the one that this host knows.
bool node_store_open(struct node *node, struct error *err) MUST_USE;
// Once there is a loop.
bool node_store_watch(struct node *node, struct error *err) MUST_USE;
// Each second or so: has somebody else written to the file, and from time to time, what was seen of
// a server is written down.
void node_store_tick(struct node *node);
// Now, at a clean stop.
bool node_store_remember(struct node *node, struct error *err) MUST_USE;
// Before anything that its answers may need is freed: whatever is under way ends.
void node_store_settle(struct node *node);
