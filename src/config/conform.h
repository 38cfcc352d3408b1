// SPDX-License-Identifier: MIT
// Holds a file's tree against the schema: unknown, misplaced and missing keys, types, bounds. Fills
// in what each node means (schema, text, number) and marks what must not be built on as broken.
#pragma once

#include "config/problems.h"
#include "config/schema.h"
#include "config/substitute.h"
#include "config/yaml_tree.h"

struct conform {
    struct yaml_tree *tree;
    struct config_problems *problems;
    struct substitution *substitution;
    const char *main_file; // not NULL: this file is included by that one and holds jobs only
    bool is_part;          // of a main file: it may be empty
};

// The root must be a map; an included file may be empty.
void conform_check(struct conform *conform);
// A complaint about a node: at its value, or at its key.
void conform_complain(const struct conform *conform, const struct yaml_tree_node *node,
                      const char *format, ...) PRINTF(3, 4);
void conform_complain_key(const struct conform *conform, const struct yaml_tree_node *node,
                          const char *format, ...) PRINTF(3, 4);

// Calls `apply` for each key of a section: with the map's node where there is a good one, otherwise
// with one made of the key's default where it has one. `map` may be NULL.
void conform_apply(const struct yaml_tree_node *map, enum schema_section section,
                   void (*apply)(void *context, const struct yaml_tree_node *node), void *context);
