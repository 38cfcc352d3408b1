// SPDX-License-Identifier: MIT
// Equal things once: ten thousand jobs share one "Europe/Berlin", one environment, one set of
// limits. What is put in lives in the arena; only the table that finds equals is gone with
// pool_release().
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct pool {
    struct arena *arena;
    struct pool_entry *entries;
    size_t slot_count;
    size_t count;
    char *text_room; // texts are packed, the arena would align each
    size_t text_left;
};

void pool_init(struct pool *pool, struct arena *arena);
void pool_release(struct pool *pool);
// The one copy of a text; NULL gives NULL.
const char *pool_text(struct pool *pool, const char *text);
// A text that has no equal, such as a job's name: packed with the others, not looked for.
const char *pool_text_alone(struct pool *pool, const char *text);
// The one copy of an object, compared byte by byte: its padding must be zero, its pointers pooled.
const void *pool_object(struct pool *pool, const void *bytes, size_t size);
