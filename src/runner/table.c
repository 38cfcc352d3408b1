// SPDX-License-Identifier: MIT
#include "runner/table.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

void table_release(struct table *table)
{
    free(table->slots);
    *table = (struct table){0};
}

// Keys are serial numbers and process ids: without mixing they would fill neighbouring slots.
static size_t home_of(const struct table *table, uint64_t key)
{
    return (size_t)((key * 0x9E3779B97F4A7C15u) >> 32) & (table->capacity - 1);
}

// The slot that holds the key, or the free one where it belongs.
static size_t find(const struct table *table, uint64_t key)
{
    size_t at = home_of(table, key);
    while (table->slots[at].key != 0 && table->slots[at].key != key) {
        at = (at + 1) & (table->capacity - 1);
    }
    return at;
}

void *table_get(const struct table *table, uint64_t key)
{
    return table->capacity == 0 ? NULL : table->slots[find(table, key)].value;
}

static void grow(struct table *table)
{
    struct table old = *table;
    table->capacity = old.capacity == 0 ? 64 : old.capacity * 2;
    table->slots = alloc_zero(table->capacity, sizeof *table->slots);
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.slots[i].key != 0) {
            table->slots[find(table, old.slots[i].key)] = old.slots[i];
        }
    }
    free(old.slots);
}

void table_put(struct table *table, uint64_t key, void *value)
{
    CHECK(key != 0 && value != NULL);
    if ((table->count + 1) * 2 > table->capacity) {
        grow(table);
    }
    struct table_slot *slot = &table->slots[find(table, key)];
    table->count += slot->key == 0;
    *slot = (struct table_slot){.key = key, .value = value};
}

void *table_remove(struct table *table, uint64_t key)
{
    if (table->capacity == 0) {
        return NULL;
    }
    size_t hole = find(table, key);
    void *value = table->slots[hole].value;
    if (table->slots[hole].key == 0) {
        return NULL;
    }
    table->count--;
    table->slots[hole] = (struct table_slot){0};
    // Entries behind the hole move up, so that a search never ends too early at it.
    for (size_t at = (hole + 1) & (table->capacity - 1); table->slots[at].key != 0;
         at = (at + 1) & (table->capacity - 1)) {
        struct table_slot moved = table->slots[at];
        table->slots[at] = (struct table_slot){0};
        table->slots[find(table, moved.key)] = moved;
    }
    return value;
}
