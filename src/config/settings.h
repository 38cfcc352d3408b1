// SPDX-License-Identifier: MIT
// Everything of the main file but its jobs: the node, the history, the store, the HTTP server.
#pragma once

#include "config/load.h"

// `root` may be NULL: all defaults. Complaints go through conform. First what is this node's own:
// http, node, store.
void settings_build_own(struct load *load, const struct conform *conform,
                        const struct yaml_tree_node *root);
// Then what all nodes of a fleet share.
void settings_build_shared(struct load *load, const struct conform *conform,
                           const struct yaml_tree_node *root);
// The part under "http".
void settings_build_http(struct load *load, const struct conform *conform,
                         const struct yaml_tree_node *http);
// The list under "databases".
void settings_build_databases(struct load *load, const struct conform *conform,
                              const struct yaml_tree_node *list);
