// SPDX-License-Identifier: MIT
#include "config/pool.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fnv.h"

#define ROOM ((size_t)16 * 1024)

struct pool_entry {
    const void *bytes; // NULL = free
    uint32_t size;
    bool text; // texts and objects never stand for each other: their alignment differs
};

void pool_init(struct pool *pool, struct arena *arena)
{
    *pool = (struct pool){.arena = arena};
}

void pool_release(struct pool *pool)
{
    free(pool->entries);
    *pool = (struct pool){.arena = pool->arena};
}

static size_t hash(const unsigned char *bytes, size_t size)
{
    return (size_t)fnv_fold(fnv_add(FNV_START, bytes, size));
}

// The entry of an equal, or the free one where it would stand.
static struct pool_entry *find(const struct pool *pool, const void *bytes, size_t size, bool text)
{
    size_t i = hash(bytes, size) & (pool->slot_count - 1);
    for (;; i = (i + 1) & (pool->slot_count - 1)) {
        struct pool_entry *entry = &pool->entries[i];
        if (entry->bytes == NULL || (entry->size == size && entry->text == text &&
                                     memcmp(entry->bytes, bytes, size) == 0)) {
            return entry;
        }
    }
}

static void grow(struct pool *pool)
{
    struct pool bigger = {.slot_count = pool->slot_count == 0 ? 256 : pool->slot_count * 2};
    bigger.entries = alloc_zero(bigger.slot_count, sizeof *bigger.entries);
    for (size_t i = 0; i < pool->slot_count; i++) {
        const struct pool_entry *entry = &pool->entries[i];
        if (entry->bytes != NULL) {
            *find(&bigger, entry->bytes, entry->size, entry->text) = *entry;
        }
    }
    free(pool->entries);
    pool->entries = bigger.entries;
    pool->slot_count = bigger.slot_count;
}

static char *text_place(struct pool *pool, size_t size)
{
    if (size > ROOM / 8) {
        return arena_alloc(pool->arena, size, 1);
    }
    if (size > pool->text_left) {
        pool->text_room = arena_alloc(pool->arena, ROOM, 1);
        pool->text_left = ROOM;
    }
    char *place = pool->text_room;
    pool->text_room += size;
    pool->text_left -= size;
    return place;
}

static const void *put(struct pool *pool, const void *bytes, size_t size, bool text)
{
    if ((pool->count + 1) * 2 > pool->slot_count) {
        grow(pool);
    }
    struct pool_entry *entry = find(pool, bytes, size, text);
    if (entry->bytes == NULL) {
        void *copy = text ? text_place(pool, size) : arena_alloc(pool->arena, size, 1);
        memcpy(copy, bytes, size);
        *entry = (struct pool_entry){copy, (uint32_t)size, text};
        pool->count++;
    }
    return entry->bytes;
}

const char *pool_text(struct pool *pool, const char *text)
{
    return text == NULL ? NULL : put(pool, text, strlen(text) + 1, true);
}

const char *pool_text_alone(struct pool *pool, const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(text_place(pool, size), text, size);
}

const void *pool_object(struct pool *pool, const void *bytes, size_t size)
{
    return put(pool, bytes, size, false);
}
