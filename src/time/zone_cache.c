// SPDX-License-Identifier: MIT
// Zones by name, from the system's zoneinfo folder.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/attributes.h"
#include "base/map.h"
#include "time/zone.h"
#include "time/zone_suggest.h"

#define NAME_MAX_LENGTH  128
#define FILE_MAX_BYTES   (256 * 1024) // real ones have at most 5 KB
#define PATH_BYTES       4096
#define VERSION_SIZE     32
#define DEFAULT_ZONEINFO "/usr/share/zoneinfo"

// What was read, so that a replaced file can be told.
struct file_mark {
    bool exists;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct cached_zone {
    struct zone *zone;
    struct file_mark mark;
    bool builtin;
};

struct zone_cache {
    char *folder;
    struct map zones; // name → struct cached_zone, the key is the zone's own name
    char version[VERSION_SIZE];
};

// A version 1 TZif file with one type, UTC: it works where no tzdata is installed.
static const uint8_t utc_file[] = {
    'T', 'Z', 'i', 'f', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,   0,   0,   0,
    0,   0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 'U', 'T', 'C', 0,
};

static void close_descriptor(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static bool zone_path(const struct zone_cache *cache, const char *name, char out[PATH_BYTES])
{
    int length = snprintf(out, PATH_BYTES, "%s/%s", cache->folder, name);
    return length > 0 && length < PATH_BYTES;
}

static struct file_mark mark_of(const struct stat *status)
{
    return (struct file_mark){
        .exists = true,
        .inode = status->st_ino,
        .size = status->st_size,
        .changed = status->st_mtim,
    };
}

static struct file_mark mark_path(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? mark_of(&status) : (struct file_mark){.exists = false};
}

static bool mark_equal(const struct file_mark *a, const struct file_mark *b)
{
    return a->exists == b->exists && (!a->exists || (a->inode == b->inode && a->size == b->size &&
                                                     a->changed.tv_sec == b->changed.tv_sec &&
                                                     a->changed.tv_nsec == b->changed.tv_nsec));
}

static void read_version(const struct zone_cache *cache, char out[VERSION_SIZE])
{
    char path[PATH_BYTES];
    char line[64] = "";
    snprintf(out, VERSION_SIZE, "unknown");
    if (!zone_path(cache, "tzdata.zi", path)) {
        return;
    }
    int fd AUTO(close_descriptor) = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (length <= 0) {
        return;
    }
    char version[VERSION_SIZE];
    if (sscanf(line, "# version %31[A-Za-z0-9.-]", version) == 1) {
        snprintf(out, VERSION_SIZE, "%s", version);
    }
}

struct zone_cache *zone_cache_new(void)
{
    const char *folder = getenv("TZDIR");
    struct zone_cache *cache = alloc_zero(1, sizeof *cache);
    cache->folder = alloc_string(folder != NULL && folder[0] != '\0' ? folder : DEFAULT_ZONEINFO);
    map_init(&cache->zones);
    read_version(cache, cache->version);
    return cache;
}

void zone_cache_free(struct zone_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    size_t at = 0;
    for (struct cached_zone *cached; (cached = map_next(&cache->zones, &at)) != NULL;) {
        zone_free(cached->zone);
        free(cached);
    }
    map_release(&cache->zones);
    free(cache->folder);
    free(cache);
}

static bool name_is_safe(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > NAME_MAX_LENGTH || name[0] == '/' || strstr(name, "..") != NULL) {
        return false;
    }
    for (const char *c = name; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x21 || (unsigned char)*c > 0x7e) {
            return false;
        }
    }
    return true;
}

// CEST, PST: what is near to one of these is seldom what was meant.
static bool is_abbreviation(const char *name)
{
    size_t capitals = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return capitals >= 3 && capitals <= 5 && name[capitals] == '\0';
}

static bool refuse_unknown(const struct zone_cache *cache, const char *name, struct error *err)
{
    char nearest[NAME_MAX_LENGTH + 1];
    if (!is_abbreviation(name) && zone_suggest(cache->folder, name, nearest, sizeof nearest)) {
        return error_set(err, ERROR_CONFIG, "there is no time zone '%s'; did you mean '%s'?", name,
                         nearest);
    }
    if (access(cache->folder, R_OK | X_OK) != 0) {
        return error_set(err, ERROR_ENVIRONMENT,
                         "time zone '%s' cannot be looked up: no time zones are installed in %s; "
                         "install the tzdata package or set TZDIR",
                         name, cache->folder);
    }
    return error_set(err, ERROR_CONFIG,
                     "there is no time zone '%s'; write a name such as Europe/Berlin or UTC", name);
}

// Reads the whole file; `mark` is of the very file that was read, not of what its name leads to
// later.
static bool read_zone_file(const struct zone_cache *cache, const char *name, uint8_t *bytes,
                           size_t *length_out, struct file_mark *mark, struct error *err)
{
    char path[PATH_BYTES];
    struct stat status;
    if (!zone_path(cache, name, path)) {
        return refuse_unknown(cache, name, err);
    }
    int fd AUTO(close_descriptor) = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR) {
        return error_set(err, ERROR_ENVIRONMENT,
                         "the time zone file %s cannot be opened: %s; reinstall the tzdata package",
                         path, strerror(errno));
    }
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return refuse_unknown(cache, name, err);
    }
    size_t length = 0;
    while (length < FILE_MAX_BYTES) {
        ssize_t got = read(fd, bytes + length, FILE_MAX_BYTES - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_set(
                err, ERROR_ENVIRONMENT,
                "the time zone file %s cannot be read: %s; reinstall the tzdata package", path,
                strerror(errno));
        }
        if (got == 0) {
            break;
        }
        length += (size_t)got;
    }
    // Files such as zone.tab live in the same folder and are no zones.
    if (length < 4 || memcmp(bytes, "TZif", 4) != 0) {
        return refuse_unknown(cache, name, err);
    }
    *length_out = length;
    *mark = mark_of(&status);
    return true;
}

static void free_bytes(uint8_t **bytes)
{
    free(*bytes);
}

static bool load(const struct zone_cache *cache, const char *name, struct cached_zone *cached,
                 struct error *err)
{
    if (strcmp(name, "UTC") == 0) {
        cached->builtin = true;
        return zone_parse(name, utc_file, sizeof utc_file, &cached->zone, err);
    }
    uint8_t *bytes AUTO(free_bytes) = alloc_zero(1, FILE_MAX_BYTES);
    size_t length = 0;
    return read_zone_file(cache, name, bytes, &length, &cached->mark, err) &&
           zone_parse(name, bytes, length, &cached->zone, err);
}

bool zone_cache_get(struct zone_cache *cache, const char *name, const struct zone **zone_out,
                    struct error *err)
{
    if (!name_is_safe(name)) {
        return error_set(err, ERROR_CONFIG,
                         "this is no time zone name (1 to %d visible ASCII characters, no '..', no "
                         "leading '/'); write a name such as Europe/Berlin or UTC",
                         NAME_MAX_LENGTH);
    }
    struct cached_zone *known = map_get(&cache->zones, name);
    if (known == NULL) {
        struct cached_zone loaded = {.zone = NULL};
        if (!load(cache, name, &loaded, err)) {
            return false;
        }
        known = alloc_zero(1, sizeof *known);
        *known = loaded;
        map_put(&cache->zones, zone_name(known->zone), known);
    }
    *zone_out = known->zone;
    return true;
}

const char *zone_cache_version(struct zone_cache *cache)
{
    return cache->version;
}

bool zone_cache_is_stale(struct zone_cache *cache)
{
    char path[PATH_BYTES];
    size_t at = 0;
    for (const struct cached_zone *cached; (cached = map_next(&cache->zones, &at)) != NULL;) {
        if (cached->builtin || !zone_path(cache, zone_name(cached->zone), path)) {
            continue;
        }
        struct file_mark now = mark_path(path);
        if (!mark_equal(&now, &cached->mark)) {
            return true;
        }
    }
    char version[VERSION_SIZE];
    read_version(cache, version);
    return strcmp(version, cache->version) != 0;
}
