// SPDX-License-Identifier: MIT
// Everything of the main file but its jobs: the node, the history, the store, the HTTP server.
#pragma once

#include "config/load.h"

// `root` may be NULL: all defaults. Complaints go through conform.
void settings_build(struct load *load, const struct conform *conform,
                    const struct yaml_tree_node *root);
// The part under "http".
void settings_build_http(struct load *load, const struct conform *conform,
                         const struct yaml_tree_node *http);
// "127.0.0.1:8321", "[::1]:0", "localhost:8321", "off". *host_out lives in the config's arena.
bool settings_parse_listen(struct load *load, const char *text, const char **host_out,
                           int *port_out, struct error *err) MUST_USE;
