// SPDX-License-Identifier: MIT
// Scratch memory with one lifetime and a maximum: a config, a request, a batch. Freed at once.
// Blocks are zeroed and aligned for any type. Big chunks come from mmap, so that what a load used
// goes back to the system.
#pragma once

#include <stddef.h>

#include "base/attributes.h"

struct arena {
    struct arena_chunk *chunks;
    size_t used;    // bytes taken from the system
    size_t maximum; // over it the program ends with a report: callers bound their input before
};

void arena_init(struct arena *arena, size_t maximum);
void arena_release(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t count, size_t size);
char *arena_string(struct arena *arena, const char *text);
char *arena_bytes(struct arena *arena, const char *bytes, size_t length);
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF(2, 3);
