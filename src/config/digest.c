// SPDX-License-Identifier: MIT
#include "config/digest.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/attributes.h"
#include "base/check.h"

// Maps of jobs have a handful of keys: those are sorted in place.
#define FEW_KEYS 32

static void add_head(struct buf *form, char kind, uint64_t count)
{
    char head[9] = {kind};
    for (int i = 0; i < 8; i++) {
        head[1 + i] = (char)(unsigned char)(count >> (8 * i));
    }
    buf_add(form, head, sizeof head);
}

static void add_text(struct buf *form, const char *text)
{
    size_t length = strlen(text);
    add_head(form, 's', length);
    buf_add(form, text, length);
}

static int compare_keys(const void *a, const void *b)
{
    const struct yaml_tree_node *const *left = a;
    const struct yaml_tree_node *const *right = b;
    return strcmp((*left)->key, (*right)->key);
}

static void sort_children(const struct yaml_tree_node **children, size_t count)
{
    if (count > FEW_KEYS) {
        qsort(children, count, sizeof(struct yaml_tree_node *), compare_keys);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        const struct yaml_tree_node *child = children[i];
        size_t at = i;
        for (; at > 0 && strcmp(children[at - 1]->key, child->key) > 0; at--) {
            children[at] = children[at - 1];
        }
        children[at] = child;
    }
}

static void add_node(struct buf *form, const struct yaml_tree_node *node);

static void add_map(struct buf *form, const struct yaml_tree_node *map)
{
    const struct yaml_tree_node *few[FEW_KEYS];
    const struct yaml_tree_node **many =
        map->count > FEW_KEYS ? alloc_zero(map->count, sizeof(struct yaml_tree_node *)) : NULL;
    const struct yaml_tree_node **children = many == NULL ? few : many;
    size_t count = 0;
    for (const struct yaml_tree_node *child = map->first; child != NULL; child = child->next) {
        children[count++] = child;
    }
    sort_children(children, count);
    add_head(form, 'm', count);
    for (size_t i = 0; i < count; i++) {
        add_text(form, children[i]->key);
        add_node(form, children[i]);
    }
    free(many);
}

// Recursion is bounded by TREE_DEPTH_MAX.
static void add_node(struct buf *form, const struct yaml_tree_node *node)
{
    if (node->kind == TREE_SCALAR) {
        add_text(form, node->raw);
    } else if (node->kind == TREE_MAP) {
        add_map(form, node);
    } else {
        add_head(form, 'l', node->count);
        for (const struct yaml_tree_node *child = node->first; child != NULL; child = child->next) {
            add_node(form, child);
        }
    }
}

void digest_node(const struct yaml_tree_node *node, struct buf *scratch,
                 uint8_t hash_out[DIGEST_SIZE])
{
    buf_clear(scratch);
    add_node(scratch, node);
    CHECK(!scratch->overflow);
    crypto_generichash(hash_out, DIGEST_SIZE, (const unsigned char *)buf_string(scratch),
                       scratch->length, NULL, 0);
}

void digest_config(const struct yaml_tree_node *root, const uint8_t (*jobs)[DIGEST_SIZE],
                   size_t count, char hex_out[2 * DIGEST_SIZE + 1])
{
    static const char *const shared[] = {"databases", "defaults", "environment",
                                         "history",   "revision", "timezone"};
    AUTO(buf_release) struct buf form;
    buf_init(&form, DIGEST_FORM_MAX);
    for (size_t i = 0; i < ARRAY_LENGTH(shared); i++) {
        const struct yaml_tree_node *node = root == NULL ? NULL : yaml_tree_find(root, shared[i]);
        if (node != NULL) {
            add_text(&form, shared[i]);
            add_node(&form, node);
        }
    }
    add_head(&form, 'j', count);
    CHECK(!form.overflow);
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)form.data, form.length);
    if (count > 0) {
        crypto_hash_sha256_update(&state, jobs[0], count * sizeof jobs[0]);
    }
    uint8_t hash[DIGEST_SIZE];
    crypto_hash_sha256_final(&state, hash);
    sodium_bin2hex(hex_out, 2 * DIGEST_SIZE + 1, hash, sizeof hash);
}
