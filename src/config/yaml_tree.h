// SPDX-License-Identifier: MIT
// What stood in one YAML file: a tree of nodes that know where they stood. No node has a type
// beyond scalar, list and map; the schema decides what a scalar means. Gone with
// yaml_tree_release().
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

#define TREE_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define TREE_NODES_MAX 500000
#define TREE_DEPTH_MAX 32
#define TREE_KEY_MAX   ((size_t)1024)

enum yaml_tree_kind { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct schema_key;

struct yaml_tree_node {
    const char *key;  // NULL for an item of a list
    const char *raw;  // a scalar as written, "" for a map or list; what complaints quote
    const char *text; // a scalar after substitution, once it was checked
    const struct schema_key *schema; // what the key means, once it was checked
    struct yaml_tree_node *next;
    struct yaml_tree_node *first; // of a list or map
    struct yaml_tree_node *last;
    int64_t number;   // the meaning of `text` in the schema's unit, once it was checked
    uint32_t count;   // children
    int line, column; // of the value, from 1
    int key_line, key_column;
    enum yaml_tree_kind kind : 8;
    bool plain : 1;       // not quoted
    bool broken : 1;      // complained about already: nothing may be built on it
    bool substituted : 1; // text holds something from outside the file
};

struct yaml_tree {
    struct arena arena;
    const char *file;            // for messages; borrowed
    struct yaml_tree_node *root; // NULL: the file holds nothing
};

void yaml_tree_init(struct yaml_tree *tree, const char *file);
void yaml_tree_release(struct yaml_tree *tree);
struct yaml_tree_node *yaml_tree_add(struct yaml_tree *tree, struct yaml_tree_node *parent,
                                     enum yaml_tree_kind kind);
struct yaml_tree_node *yaml_tree_find(const struct yaml_tree_node *map, const char *key); // NULL
// "a map", "a list", "nothing", "text": for complaints.
const char *yaml_tree_describe(const struct yaml_tree_node *node);
