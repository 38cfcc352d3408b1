// SPDX-License-Identifier: MIT
// A hash map from numbers (tags, process ids; never 0) to pointers. Values are the caller's.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct table_slot {
    uint64_t key; // 0 = free
    void *value;
};

struct table {
    struct table_slot *slots;
    size_t capacity; // a power of two, or 0
    size_t count;
};

void table_release(struct table *table);
void *table_get(const struct table *table, uint64_t key);       // NULL when absent
void table_put(struct table *table, uint64_t key, void *value); // replaces
void *table_remove(struct table *table, uint64_t key);          // the value, or NULL
