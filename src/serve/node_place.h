// SPDX-License-Identifier: MIT
// The node's place on this host, which has room for one: its file lock, who had it before, and what
// that one left running.
#pragma once

#include "serve/node.h"

// Takes the lock, and ends what processes of the one before are left. Fills node->predecessor.
bool node_place_take(struct node *node, struct error *err) MUST_USE;
// Whose it is, and the mark of what it runs: before anything can be started under that mark. Up to
// its joining the store a node goes on to say whose it was, so that the next one knows of the dead
// one that the store knows.
bool node_place_sign(const struct node *node, uint64_t mark, struct error *err) MUST_USE;
