// SPDX-License-Identifier: MIT
#include "time/zone_suggest.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/attributes.h"

#define NAME_SIZE    129
#define PATH_BYTES   4096
#define FOLDER_DEPTH 3 // America/Argentina/Salta

struct search {
    const char *wanted;
    size_t best_distance;
    char best[NAME_SIZE];
};

static void close_folder(DIR **folder)
{
    if (*folder != NULL) {
        closedir(*folder);
    }
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t low = a < b ? a : b;
    return low < c ? low : c;
}

// Levenshtein's distance without regard to case; names are short.
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NAME_SIZE];
    size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < width; j++) {
            bool same = tolower((unsigned char)a[i]) == tolower((unsigned char)b[j]);
            size_t above = row[j + 1];
            row[j + 1] = smallest(above + 1, row[j] + 1, diagonal + (same ? 0 : 1));
            diagonal = above;
        }
    }
    return row[width];
}

static void consider(struct search *search, const char *name)
{
    const char *city = strrchr(name, '/');
    size_t distance = edit_distance(search->wanted, name);
    if (city != NULL && strchr(search->wanted, '/') == NULL) {
        size_t by_city = edit_distance(search->wanted, city + 1);
        distance = by_city < distance ? by_city : distance;
    }
    // In a tie the alphabet decides, so that the answer does not depend on the folder's order.
    if (distance < search->best_distance ||
        (distance == search->best_distance && strcmp(name, search->best) < 0)) {
        search->best_distance = distance;
        snprintf(search->best, sizeof search->best, "%s", name);
    }
}

static bool is_zone_entry(const char *name, int depth)
{
    // posix/ and right/ repeat the whole tree; zones begin with a capital, tables of zones do not.
    return isupper((unsigned char)name[0]) && (depth > 0 || strcmp(name, "SystemV") != 0);
}

static void walk(struct search *search, const char *root, const char *below, int depth)
{
    char path[PATH_BYTES];
    if (snprintf(path, sizeof path, "%s/%s", root, below) >= (int)sizeof path) {
        return;
    }
    DIR *folder AUTO(close_folder) = opendir(path);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char name[NAME_SIZE];
        char entry_path[PATH_BYTES + NAME_SIZE];
        struct stat status;
        int length =
            snprintf(name, sizeof name, "%s%s%s", below, depth > 0 ? "/" : "", entry->d_name);
        if (!is_zone_entry(entry->d_name, depth) || length >= (int)sizeof name) {
            continue;
        }
        snprintf(entry_path, sizeof entry_path, "%s/%s", root, name);
        if (stat(entry_path, &status) != 0) {
            continue;
        }
        if (S_ISREG(status.st_mode)) {
            consider(search, name);
        } else if (S_ISDIR(status.st_mode) && depth + 1 < FOLDER_DEPTH) {
            walk(search, root, name, depth + 1);
        }
    }
}

bool zone_suggest(const char *folder, const char *name, char *out, size_t out_size)
{
    if (strlen(name) >= NAME_SIZE) {
        return false;
    }
    size_t near_enough = 2 + strlen(name) / 6;
    struct search search = {.wanted = name, .best_distance = near_enough + 1};
    walk(&search, folder, "", 0);
    if (search.best_distance > near_enough) {
        return false;
    }
    snprintf(out, out_size, "%s", search.best);
    return true;
}
