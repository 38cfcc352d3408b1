// SPDX-License-Identifier: MIT
// Text to schedule, and the first slot after an instant.
#include "schedule/schedule.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "time/format.h"

#define LAST_YEAR     9999
#define EVERY_LOWEST  ((int64_t)1000000)
#define EVERY_HIGHEST ((int64_t)366 * 86400 * 1000000)
#define DAY_SECONDS   86400
// No two wall times of one instant differ by more, whatever the clock did: two offsets of at most
// 26 hours.
#define WALL_REACH ((int64_t)3 * DAY_SECONDS)

// ---- text ---------------------------------------------------------------------------------------

struct alias {
    const char *name;
    const char *expression;
};

static const struct alias aliases[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

// Copies without the blanks at both ends; false when it does not fit.
static bool copy_trimmed(const char *text, char *out, size_t size)
{
    while (is_blank(*text)) {
        text++;
    }
    size_t length = strnlen(text, size);
    if (length == size) {
        return false;
    }
    while (length > 0 && is_blank(text[length - 1])) {
        length--;
    }
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

// The argument behind a word such as "@every", or NULL when the text is another word.
static const char *argument_of(const char *text, const char *word)
{
    size_t length = strlen(word);
    if (strncasecmp(text, word, length) != 0 || (text[length] != '\0' && !is_blank(text[length]))) {
        return NULL;
    }
    text += length;
    while (is_blank(*text)) {
        text++;
    }
    return text;
}

static bool parse_every(const char *argument, struct schedule *schedule, struct error *err)
{
    if (!format_parse_duration(argument, &schedule->every, err)) {
        return error_wrap(err, "@every");
    }
    bool has_fractions = strstr(argument, "ms") != NULL || strstr(argument, "us") != NULL;
    if (has_fractions || schedule->every.us < EVERY_LOWEST || schedule->every.us > EVERY_HIGHEST) {
        return error_set(err, ERROR_CONFIG, "@every %s: whole seconds from 1s to 366d are possible",
                         argument);
    }
    schedule->kind = SCHEDULE_EVERY;
    return true;
}

static bool parse_once(const char *argument, struct schedule *schedule, struct error *err)
{
    // "-2h" is a time, too, but a schedule that depends on when it was read is none.
    if (argument[0] == '-') {
        return error_set(err, ERROR_CONFIG,
                         "@once %s: write the time itself, like @once 2026-11-24T03:36:23+01:00",
                         argument);
    }
    if (!format_parse_time(argument, INSTANT_NONE, &schedule->once, err)) {
        return error_wrap(err, "@once");
    }
    if (schedule->once.us % 1000000 != 0) {
        return error_set(err, ERROR_CONFIG,
                         "@once %s: slots are whole seconds; leave the decimals out", argument);
    }
    schedule->kind = SCHEDULE_ONCE;
    return true;
}

static bool parse_word(const char *text, const char *hash_name, struct schedule *schedule,
                       struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(aliases); i++) {
        if (strcasecmp(text, aliases[i].name) == 0) {
            schedule->kind = SCHEDULE_CRON;
            return cron_parse(aliases[i].expression, hash_name, &schedule->cron, err);
        }
    }
    if (strcasecmp(text, "@reboot") == 0) {
        schedule->kind = SCHEDULE_REBOOT;
        return true;
    }
    const char *argument = argument_of(text, "@every");
    if (argument != NULL) {
        return parse_every(argument, schedule, err);
    }
    argument = argument_of(text, "@once");
    if (argument != NULL) {
        return parse_once(argument, schedule, err);
    }
    return error_set(
        err, ERROR_CONFIG,
        "%.40s is no schedule; the words are @hourly, @daily, @midnight, @weekly, @monthly, "
        "@yearly, @annually, @reboot, @every 30s, @once TIME",
        text);
}

bool schedule_parse(const char *text, const struct zone *zone, enum schedule_dst dst,
                    const char *hash_name, struct schedule *schedule_out, struct error *err)
{
    CHECK(zone != NULL);
    struct schedule schedule;
    memset(&schedule, 0, sizeof schedule);
    schedule.zone = zone;
    schedule.dst = dst;
    char trimmed[CRON_TEXT_MAX + 1];
    bool fits = copy_trimmed(text, trimmed, sizeof trimmed);
    bool is_word = fits && trimmed[0] == '@';
    if (is_word ? !parse_word(trimmed, hash_name, &schedule, err)
                : !cron_parse(text, hash_name, &schedule.cron, err)) {
        return false;
    }
    *schedule_out = schedule;
    return true;
}

// ---- the next slot ------------------------------------------------------------------------------

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
