// SPDX-License-Identifier: MIT
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    size_t used;
};

// A chunk is about an eighth of what is there: few system calls, little that is never used.
#define CHUNK_MIN ((size_t)64 * 1024)
#define CHUNK_MAX ((size_t)1024 * 1024)
#define HEAD_SIZE ((sizeof(struct arena_chunk) + 15) & ~(size_t)15)

void arena_init(struct arena *arena, size_t maximum)
{
    *arena = (struct arena){.maximum = maximum};
}

void arena_release(struct arena *arena)
{
    while (arena->chunks != NULL) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        munmap(chunk, chunk->size);
    }
    arena->used = 0;
}

static void chunk_add(struct arena *arena, size_t need)
{
    size_t usual = arena->used / 8 < CHUNK_MIN ? CHUNK_MIN : arena->used / 8;
    usual = usual > CHUNK_MAX ? CHUNK_MAX : usual;
    size_t size = need + HEAD_SIZE > usual ? need + HEAD_SIZE : usual;
    size = (size + 4095) & ~(size_t)4095;
    CHECK(arena->used + size <= arena->maximum);
    struct arena_chunk *chunk =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(chunk != MAP_FAILED);
    chunk->size = size;
    chunk->used = HEAD_SIZE;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->used += size;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
    CHECK(size == 0 || count <= (SIZE_MAX / 4) / size);
    size_t need = (count * size + 15) & ~(size_t)15;
    if (arena->chunks == NULL || arena->chunks->size - arena->chunks->used < need) {
        chunk_add(arena, need);
    }
    void *memory = (char *)arena->chunks + arena->chunks->used;
    arena->chunks->used += need;
    return memory;
}

char *arena_string(struct arena *arena, const char *text)
{
    return arena_bytes(arena, text, strlen(text));
}

char *arena_bytes(struct arena *arena, const char *bytes, size_t length)
{
    char *copy = arena_alloc(arena, length + 1, 1);
    if (length > 0) {
        memcpy(copy, bytes, length);
    }
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1, 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
