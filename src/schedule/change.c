// SPDX-License-Identifier: MIT
// What a coming change of the zone's clock does to a schedule.
#include "schedule/schedule.h"

#define AFFECTED_MAX 10000
#define LAST_YEAR    9999

// Matching wall times in [first, end), counted up to the maximum.
static int count_walls(const struct cron *cron, int64_t first, int64_t end)
{
    int count = 0;
    struct civil from = civil_from_seconds(first);
    struct civil match;
    while (count < AFFECTED_MAX && from.year >= 1 &&
           cron_next_civil(cron, &from, LAST_YEAR, &match) && civil_seconds(&match) < end) {
        count++;
        from = civil_from_seconds(civil_seconds(&match) + 1);
    }
    return count;
}

static void judge(const struct schedule *schedule, struct schedule_change *change)
{
    int64_t before = change->change.at + change->change.offset_before;
    int64_t after = change->change.at + change->change.offset_after;
    bool is_gap = after > before;
    if (schedule->kind != SCHEDULE_CRON) {
        change->effect =
            schedule->kind == SCHEDULE_EVERY ? SCHEDULE_CHANGE_ELAPSED : SCHEDULE_CHANGE_NONE;
        return;
    }
    change->affected = is_gap ? count_walls(&schedule->cron, before, after)
                              : count_walls(&schedule->cron, after, before);
    if (change->affected == 0) {
        change->effect = SCHEDULE_CHANGE_NONE;
    } else if (schedule->cron.hours_all) {
        change->effect = SCHEDULE_CHANGE_ELAPSED;
    } else if (!is_gap) {
        change->effect = SCHEDULE_CHANGE_ONCE;
    } else if (schedule->dst == SCHEDULE_DST_SKIP) {
        change->effect = SCHEDULE_CHANGE_SKIPPED;
    } else {
        change->effect = SCHEDULE_CHANGE_MOVED;
        change->moved_to = instant_from_unix(change->change.at);
    }
}

bool schedule_next_change(const struct schedule *schedule, struct instant t,
                          struct schedule_change *change_out)
{
    struct schedule_change change = {.moved_to = INSTANT_NONE};
    if (!zone_next_change(schedule->zone, instant_unix(t), &change.change)) {
        return false;
    }
    judge(schedule, &change);
    *change_out = change;
    return true;
}
