// SPDX-License-Identifier: MIT
// One time zone, read from a TZif file (RFC 9636, versions 1 to 4) by our own code, so that many
// zones live in one process. After the last transition the footer's POSIX TZ string rules, for
// ever.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "time/civil.h"
#include "time/instant.h"

struct zone;

// Parses the bytes of a TZif file. Never trusts a count in it. The zone is the caller's.
bool zone_parse(const char *name, const uint8_t *bytes, size_t length, struct zone **zone_out,
                struct error *err) MUST_USE;
void zone_free(struct zone *zone);
const char *zone_name(const struct zone *zone);

// Seconds east of UTC at an instant (Unix seconds).
int32_t zone_offset(const struct zone *zone, int64_t unix_seconds);
struct civil zone_civil(const struct zone *zone, int64_t unix_seconds);
// The abbreviation at an instant ("CEST"); lives as long as the zone.
const char *zone_abbreviation(const struct zone *zone, int64_t unix_seconds);

enum zone_local_kind {
    ZONE_LOCAL_UNIQUE,  // the wall time exists once: first == second
    ZONE_LOCAL_GAP,     // it does not exist: first == second == the first instant after the gap
    ZONE_LOCAL_OVERLAP, // it exists twice: first < second
};
struct zone_local {
    enum zone_local_kind kind;
    int64_t first;
    int64_t second;
};
struct zone_local zone_from_local(const struct zone *zone, const struct civil *civil);

// The next instant after `unix_seconds` at which the offset changes; false when there is none.
// Transitions that change only the name or the DST flag are passed over.
struct zone_change {
    int64_t at;
    int32_t offset_before;
    int32_t offset_after;
};
bool zone_next_change(const struct zone *zone, int64_t unix_seconds,
                      struct zone_change *change_out);

// ---- zones by name ------------------------------------------------------------------------------

// A cache of zones by name, loaded on first use from $TZDIR or /usr/share/zoneinfo. Zones live
// until the cache goes; a reload makes new ones, so that what holds an old one stays valid.
struct zone_cache;
struct zone_cache *zone_cache_new(void);
void zone_cache_free(struct zone_cache *cache);
// Names with "..", a leading "/", control bytes or more than 128 bytes are refused. "UTC" always
// works, also without tzdata. The error names the nearest zone.
bool zone_cache_get(struct zone_cache *cache, const char *name, const struct zone **zone_out,
                    struct error *err) MUST_USE;
// The version of the installed tzdata (first line of tzdata.zi, "2025b"), or "unknown".
const char *zone_cache_version(struct zone_cache *cache);
// True when a loaded zone's file, or the version, is not what was read: the caller then makes a new
// cache and plans anew. Costs one stat for each zone in use.
bool zone_cache_is_stale(struct zone_cache *cache);
