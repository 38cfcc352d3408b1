// SPDX-License-Identifier: MIT
// Runs a fuzz target over every file of a folder: what the fuzzer once found stays found, with any
// compiler.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_target.h"

#define INPUT_MAX  (1024 * 1024)
#define PATH_BYTES 4096

static int replay_file(const char *path, uint8_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s cannot be opened\n", path);
        return 1;
    }
    size_t length = fread(bytes, 1, INPUT_MAX, file);
    int failed = ferror(file);
    fclose(file);
    // An exact copy, so that a sanitizer sees a read of one byte too many.
    uint8_t *exact = malloc(length == 0 ? 1 : length);
    if (failed != 0 || exact == NULL) {
        fprintf(stderr, "%s cannot be read\n", path);
        free(exact);
        return 1;
    }
    memcpy(exact, bytes, length);
    printf("%s (%zu bytes)\n", path, length);
    fflush(stdout);
    (void)LLVMFuzzerTestOneInput(exact, length);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    uint8_t *bytes = malloc(INPUT_MAX);
    int replayed = 0;
    int failed = 0;
    if (folder == NULL || bytes == NULL) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[PATH_BYTES];
        int length = snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (entry->d_name[0] == '.' || length >= (int)sizeof path) {
            continue;
        }
        failed += replay_file(path, bytes);
        replayed++;
    }
    closedir(folder);
    free(bytes);
    printf("%d inputs replayed, %d unreadable\n", replayed, failed);
    return replayed == 0 || failed > 0; // an empty corpus proves nothing
}
