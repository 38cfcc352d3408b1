// SPDX-License-Identifier: MIT
#include "config/digest.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/attributes.h"

static void add_head(crypto_hash_sha256_state *state, char kind, uint64_t count)
{
    unsigned char head[9] = {(unsigned char)kind};
    for (int i = 0; i < 8; i++) {
        head[1 + i] = (unsigned char)(count >> (8 * i));
    }
    crypto_hash_sha256_update(state, head, sizeof head);
}

static void add_text(crypto_hash_sha256_state *state, const char *text)
{
    size_t length = strlen(text);
    add_head(state, 's', length);
    crypto_hash_sha256_update(state, (const unsigned char *)text, length);
}

static int compare_keys(const void *a, const void *b)
{
    const struct yaml_tree_node *const *left = a;
    const struct yaml_tree_node *const *right = b;
    return strcmp((*left)->key, (*right)->key);
}

static void add_node(crypto_hash_sha256_state *state, const struct yaml_tree_node *node);

static void add_map(crypto_hash_sha256_state *state, const struct yaml_tree_node *map)
{
    const struct yaml_tree_node **children =
        alloc_zero(map->count + 1, sizeof(struct yaml_tree_node *));
    size_t count = 0;
    for (const struct yaml_tree_node *child = map->first; child != NULL; child = child->next) {
        children[count++] = child;
    }
    qsort(children, count, sizeof(struct yaml_tree_node *), compare_keys);
    add_head(state, 'm', count);
    for (size_t i = 0; i < count; i++) {
        add_text(state, children[i]->key);
        add_node(state, children[i]);
    }
    free(children);
}

// Recursion is bounded by TREE_DEPTH_MAX.
static void add_node(crypto_hash_sha256_state *state, const struct yaml_tree_node *node)
{
    if (node->kind == TREE_SCALAR) {
        add_text(state, node->raw);
    } else if (node->kind == TREE_MAP) {
        add_map(state, node);
    } else {
        add_head(state, 'l', node->count);
        for (const struct yaml_tree_node *child = node->first; child != NULL; child = child->next) {
            add_node(state, child);
        }
    }
}

void digest_node(const struct yaml_tree_node *node, uint8_t hash_out[DIGEST_SIZE])
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    add_node(&state, node);
    crypto_hash_sha256_final(&state, hash_out);
}

static int compare_jobs(const void *a, const void *b)
{
    const struct digest_job *left = a;
    const struct digest_job *right = b;
    return strcmp(left->name, right->name);
}

void digest_config(const struct yaml_tree_node *root, struct digest_job *jobs, size_t count,
                   char hex_out[2 * DIGEST_SIZE + 1])
{
    static const char *const shared[] = {"databases", "defaults", "history", "timezone"};
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < ARRAY_LENGTH(shared); i++) {
        const struct yaml_tree_node *node = root == NULL ? NULL : yaml_tree_find(root, shared[i]);
        if (node != NULL) {
            add_text(&state, shared[i]);
            add_node(&state, node);
        }
    }
    add_head(&state, 'j', count);
    if (count > 0) {
        qsort(jobs, count, sizeof *jobs, compare_jobs);
    }
    for (size_t i = 0; i < count; i++) {
        crypto_hash_sha256_update(&state, jobs[i].hash, sizeof jobs[i].hash);
    }
    uint8_t hash[DIGEST_SIZE];
    crypto_hash_sha256_final(&state, hash);
    sodium_bin2hex(hex_out, 2 * DIGEST_SIZE + 1, hash, sizeof hash);
}
