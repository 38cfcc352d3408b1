// SPDX-License-Identifier: MIT
#include "config/yaml_tree.h"

#include <string.h>

void yaml_tree_init(struct yaml_tree *tree, const char *file)
{
    *tree = (struct yaml_tree){.file = file};
    // Nodes and texts of the largest file that is read, and what substitution may add.
    arena_init(&tree->arena, (size_t)512 * 1024 * 1024);
}

void yaml_tree_release(struct yaml_tree *tree)
{
    arena_release(&tree->arena);
    tree->root = NULL;
}

struct yaml_tree_node *yaml_tree_add(struct yaml_tree *tree, struct yaml_tree_node *parent,
                                     enum yaml_tree_kind kind)
{
    struct yaml_tree_node *node = arena_alloc(&tree->arena, 1, sizeof *node);
    node->kind = kind;
    node->raw = node->text = "";
    if (parent == NULL) {
        tree->root = node;
        return node;
    }
    if (parent->last == NULL) {
        parent->first = node;
    } else {
        parent->last->next = node;
    }
    parent->last = node;
    parent->count++;
    return node;
}

struct yaml_tree_node *yaml_tree_find(const struct yaml_tree_node *map, const char *key)
{
    struct yaml_tree_node *child = map == NULL || map->kind != TREE_MAP ? NULL : map->first;
    while (child != NULL && strcmp(child->key, key) != 0) {
        child = child->next;
    }
    return child;
}

const char *yaml_tree_describe(const struct yaml_tree_node *node)
{
    if (node->kind == TREE_MAP) {
        return "a map";
    }
    if (node->kind == TREE_LIST) {
        return "a list";
    }
    return node->plain && node->raw[0] == '\0' ? "nothing" : "text";
}
