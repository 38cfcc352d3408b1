// SPDX-License-Identifier: MIT
#include "base/alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "base/check.h"

NORETURN static void out_of_memory(void)
{
    static const char text[] = "ironcron: out of memory; the store keeps all state, start again\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(75);
}

void *alloc_zero(size_t count, size_t size)
{
    void *memory = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);
    if (memory == NULL) {
        out_of_memory();
    }
    return memory;
}

void *alloc_resize(void *old, size_t count, size_t size)
{
    CHECK(size == 0 || count <= SIZE_MAX / size);
    void *memory = realloc(old, count * size == 0 ? 1 : count * size);
    if (memory == NULL) {
        out_of_memory();
    }
    return memory;
}

char *alloc_string(const char *text)
{
    return alloc_bytes(text, strlen(text));
}

char *alloc_optional(const char *text)
{
    return text == NULL ? NULL : alloc_string(text);
}

char *alloc_bytes(const char *bytes, size_t length)
{
    char *copy = alloc_zero(length + 1, 1);
    if (length > 0) {
        memcpy(copy, bytes, length);
    }
    return copy;
}
