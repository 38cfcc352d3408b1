// SPDX-License-Identifier: MIT
#include "base/heap.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

#define WAYS 4

void heap_init(struct heap *heap, heap_before_fn *before)
{
    *heap = (struct heap){.before = before};
}

void heap_release(struct heap *heap)
{
    free(heap->nodes);
    *heap = (struct heap){.before = heap->before};
}

struct heap_node *heap_top(const struct heap *heap)
{
    return heap->count == 0 ? NULL : heap->nodes[0];
}

static void place(struct heap *heap, size_t index, struct heap_node *node)
{
    heap->nodes[index] = node;
    node->position = index + 1;
}

static void sift_up(struct heap *heap, size_t index, struct heap_node *node)
{
    while (index > 0) {
        size_t parent = (index - 1) / WAYS;
        if (!heap->before(node, heap->nodes[parent])) {
            break;
        }
        place(heap, index, heap->nodes[parent]);
        index = parent;
    }
    place(heap, index, node);
}

static size_t smallest_child(const struct heap *heap, size_t index)
{
    size_t first = index * WAYS + 1;
    size_t best = first;
    for (size_t child = first + 1; child < first + WAYS && child < heap->count; child++) {
        if (heap->before(heap->nodes[child], heap->nodes[best])) {
            best = child;
        }
    }
    return best;
}

static void sift_down(struct heap *heap, size_t index, struct heap_node *node)
{
    while (index * WAYS + 1 < heap->count) {
        size_t child = smallest_child(heap, index);
        if (!heap->before(heap->nodes[child], node)) {
            break;
        }
        place(heap, index, heap->nodes[child]);
        index = child;
    }
    place(heap, index, node);
}

void heap_push(struct heap *heap, struct heap_node *node)
{
    CHECK(node->position == 0);
    ARRAY_RESERVE(heap->nodes, heap->count, heap->capacity);
    heap->count++;
    sift_up(heap, heap->count - 1, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (node->position == 0) {
        return;
    }
    size_t index = node->position - 1;
    CHECK(index < heap->count && heap->nodes[index] == node);
    struct heap_node *last = heap->nodes[--heap->count];
    node->position = 0;
    if (last == node) {
        return;
    }
    if (index > 0 && heap->before(last, heap->nodes[(index - 1) / WAYS])) {
        sift_up(heap, index, last);
    } else {
        sift_down(heap, index, last);
    }
}

bool heap_contains(const struct heap_node *node)
{
    return node->position != 0;
}
