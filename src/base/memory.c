// SPDX-License-Identifier: MIT
#include "base/memory.h"

#include <inttypes.h>
#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/attributes.h"

struct mapping {
    uintptr_t start, end;
    bool of_file; // private, and not to be written
    bool goes;
};

struct mappings {
    struct mapping *list;
    size_t count, capacity;
};

static void close_file(FILE **file)
{
    if (*file != NULL) {
        fclose(*file);
    }
}

static bool read_head(const char *line, struct mapping *mapping)
{
    char rights[5], path[2];
    int found = sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %*s %1s", &mapping->start,
                       &mapping->end, rights, path);
    mapping->of_file = found == 4 && rights[1] == '-' && rights[3] == 'p' && path[0] == '/';
    return found >= 3;
}

// Only where no page differs from its file: what was written there, by relocations or by whoever
// debugs this process, would be lost.
static void read_mappings(struct mappings *mappings)
{
    AUTO(close_file) FILE *file = fopen("/proc/self/smaps", "re");
    struct mapping mapping = {.of_file = false};
    char line[4096 + 128];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        struct mapping next;
        if (read_head(line, &next)) {
            mapping = next;
        } else if (mapping.of_file && strncmp(line, "Anonymous:  ", 12) == 0) {
            unsigned long kb = 1;
            sscanf(line + 12, "%lu", &kb);
            if (kb == 0) {
                ARRAY_RESERVE(mappings->list, mappings->count, mappings->capacity);
                mappings->list[mappings->count++] = mapping;
            }
        }
    }
}

static bool is_part_of(const struct mapping *mapping, const struct dl_phdr_info *object)
{
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && (part->p_flags & PF_W) == 0 && mapping->start <= start &&
            start < mapping->end) {
            return true;
        }
    }
    return false;
}

// The linker lets nobody unload an object meanwhile. Of anything else other threads may have put
// something else in its place since it was read.
static int give_back(struct dl_phdr_info *object, size_t size, void *context)
{
    struct mappings *mappings = context;
    (void)size;
    for (size_t i = 0; i < mappings->count; i++) {
        mappings->list[i].goes = is_part_of(&mappings->list[i], object);
    }
    for (size_t i = 0; i < mappings->count; i++) { // afterwards, since to ask is to read it
        const struct mapping *mapping = &mappings->list[i];
        if (mapping->goes) {
            madvise((void *)mapping->start, mapping->end - mapping->start, MADV_DONTNEED);
        }
    }
    return 0;
}

void memory_give_back(void)
{
    struct mappings mappings = {.list = NULL};
    malloc_trim(0);
    read_mappings(&mappings);
    (void)dl_iterate_phdr(give_back, &mappings);
    free(mappings.list);
}
