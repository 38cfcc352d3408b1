// SPDX-License-Identifier: MIT
// Which definitions a node executes. A store on PostgreSQL keeps them by version for all nodes: the
// active version is executed, whatever this node's own files say. On SQLite it is what the files
// say, and all this is nothing.
#pragma once

#include "serve/node.h"

// With the store open, before the engine: node->loaded becomes the active version, where it can be
// read here. A short-lived node has no other choice.
bool definitions_begin(struct node *node, struct error *err) MUST_USE;
// With the engine live: this node's own files become the active version where the store has never
// seen them; then the active one is in force here, or the node may not start.
bool definitions_settle(struct node *node, struct error *err) MUST_USE;
// The question to the store that makes `file` the active version of all nodes.
void definitions_activation(const struct node *node, const struct config *file, bool always,
                            struct store_op_version *op_out);
// That is what this node's files say now.
void definitions_are_of(struct node *node, struct loaded *file);
// A version that was read from the store, for node_reload. `anew`: read again what it refers to,
// also where it is in force already.
bool definitions_take(struct node *node, const struct store_op_definitions *read, bool anew,
                      struct loaded **loaded_out, struct error *err) MUST_USE;
// Logs which version is in force, and how this node's own files differ from it.
void definitions_log(const struct node *node, const char *event);

// For who looks: the active version of the store, beside what the files say.
struct definitions_view {
    int64_t version;       // 0 = the store keeps none
    struct config *config; // of the active version; NULL: it is what the files say
    struct buf difference; // how the files differ from it, in words; empty = not at all
};
bool definitions_look(struct store *store, const struct config *file, struct definitions_view *out,
                      struct error *err) MUST_USE;
void definitions_view_release(struct definitions_view *view);
