// SPDX-License-Identifier: MIT
// YAML bytes to a tree. A deliberate part of YAML: maps, lists and scalars of one document.
// Anchors, aliases, merge keys, tags and a second document are refused, since a reader at night
// cannot see through them; so are duplicate keys, control bytes and invalid UTF-8.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/problems.h"
#include "config/yaml_tree.h"

// True when a tree could be made, also one with broken nodes; every fault is in `problems`. At most
// TREE_BYTES_MAX bytes.
bool yaml_reader_read(struct yaml_tree *tree, const char *bytes, size_t length,
                      struct config_problems *problems) MUST_USE;
