// SPDX-License-Identifier: MIT
#include "time/zone.h"

#include "base/check.h"
#include "time/zone_data.h"

// No offset is more than 26 hours from UTC, so a wall time's instant is within this of the wall
// time read as if it were UTC.
#define OFFSET_REACH ((int64_t)26 * 3600)

// An instant is a count of microseconds, so no question is further away; sums below can't overflow.
#define SECONDS_MAX ((int64_t)10000000000000)

static int64_t bounded(int64_t unix_seconds)
{
    return unix_seconds > SECONDS_MAX    ? SECONDS_MAX
           : unix_seconds < -SECONDS_MAX ? -SECONDS_MAX
                                         : unix_seconds;
}

const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

// How many transitions are at or before the instant.
static size_t transitions_until(const struct zone *zone, int64_t unix_seconds)
{
    size_t low = 0;
    size_t high = zone->transition_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->transitions[middle] <= unix_seconds) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// The footer's rule holds from the last transition on, that instant included.
static bool rule_holds(const struct zone *zone, size_t transitions_passed)
{
    return zone->has_rule && transitions_passed == zone->transition_count;
}

static const struct zone_type *type_after(const struct zone *zone, size_t transitions_passed)
{
    return &zone->types[transitions_passed == 0 ? 0
                                                : zone->transition_types[transitions_passed - 1]];
}

static int32_t offset_after(const struct zone *zone, size_t transitions_passed, int64_t at)
{
    return rule_holds(zone, transitions_passed) ? posix_tz_offset(&zone->rule, at)
                                                : type_after(zone, transitions_passed)->offset;
}

int32_t zone_offset(const struct zone *zone, int64_t unix_seconds)
{
    int64_t at = bounded(unix_seconds);
    return offset_after(zone, transitions_until(zone, at), at);
}

struct civil zone_civil(const struct zone *zone, int64_t unix_seconds)
{
    return civil_from_seconds(bounded(unix_seconds) + zone_offset(zone, unix_seconds));
}

const char *zone_abbreviation(const struct zone *zone, int64_t unix_seconds)
{
    int64_t at = bounded(unix_seconds);
    size_t passed = transitions_until(zone, at);
    if (rule_holds(zone, passed)) {
        return posix_tz_is_dst(&zone->rule, at) ? zone->rule.dst_name : zone->rule.standard_name;
    }
    return zone->abbreviations + type_after(zone, passed)->abbreviation;
}

static bool next_change(const struct zone *zone, int64_t from, struct zone_change *change)
{
    size_t passed = transitions_until(zone, from);
    change->offset_before = offset_after(zone, passed, from);
    for (; passed < zone->transition_count; passed++) {
        change->at = zone->transitions[passed];
        change->offset_after = offset_after(zone, passed + 1, change->at);
        if (change->offset_after != change->offset_before) {
            return true;
        }
        from = change->at;
    }
    if (!zone->has_rule || !posix_tz_next_change(&zone->rule, from, &change->at)) {
        return false;
    }
    change->offset_after = posix_tz_offset(&zone->rule, change->at);
    return true;
}

bool zone_next_change(const struct zone *zone, int64_t unix_seconds, struct zone_change *change_out)
{
    struct zone_change change;
    if (!next_change(zone, bounded(unix_seconds), &change) || change.at <= unix_seconds ||
        change.at > SECONDS_MAX) {
        return false;
    }
    *change_out = change;
    return true;
}

// Goes through the stretches of constant offset around a wall time. Where the wall time exists it
// is noted; where the clock jumps over it the jump is.
struct local_search {
    int64_t wall;
    int64_t found[2];
    int count;
    int64_t jumped_at;
    bool jumped;
};

static void search_stretch(struct local_search *search, int64_t start, int64_t end, int32_t offset)
{
    int64_t candidate = search->wall - offset;
    if (candidate >= start && candidate < end && search->count < 2) {
        search->found[search->count++] = candidate;
    }
}

static void search_local(const struct zone *zone, struct local_search *search)
{
    int64_t start = search->wall - OFFSET_REACH;
    int64_t last = search->wall + OFFSET_REACH;
    int32_t offset = zone_offset(zone, start);
    struct zone_change change;
    while (start <= last && zone_next_change(zone, start, &change) && change.at <= last) {
        search_stretch(search, start, change.at, offset);
        if (!search->jumped && change.at + change.offset_before <= search->wall &&
            change.at + change.offset_after > search->wall) {
            search->jumped = true;
            search->jumped_at = change.at;
        }
        start = change.at;
        offset = change.offset_after;
    }
    search_stretch(search, start, INT64_MAX, offset);
}

struct zone_local zone_from_local(const struct zone *zone, const struct civil *civil)
{
    struct local_search search = {.wall = civil_seconds(civil)};
    search_local(zone, &search);
    if (search.count == 0) {
        // The wall clock is continuous but for its jumps, so what it never shows it has jumped
        // over.
        CHECK(search.jumped);
        return (struct zone_local){ZONE_LOCAL_GAP, search.jumped_at, search.jumped_at};
    }
    return (struct zone_local){
        .kind = search.count == 1 ? ZONE_LOCAL_UNIQUE : ZONE_LOCAL_OVERLAP,
        .first = search.found[0],
        .second = search.found[search.count - 1],
    };
}
