// SPDX-License-Identifier: MIT
// What a coming change of the zone's clock does to a schedule.
#include "schedule/schedule.h"

#define AFFECTED_MAX 10000
#define LAST_YEAR    9999
// How far back the last slot before a gap is looked for; a schedule that has none within is rarer
// than any gap is long.
#define LOOK_BACK ((int64_t)400 * 86400)

// The first matching wall time at or after `wall`.
static bool next_match(const struct cron *cron, int64_t wall, int64_t *match_out)
{
    struct civil from = civil_from_seconds(wall);
    struct civil match;
    if (from.year < 1 || !cron_next_civil(cron, &from, LAST_YEAR, &match)) {
        return false;
    }
    *match_out = civil_seconds(&match);
    return true;
}

// Matching wall times in [first, end), counted up to the maximum.
static void count_walls(const struct cron *cron, int64_t first, int64_t end,
                        struct schedule_change *change)
{
    int64_t match = 0;
    for (int64_t wall = first;
         change->affected < AFFECTED_MAX && next_match(cron, wall, &match) && match < end;
         wall = match + 1) {
        change->last = civil_from_seconds(match);
        change->first = change->affected == 0 ? change->last : change->first;
        change->affected++;
    }
}

// The last slot before an instant: from ever further back on, so that not many are gone through.
static bool last_slot_before(const struct schedule *schedule, int64_t at, int64_t *slot_out)
{
    for (int64_t back = 1; back <= LOOK_BACK; back *= 2) {
        struct instant slot = schedule_next(schedule, instant_from_unix(at - back - 1));
        bool found = false;
        while (!instant_is_none(slot) && instant_unix(slot) < at) {
            *slot_out = instant_unix(slot);
            found = true;
            slot = schedule_next(schedule, slot);
        }
        if (found) {
            return true;
        }
    }
    return false;
}

// By elapsed time a gap takes nothing away when the slots go on at their distance, as hourly ones
// do where the clock is set by an hour. Otherwise the pause is longer than the schedule says.
static void judge_elapsed_gap(const struct schedule *schedule, struct schedule_change *change)
{
    int64_t before = 0;
    int64_t wanted = 0;
    change->effect = SCHEDULE_CHANGE_ELAPSED;
    if (!last_slot_before(schedule, change->change.at, &before)) {
        return;
    }
    int64_t wall = before + zone_offset(schedule->zone, before);
    struct instant after = schedule_next(schedule, instant_from_unix(change->change.at - 1));
    if (instant_is_none(after) || !next_match(&schedule->cron, wall + 1, &wanted)) {
        return;
    }
    if (instant_unix(after) - before > wanted - wall) {
        change->effect = SCHEDULE_CHANGE_STRETCHED;
        change->before = instant_from_unix(before);
        change->after = after;
    }
}

static void judge_gap(const struct schedule *schedule, struct schedule_change *change)
{
    int64_t end = change->change.at + change->change.offset_after;
    int64_t match = 0;
    if (schedule->cron.hours_all) {
        judge_elapsed_gap(schedule, change);
    } else if (schedule->dst == SCHEDULE_DST_SKIP) {
        change->effect = SCHEDULE_CHANGE_SKIPPED;
    } else {
        bool is_slot = next_match(&schedule->cron, end, &match) && match == end;
        change->effect = is_slot ? SCHEDULE_CHANGE_JOINED : SCHEDULE_CHANGE_MOVED;
        change->moved_to = instant_from_unix(change->change.at);
    }
}

struct schedule_change schedule_judge_change(const struct schedule *schedule,
                                             const struct zone_change *of_zone)
{
    struct schedule_change change = {.change = *of_zone,
                                     .moved_to = INSTANT_NONE,
                                     .before = INSTANT_NONE,
                                     .after = INSTANT_NONE};
    int64_t before = of_zone->at + of_zone->offset_before;
    int64_t after = of_zone->at + of_zone->offset_after;
    if (schedule->kind != SCHEDULE_CRON) {
        bool is_periodic = schedule->kind == SCHEDULE_EVERY;
        change.effect = is_periodic ? SCHEDULE_CHANGE_ELAPSED : SCHEDULE_CHANGE_NONE;
        return change;
    }
    bool is_gap = after > before;
    count_walls(&schedule->cron, is_gap ? before : after, is_gap ? after : before, &change);
    if (change.affected == 0) {
        return change;
    }
    if (is_gap) {
        judge_gap(schedule, &change);
    } else {
        change.effect = schedule->cron.hours_all ? SCHEDULE_CHANGE_TWICE : SCHEDULE_CHANGE_ONCE;
    }
    return change;
}

bool schedule_change_touches(const struct schedule_change *change)
{
    return change->effect != SCHEDULE_CHANGE_NONE && change->effect != SCHEDULE_CHANGE_ELAPSED;
}

bool schedule_next_change(const struct schedule *schedule, struct instant t,
                          struct schedule_change *change_out)
{
    struct zone_change change;
    if (!zone_next_change(schedule->zone, instant_unix(t), &change)) {
        return false;
    }
    *change_out = schedule_judge_change(schedule, &change);
    return true;
}
