// SPDX-License-Identifier: MIT
#include "cli/change_text.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/json.h"
#include "time/format.h"

#define TEXT_MAX 1024

static const char *const effect_names[SCHEDULE_CHANGE_EFFECT_COUNT] = {
    [SCHEDULE_CHANGE_NONE] = "none",           [SCHEDULE_CHANGE_MOVED] = "moved",
    [SCHEDULE_CHANGE_JOINED] = "joined",       [SCHEDULE_CHANGE_SKIPPED] = "skipped",
    [SCHEDULE_CHANGE_ONCE] = "once",           [SCHEDULE_CHANGE_TWICE] = "twice",
    [SCHEDULE_CHANGE_STRETCHED] = "stretched", [SCHEDULE_CHANGE_ELAPSED] = "elapsed",
};

static const char *const month_names[] = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December",
};
static const char *const weekday_names[] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
};

static struct civil local_after(const struct zone_change *change)
{
    return civil_from_seconds(change->at + change->offset_after);
}

// ---- times --------------------------------------------------------------------------------------

static void add_time_of_day(struct buf *out, const struct civil *civil)
{
    buf_printf(out, "%02d:%02d", civil->hour, civil->minute);
    if (civil->second != 0) {
        buf_printf(out, ":%02d", civil->second);
    }
}

// With the date where it is not the one that the reader already has.
static void add_wall(struct buf *out, const struct civil *wall, const struct civil *day)
{
    if (wall->year != day->year || wall->month != day->month || wall->day != day->day) {
        buf_printf(out, "%04d-%02d-%02d ", wall->year, wall->month, wall->day);
    }
    add_time_of_day(out, wall);
}

static void add_instant(struct buf *out, const char *before, struct instant t,
                        const struct zone *zone)
{
    char text[FORMAT_TIME_SIZE];
    format_in_zone(t, zone, text);
    buf_printf(out, "%s%s", before, text);
}

// "02:30", "02:00 and 02:30", "12 times from 02:00 to 02:55".
static void add_affected(struct buf *out, const struct schedule_change *change)
{
    struct civil day = local_after(&change->change);
    if (change->affected > 2) {
        buf_printf(out, "%s%d times from ", change->affected >= 10000 ? "at least " : "",
                   change->affected);
    }
    add_wall(out, &change->first, &day);
    if (change->affected > 1) {
        buf_add_string(out, change->affected == 2 ? " and " : " to ");
        add_wall(out, &change->last, &day);
    }
}

// ---- effects ------------------------------------------------------------------------------------

static void add_gap_effect(const struct schedule_change *change, const struct zone *zone,
                           struct buf *out)
{
    bool one = change->affected == 1;
    add_affected(out, change);
    buf_add_string(out, one ? " does not exist" : " do not exist");
    switch (change->effect) {
    case SCHEDULE_CHANGE_MOVED:
        buf_add_string(out, one ? "; it runs instead" : "; all of them run once instead");
        add_instant(out, " at ", change->moved_to, zone);
        break;
    case SCHEDULE_CHANGE_JOINED:
        add_instant(out, one ? "; it is one with the slot of " : "; they are one with the slot of ",
                    change->moved_to, zone);
        break;
    case SCHEDULE_CHANGE_SKIPPED:
        buf_add_string(out, one ? "; it is skipped (dst: skip)" : "; they are skipped (dst: skip)");
        break;
    default: {
        char pause[FORMAT_DURATION_SIZE];
        format_duration_human(instant_since(change->after, change->before), pause);
        buf_add_string(out, one ? " and is not made up" : " and are not made up");
        add_instant(out, ": after ", change->before, zone);
        buf_printf(out, " the next slot comes %s later", pause);
        add_instant(out, ", at ", change->after, zone);
        break;
    }
    }
}

// The instant at which the clock shows a repeated wall time, with the offset of the pass.
static struct instant pass(const struct civil *wall, int32_t offset)
{
    return instant_from_unix(civil_seconds(wall) - offset);
}

static void add_repeat_effect(const struct schedule_change *change, const struct zone *zone,
                              struct buf *out)
{
    const struct zone_change *clock = &change->change;
    bool one = change->affected == 1;
    bool twice = change->effect == SCHEDULE_CHANGE_TWICE;
    add_affected(out, change);
    if (one) {
        buf_add_string(out, twice ? " comes twice and runs both times"
                                  : " comes twice and runs the first time only");
    } else {
        buf_add_string(out, twice ? " come twice and run both times"
                                  : " come twice and run the first time only");
    }
    add_instant(out, one ? ": at " : ": from ", pass(&change->first, clock->offset_before), zone);
    add_instant(out,
                twice ? (one ? " and again at " : " and again from ")
                      : (one ? ", not again at " : ", not again from "),
                pass(&change->first, clock->offset_after), zone);
}

void change_effect_text(const struct schedule_change *change, const struct zone *zone,
                        struct buf *out)
{
    switch (change->effect) {
    case SCHEDULE_CHANGE_NONE:
        buf_add_string(out, "no slot is near; nothing changes");
        break;
    case SCHEDULE_CHANGE_ELAPSED:
        buf_add_string(out, "it goes on by elapsed time; nothing is skipped or repeated");
        break;
    case SCHEDULE_CHANGE_ONCE:
    case SCHEDULE_CHANGE_TWICE:
        add_repeat_effect(change, zone, out);
        break;
    default:
        add_gap_effect(change, zone, out);
        break;
    }
}

// ---- the change itself --------------------------------------------------------------------------

void change_date_text(const struct zone_change *change, struct buf *out)
{
    struct civil date = local_after(change);
    buf_printf(out, "%s %d %s %d", weekday_names[civil_weekday(date.year, date.month, date.day)],
               date.day, month_names[date.month - 1], date.year);
}

static void add_offset(struct buf *out, int32_t seconds)
{
    int32_t whole = abs(seconds);
    buf_printf(out, "UTC%c%02d:%02d", seconds < 0 ? '-' : '+', whole / 3600, whole / 60 % 60);
    if (whole % 60 != 0) {
        buf_printf(out, ":%02d", whole % 60);
    }
}

void change_clock_text(const struct zone_change *change, struct buf *out)
{
    struct civil before = civil_from_seconds(change->at + change->offset_before);
    struct civil after = local_after(change);
    add_wall(out, &before, &after);
    buf_add_string(out, " becomes ");
    add_time_of_day(out, &after);
    buf_add_string(out, " (");
    add_offset(out, change->offset_before);
    buf_add_string(out, " to ");
    add_offset(out, change->offset_after);
    buf_add_char(out, ')');
}

// ---- JSON ---------------------------------------------------------------------------------------

json_t *change_json(const struct zone_change *change)
{
    return json_pack("{s:o, s:i, s:i}", "at", json_time(instant_from_unix(change->at)),
                     "offset_before", (int)change->offset_before, "offset_after",
                     (int)change->offset_after);
}

static json_t *json_wall(const struct schedule_change *change, const struct civil *wall)
{
    return change->affected == 0
               ? json_null()
               : json_sprintf("%04d-%02d-%02dT%02d:%02d:%02d", wall->year, wall->month, wall->day,
                              wall->hour, wall->minute, wall->second);
}

void change_effect_json(const struct schedule_change *change, const struct zone *zone,
                        json_t *object)
{
    AUTO(buf_release) struct buf text;
    buf_init(&text, TEXT_MAX);
    change_effect_text(change, zone, &text);
    json_object_set_new(object, "effect", json_string(effect_names[change->effect]));
    json_object_set_new(object, "affected", json_integer(change->affected));
    json_object_set_new(object, "first_local", json_wall(change, &change->first));
    json_object_set_new(object, "last_local", json_wall(change, &change->last));
    json_object_set_new(object, "moved_to", json_time(change->moved_to));
    json_object_set_new(object, "text", json_text(buf_string(&text)));
}
