// SPDX-License-Identifier: MIT
#include "base/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/fnv.h"

static uint64_t hash_of(const char *key)
{
    return fnv_add(FNV_START, key, strlen(key));
}

void map_init(struct map *map)
{
    *map = (struct map){0};
}

void map_release(struct map *map)
{
    free(map->entries);
    free(map->slots);
    *map = (struct map){0};
}

// The slot of the key, or the empty slot where it would stand.
static size_t slot_of(const struct map *map, const char *key, uint64_t hash)
{
    size_t i = (size_t)fnv_fold(hash) & (map->slot_count - 1);
    while (map->slots[i].index != 0) {
        if (map->slots[i].hash == (uint32_t)(hash >> 32)) {
            const struct map_entry *entry = &map->entries[map->slots[i].index - 1];
            if (entry->key != NULL && strcmp(entry->key, key) == 0) {
                return i;
            }
        }
        i = (i + 1) & (map->slot_count - 1);
    }
    return i;
}

static void slot_fill(struct map *map, size_t slot, size_t entry, uint64_t hash)
{
    map->slots[slot] = (struct map_slot){(uint32_t)(entry + 1), (uint32_t)(hash >> 32)};
}

static void rebuild(struct map *map)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->count; i++) {
        if (map->entries[i].key != NULL) {
            map->entries[kept++] = map->entries[i];
        }
    }
    map->count = kept;
    size_t need = 16;
    while (need < (kept + 1) * 2) {
        need *= 2;
    }
    CHECK(need < UINT32_MAX);
    free(map->slots);
    map->slots = alloc_zero(need, sizeof *map->slots);
    map->slot_count = need;
    for (size_t i = 0; i < kept; i++) {
        uint64_t hash = hash_of(map->entries[i].key);
        slot_fill(map, slot_of(map, map->entries[i].key, hash), i, hash);
    }
}

void *map_get(const struct map *map, const char *key)
{
    if (map->slot_count == 0) {
        return NULL;
    }
    size_t index = map->slots[slot_of(map, key, hash_of(key))].index;
    return index == 0 ? NULL : map->entries[index - 1].value;
}

void map_put(struct map *map, const char *key, void *value)
{
    if ((map->count + 1) * 2 > map->slot_count) {
        rebuild(map);
    }
    uint64_t hash = hash_of(key);
    size_t slot = slot_of(map, key, hash);
    if (map->slots[slot].index != 0) {
        map->entries[map->slots[slot].index - 1] = (struct map_entry){key, value};
        return;
    }
    ARRAY_RESERVE(map->entries, map->count, map->capacity);
    map->entries[map->count] = (struct map_entry){key, value};
    slot_fill(map, slot, map->count++, hash);
    map->live++;
}

void map_remove(struct map *map, const char *key)
{
    if (map->slot_count == 0) {
        return;
    }
    size_t index = map->slots[slot_of(map, key, hash_of(key))].index;
    if (index != 0) {
        map->entries[index - 1] = (struct map_entry){NULL, NULL};
        map->live--;
    }
}

void *map_next(const struct map *map, size_t *at)
{
    while (*at < map->count) {
        const struct map_entry *entry = &map->entries[(*at)++];
        if (entry->key != NULL) {
            return entry->value;
        }
    }
    return NULL;
}
