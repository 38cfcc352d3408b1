// SPDX-License-Identifier: MIT
#include "base/memory.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/attributes.h"

static void close_file(FILE **file)
{
    if (*file != NULL) {
        fclose(*file);
    }
}

struct mapping {
    uintptr_t start, end;
    bool of_file; // private, and not to be written
};

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
static void give_back_files(void)
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
                madvise((void *)mapping.start, mapping.end - mapping.start, MADV_DONTNEED);
            }
        }
    }
}

void memory_give_back(void)
{
    malloc_trim(0);
    give_back_files();
}
