// SPDX-License-Identifier: MIT
#include "cli/why_clock.h"

#define DAY 86400

// Does the schedule match this wall time, whatever the clock of the zone did?
static bool is_wall_match(const struct cron *cron, int64_t wall)
{
    struct civil civil = civil_from_seconds(wall);
    struct civil match;
    return civil.year >= 1 && cron_next_civil(cron, &civil, civil.year, &match) &&
           civil_seconds(&match) == wall;
}

// A time of the gap can be written with the offset of before or of after it.
static bool is_in_gap(const struct schedule *schedule, const struct zone_change *change, int64_t at)
{
    const int32_t offsets[] = {change->offset_before, change->offset_after};
    int64_t first = change->at + change->offset_before;
    int64_t end = change->at + change->offset_after;
    for (int i = 0; i < 2; i++) {
        int64_t wall = at + offsets[i];
        if (first <= wall && wall < end && is_wall_match(&schedule->cron, wall)) {
            return true;
        }
    }
    return false;
}

static bool is_second_pass(const struct schedule *schedule, const struct zone_change *change,
                           int64_t at)
{
    int64_t length = change->offset_before - change->offset_after;
    return change->at <= at && at < change->at + length &&
           is_wall_match(&schedule->cron, at + change->offset_after);
}

static void judge(const struct schedule *schedule, struct instant at, struct why_clock *clock)
{
    const struct zone_change *change = &clock->change.change;
    int64_t seconds = instant_unix(at);
    switch (clock->change.effect) {
    case SCHEDULE_CHANGE_MOVED:
    case SCHEDULE_CHANGE_JOINED:
        clock->instead = clock->change.moved_to;
        if (instant_equal(clock->change.moved_to, at)) {
            clock->role = WHY_CLOCK_MADE;
        } else if (is_in_gap(schedule, change, seconds)) {
            clock->role = WHY_CLOCK_GAP;
        }
        break;
    case SCHEDULE_CHANGE_SKIPPED:
    case SCHEDULE_CHANGE_STRETCHED:
        clock->role = is_in_gap(schedule, change, seconds) ? WHY_CLOCK_GAP : WHY_CLOCK_NONE;
        break;
    case SCHEDULE_CHANGE_ONCE:
        clock->instead = instant_from_unix(seconds - change->offset_before + change->offset_after);
        clock->role = is_second_pass(schedule, change, seconds) ? WHY_CLOCK_AGAIN : WHY_CLOCK_NONE;
        break;
    default:
        break;
    }
}

struct why_clock why_clock_look(const struct schedule *schedule, struct instant at)
{
    struct why_clock clock = {.instead = INSTANT_NONE};
    if (schedule->kind != SCHEDULE_CRON) {
        return clock;
    }
    // The nearest change is at most a day before or after: no gap or repetition lasts longer.
    struct instant from = instant_add(at, DURATION_S(-DAY));
    for (int i = 0; i < 4 && clock.role == WHY_CLOCK_NONE; i++) {
        clock.instead = INSTANT_NONE;
        if (!schedule_next_change(schedule, from, &clock.change) ||
            clock.change.change.at > instant_unix(at) + DAY) {
            break;
        }
        judge(schedule, at, &clock);
        from = instant_from_unix(clock.change.change.at);
    }
    return clock;
}
