// SPDX-License-Identifier: MIT
// The first slot after an instant.
#include "schedule/schedule.h"

#include "base/check.h"

#define LAST_YEAR   9999
#define DAY_SECONDS 86400
// No two wall times of one instant differ by more, whatever the clock did: two offsets of at most
// 26 hours.
#define WALL_REACH ((int64_t)3 * DAY_SECONDS)

static bool next_wall(const struct schedule *schedule, int64_t from_wall, int64_t *wall_out)
{
    struct civil from = civil_from_seconds(from_wall);
    struct civil next;
    if (from.year < 1) {
        from = (struct civil){.year = 1, .month = 1, .day = 1};
    }
    if (!cron_next_civil(&schedule->cron, &from, LAST_YEAR, &next)) {
        return false;
    }
    *wall_out = civil_seconds(&next);
    return true;
}

// Elapsed time: an instant is a slot when its wall time matches, on whichever pass. Goes from one
// stretch of constant offset to the next. When the match is further away than the wall clock can
// ever be set back, the stretches between can be passed over: that keeps the loop to a few steps.
static bool next_elapsed(const struct schedule *schedule, int64_t after, int64_t *slot_out)
{
    int64_t start = after + 1;
    for (;;) {
        int32_t offset = zone_offset(schedule->zone, start);
        struct zone_change change;
        bool changes = zone_next_change(schedule->zone, start, &change);
        int64_t wall;
        bool found = next_wall(schedule, start + offset, &wall);
        if (found && (!changes || wall - offset < change.at)) {
            *slot_out = wall - offset;
            return true;
        }
        if (!changes || (!found && change.at - start > WALL_REACH)) {
            return false;
        }
        // What lies within reach of `start` may come again at a clock that is set back; beyond,
        // nothing can.
        bool is_far =
            found && change.at - start > WALL_REACH && wall - offset - WALL_REACH > change.at;
        start = is_far ? wall - offset - WALL_REACH : change.at;
    }
}

// Otherwise each wall time has one instant: its first pass, or the first instant after the gap that
// it is in. Both only grow with the wall time, so the first wall time that yields an instant after
// `after` wins; and what the clock already shows at `after` or has shown can't.
static bool next_by_wall(const struct schedule *schedule, int64_t after, int64_t *slot_out)
{
    const struct zone *zone = schedule->zone;
    int64_t wall = after + zone_offset(zone, after) + 1;
    while (next_wall(schedule, wall, &wall)) {
        struct civil civil = civil_from_seconds(wall);
        struct zone_local local = zone_from_local(zone, &civil);
        bool is_slot = local.kind != ZONE_LOCAL_GAP || schedule->dst == SCHEDULE_DST_RUN;
        if (is_slot && local.first > after) {
            *slot_out = local.first;
            return true;
        }
        // On to the end of the gap, or of the stretch that is being shown a second time.
        int64_t passed = wall + 1;
        struct zone_change change;
        if (local.kind == ZONE_LOCAL_GAP) {
            wall = local.first + zone_offset(zone, local.first);
        } else if (zone_next_change(zone, local.first, &change)) {
            wall = change.at + change.offset_before;
        }
        wall = wall < passed ? passed : wall;
    }
    return false;
}

static bool next_cron(const struct schedule *schedule, int64_t after, int64_t *slot_out)
{
    return schedule->cron.hours_all ? next_elapsed(schedule, after, slot_out)
                                    : next_by_wall(schedule, after, slot_out);
}

static bool next_every(const struct schedule *schedule, int64_t after, int64_t *slot_out)
{
    int64_t period = schedule->every.us / 1000000;
    int64_t periods = after / period - (after % period < 0);
    *slot_out = (periods + 1) * period;
    return true;
}

static bool next_once(const struct schedule *schedule, int64_t after, int64_t *slot_out)
{
    *slot_out = instant_unix(schedule->once);
    return *slot_out > after;
}

static int64_t first_second(void)
{
    return civil_days(1, 1, 1) * DAY_SECONDS;
}

static int64_t end_second(void)
{
    return civil_days(LAST_YEAR + 1, 1, 1) * DAY_SECONDS;
}

struct instant schedule_next(const struct schedule *schedule, struct instant t)
{
    CHECK(!instant_is_none(t));
    int64_t after = instant_unix(t);
    int64_t slot = 0;
    bool found = false;
    after = after < first_second() ? first_second() : after;
    if (after >= end_second()) {
        return INSTANT_NONE;
    }
    switch (schedule->kind) {
    case SCHEDULE_CRON:
        found = next_cron(schedule, after, &slot);
        break;
    case SCHEDULE_EVERY:
        found = next_every(schedule, after, &slot);
        break;
    case SCHEDULE_ONCE:
        found = next_once(schedule, after, &slot);
        break;
    case SCHEDULE_REBOOT:
        break;
    }
    if (!found || slot >= end_second()) {
        return INSTANT_NONE;
    }
    struct instant next = instant_from_unix(slot);
    CHECK(instant_before(t, next));
    return next;
}

bool schedule_ever_fires(const struct schedule *schedule, struct instant after)
{
    if (schedule->kind == SCHEDULE_REBOOT || schedule->kind == SCHEDULE_ONCE) {
        return true;
    }
    return !instant_is_none(schedule_next(schedule, after));
}
