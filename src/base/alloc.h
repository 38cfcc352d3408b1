// SPDX-License-Identifier: MIT
// Memory that never fails: out of memory ends the program (75, temporary: a supervisor restarts it
// and the store has everything). Sizes are checked for overflow.
#pragma once

#include <stddef.h>

void *alloc_zero(size_t count, size_t size);
void *alloc_resize(void *old, size_t count, size_t size);
char *alloc_string(const char *text);
char *alloc_optional(const char *text_or_null);      // NULL stays NULL
char *alloc_bytes(const char *bytes, size_t length); // copy with a NUL behind it

// Grows a typed array so that one more element fits: ARRAY_RESERVE(list, count, capacity).
#define ARRAY_RESERVE(pointer, count, capacity)                                                    \
    do {                                                                                           \
        if ((count) == (capacity)) {                                                               \
            (capacity) = (capacity) == 0 ? 8 : (capacity)*2;                                       \
            (pointer) = alloc_resize((pointer), (size_t)(capacity), sizeof *(pointer));            \
        }                                                                                          \
    } while (0)
