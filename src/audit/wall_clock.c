// SPDX-License-Identifier: MIT
#include "audit/wall_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "base/check.h"

#define BLOCK   900
#define LONGEST 86400

static bool is_known(const char *zone)
{
    if (strcmp(zone, "UTC") == 0) {
        return true; // also where no zone database is installed
    }
    if (zone[0] == '\0' || zone[0] == '/' || strstr(zone, "..") != NULL) {
        return false;
    }
    const char *directory = getenv("TZDIR");
    char path[4096];
    struct stat info;
    int length = snprintf(path, sizeof path, "%s/%s",
                          directory != NULL ? directory : "/usr/share/zoneinfo", zone);
    return length > 0 && (size_t)length < sizeof path && stat(path, &info) == 0 &&
           S_ISREG(info.st_mode);
}

bool wall_clock_enter(struct wall_clock *clock, const char *zone, struct error *err)
{
    if (!is_known(zone)) {
        return error_set(
            err, ERROR_ENVIRONMENT,
            "the time zone \"%.128s\" of a recorded schedule is not in this machine's zone "
            "database; install tzdata to verify it",
            zone);
    }
    const char *outer = getenv("TZ");
    clock->outer_zone = alloc_optional(outer);
    char value[160];
    snprintf(value, sizeof value, ":%.128s", zone);
    // Nothing is left to do when the environment cannot take one more variable.
    CHECK(setenv("TZ", strcmp(zone, "UTC") == 0 ? "UTC0" : value, 1) == 0);
    tzset();
    return true;
}

void wall_clock_leave(struct wall_clock *clock)
{
    if (clock->outer_zone != NULL) {
        CHECK(setenv("TZ", clock->outer_zone, 1) == 0);
    } else {
        unsetenv("TZ");
    }
    free(clock->outer_zone);
    clock->outer_zone = NULL;
    tzset();
}

static int64_t offset_at(int64_t t)
{
    time_t seconds = (time_t)t;
    struct tm local;
    CHECK(localtime_r(&seconds, &local) != NULL);
    return local.tm_gmtoff;
}

// The first second in (low, high] whose offset is not that of low, which high's is not.
static int64_t find_change(int64_t low, int64_t high, int64_t offset)
{
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (offset_at(middle) == offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

struct wall_stretch wall_clock_stretch(int64_t start, int64_t limit)
{
    struct wall_stretch stretch = {.start = start, .offset = offset_at(start)};
    int64_t end = limit - start > LONGEST ? start + LONGEST : limit;
    for (int64_t at = start; at < end;) {
        int64_t next = at + BLOCK < end ? at + BLOCK : end;
        if (offset_at(next) != stretch.offset) {
            end = find_change(at, next, stretch.offset);
            break;
        }
        at = next;
    }
    stretch.end = end;
    return stretch;
}
