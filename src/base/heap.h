// SPDX-License-Identifier: MIT
// An intrusive 4-ary min-heap. The caller embeds `struct heap_node` and gives the order. Equal keys
// must be ordered by the caller's `before` (for example by a serial number), so that a run of the
// program can be repeated exactly.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct heap_node {
    size_t position; // index + 1; 0 = not in a heap
};

typedef bool heap_before_fn(const struct heap_node *a, const struct heap_node *b);

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t capacity;
    heap_before_fn *before;
};

void heap_init(struct heap *heap, heap_before_fn *before);
void heap_release(struct heap *heap);                // the nodes are the caller's
struct heap_node *heap_top(const struct heap *heap); // NULL when empty
void heap_push(struct heap *heap, struct heap_node *node);
void heap_remove(struct heap *heap, struct heap_node *node); // no-op when not in it
bool heap_contains(const struct heap_node *node);
