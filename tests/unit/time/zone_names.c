// SPDX-License-Identifier: MIT
#include "zone_names.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"

#define PATH_BYTES 4096
#define FILE_BYTES 65536

struct zone_file {
    char *name;
    char *bytes;
    size_t length;
};

struct listing {
    struct zone_file *files;
    size_t count, capacity;
};

static const char *zoneinfo(void)
{
    const char *folder = getenv("TZDIR");
    return folder != NULL ? folder : "/usr/share/zoneinfo";
}

static void add_file(struct listing *listing, const char *name, const char *path)
{
    static char bytes[FILE_BYTES];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return;
    }
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    if (length > 4 && memcmp(bytes, "TZif", 4) == 0) {
        ARRAY_RESERVE(listing->files, listing->count, listing->capacity);
        listing->files[listing->count++] = (struct zone_file){
            .name = alloc_string(name), .bytes = alloc_bytes(bytes, length), .length = length};
    }
}

static void walk(struct listing *listing, const char *below)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", zoneinfo(), below);
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char name[PATH_BYTES];
        char entry_path[2 * PATH_BYTES];
        struct stat status;
        snprintf(name, sizeof name, "%s%s%s", below, below[0] == '\0' ? "" : "/", entry->d_name);
        snprintf(entry_path, sizeof entry_path, "%s/%s", zoneinfo(), name);
        if (entry->d_name[0] == '.' || strcmp(name, "posix") == 0 || strcmp(name, "right") == 0 ||
            stat(entry_path, &status) != 0) {
            continue;
        }
        if (S_ISDIR(status.st_mode)) {
            walk(listing, name);
        } else {
            add_file(listing, name, entry_path);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct zone_file *)a)->name, ((const struct zone_file *)b)->name);
}

static bool is_copy(const struct listing *listing, size_t index)
{
    const struct zone_file *file = &listing->files[index];
    for (size_t i = 0; i < index; i++) {
        if (listing->files[i].length == file->length &&
            memcmp(listing->files[i].bytes, file->bytes, file->length) == 0) {
            return true;
        }
    }
    return false;
}

static struct zone_names list_zones(bool distinct)
{
    struct listing listing = {0};
    struct zone_names names = {0};
    size_t capacity = 0;
    walk(&listing, "");
    if (listing.count > 0) {
        qsort(listing.files, listing.count, sizeof listing.files[0], by_name);
    }
    for (size_t i = 0; i < listing.count; i++) {
        if (!distinct || !is_copy(&listing, i)) {
            ARRAY_RESERVE(names.names, names.count, capacity);
            names.names[names.count++] = alloc_string(listing.files[i].name);
        }
    }
    for (size_t i = 0; i < listing.count; i++) {
        free(listing.files[i].name);
        free(listing.files[i].bytes);
    }
    free(listing.files);
    return names;
}

struct zone_names zone_names_installed(void)
{
    return list_zones(false);
}

struct zone_names zone_names_distinct(void)
{
    return list_zones(true);
}

void zone_names_release(struct zone_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->names[i]);
    }
    free(names->names);
    *names = (struct zone_names){0};
}
