// SPDX-License-Identifier: MIT
// A hash map from strings to pointers. The key must live as long as its entry (it usually is the
// name inside the value). Iteration order is the order of insertion, so that a run can be repeated.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct map {
    struct map_entry *entries; // in order of insertion; removed ones have key NULL
    size_t count;              // entries used, removed ones included
    size_t live;               // entries in use
    size_t capacity;
    struct map_slot *slots;
    size_t slot_count; // a power of two
};

struct map_slot {
    uint32_t index; // + 1, into entries; 0 = empty
    uint32_t hash;  // its upper half, so that other keys are told apart without being looked at
};

struct map_entry {
    const char *key;
    void *value;
};

void map_init(struct map *map);
void map_release(struct map *map);                           // values are the caller's
void *map_get(const struct map *map, const char *key);       // NULL when absent
void map_put(struct map *map, const char *key, void *value); // replaces
void map_remove(struct map *map, const char *key);
// Goes through the values in the order of insertion: the next one from *at on (0 at first), which
// moves behind it; NULL at the end. What was given may be removed meanwhile, nothing put in.
void *map_next(const struct map *map, size_t *at);
