// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "audit/expression.h"
#include "audit/verify.h"
#include "audit/wall_clock.h"

// How far back a wall time may have been shown before: the date line has moved by a day at most.
#define LOOK_BACK   (2 * 86400)
#define STRETCH_MAX 16

struct spec {
    char schedule[4096];
    char zone[130];
    bool dst_run;
};

// One recomputation: where it is, and what it has seen of the wall lately.
struct recompute {
    struct instant from, to;
    verify_slot_fn *each;
    void *context;
    bool dst_run;
    const struct expression *expression;
    struct wall_stretch seen[STRETCH_MAX]; // the latest first
    int seen_count;
    int64_t dated_day; // whose match is remembered
    bool dated_match;
    bool any;
    int64_t last; // slot given to `each`
    bool stopped;
};

// Outside the window is not an error: the walk begins earlier than `from`.
static void emit(struct recompute *recompute, int64_t t)
{
    struct instant slot = instant_from_unix(t);
    if (recompute->stopped || !instant_before(recompute->from, slot) ||
        instant_before(recompute->to, slot) || (recompute->any && recompute->last == t)) {
        return;
    }
    recompute->any = true;
    recompute->last = t;
    recompute->stopped = !recompute->each(recompute->context, slot);
}

static int64_t day_of(int64_t wall)
{
    return wall >= 0 ? wall / 86400 : -((-wall + 86399) / 86400);
}

static bool matches_date(struct recompute *recompute, int64_t day)
{
    if (day != recompute->dated_day) {
        // The wall's date is that of a clock in Greenwich which shows the same time.
        time_t midnight = (time_t)(day * 86400);
        struct tm date;
        gmtime_r(&midnight, &date);
        recompute->dated_day = day;
        recompute->dated_match = expression_matches_date(recompute->expression, &date);
    }
    return recompute->dated_match;
}

// The first wall time in [low, high) that the expression matches.
static bool next_match(struct recompute *recompute, int64_t low, int64_t high, int64_t *wall_out)
{
    for (int64_t day = day_of(low); day * 86400 < high; day++) {
        if (!matches_date(recompute, day)) {
            continue;
        }
        int first = low > day * 86400 ? (int)(low - day * 86400) : 0;
        int second = expression_next_in_day(recompute->expression, first);
        if (second >= 0) {
            *wall_out = day * 86400 + second;
            return *wall_out < high;
        }
    }
    return false;
}

// Has the wall shown this time before the stretch at hand?
static bool was_shown(const struct recompute *recompute, int64_t wall)
{
    for (int i = 0; i < recompute->seen_count; i++) {
        const struct wall_stretch *past = &recompute->seen[i];
        if (wall >= past->start + past->offset && wall < past->end + past->offset) {
            return true;
        }
    }
    return false;
}

static void remember(struct recompute *recompute, const struct wall_stretch *stretch)
{
    memmove(recompute->seen + 1, recompute->seen, (STRETCH_MAX - 1) * sizeof recompute->seen[0]);
    recompute->seen[0] = *stretch;
    if (recompute->seen_count < STRETCH_MAX) {
        recompute->seen_count++;
    }
}

// The wall times that the clock jumps over at the beginning of this stretch become one slot there.
static void make_up_gap(struct recompute *recompute, const struct wall_stretch *stretch)
{
    if (recompute->seen_count == 0 || !recompute->dst_run) {
        return;
    }
    int64_t wall = stretch->start + recompute->seen[0].offset;
    int64_t high = stretch->start + stretch->offset;
    while (next_match(recompute, wall, high, &wall)) {
        if (!was_shown(recompute, wall)) {
            emit(recompute, stretch->start);
            return;
        }
        wall++;
    }
}

static void walk_stretch(struct recompute *recompute, const struct wall_stretch *stretch)
{
    bool elapsed = recompute->expression->every_hour;
    int64_t wall = stretch->start + stretch->offset;
    int64_t high = stretch->end + stretch->offset;
    if (!elapsed) {
        make_up_gap(recompute, stretch);
    }
    while (!recompute->stopped && next_match(recompute, wall, high, &wall)) {
        if (elapsed || !was_shown(recompute, wall)) {
            emit(recompute, wall - stretch->offset);
        }
        wall++;
    }
}

static void walk_cron(struct recompute *recompute)
{
    int64_t limit = instant_unix(recompute->to) + 1;
    int64_t at = instant_unix(recompute->from) - LOOK_BACK;
    while (at < limit && !recompute->stopped) {
        struct wall_stretch stretch = wall_clock_stretch(at, limit);
        walk_stretch(recompute, &stretch);
        remember(recompute, &stretch);
        at = stretch.end;
    }
}

static bool recompute_cron(struct recompute *recompute, const char *text, const char *hash_name,
                           const char *zone, struct error *err)
{
    struct expression expression;
    struct wall_clock clock;
    if (!expression_parse(text, hash_name, &expression, err) ||
        !wall_clock_enter(&clock, zone, err)) {
        return false;
    }
    recompute->expression = &expression;
    recompute->dated_day = INT64_MIN;
    walk_cron(recompute);
    wall_clock_leave(&clock);
    return true;
}

// ---- @every, @once ------------------------------------------------------------------------------

static bool read_seconds(const char *text, int64_t *seconds_out)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
    int64_t total = 0;
    const char *at = text;
    do {
        int64_t number = 0;
        const char *digits = at;
        while (isdigit((unsigned char)*at) && at - digits < 12) {
            number = number * 10 + (*at++ - '0');
        }
        size_t unit = 0;
        while (unit < ARRAY_LENGTH(units) && units[unit].unit != *at) {
            unit++;
        }
        if (at == digits || unit == ARRAY_LENGTH(units)) {
            return false;
        }
        total += number * units[unit].seconds;
        at++;
    } while (*at != '\0');
    *seconds_out = total;
    return total > 0;
}

static bool recompute_every(struct recompute *recompute, const char *text, struct error *err)
{
    int64_t every;
    if (!read_seconds(text, &every)) {
        return error_set(err, ERROR_CONFIG,
                         "a recorded schedule has no duration that can be read: "
                         "\"@every %s\"",
                         text);
    }
    int64_t first = instant_unix(recompute->from) / every * every;
    for (int64_t at = first - every; at <= instant_unix(recompute->to) && !recompute->stopped;
         at += every) {
        emit(recompute, at);
    }
    return true;
}

// RFC 3339 with its offset, or a date, which is midnight UTC.
static bool read_time(const char *text, int64_t *unix_out)
{
    struct tm tm = {0};
    int used = 0, hours = 0, minutes = 0;
    char sign = '+';
    if (sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &used) != 3) {
        return false;
    }
    const char *at = text + used;
    if (*at != '\0') {
        if (strchr("Tt ", *at) == NULL ||
            sscanf(at + 1, "%2d:%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 3) {
            return false;
        }
        at += 1 + used;
        if (*at == '.') {
            at += 1 + strspn(at + 1, "0123456789");
        }
        if (*at == 'Z' || *at == 'z') {
            at++;
        } else if (sscanf(at, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) == 3 &&
                   strchr("+-", sign) != NULL) {
            at += used;
        } else {
            return false;
        }
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t east = hours * 3600 + minutes * 60;
    *unix_out = timegm(&tm) - (sign == '-' ? -east : east);
    return *at == '\0';
}

static bool recompute_once(struct recompute *recompute, const char *text, struct error *err)
{
    int64_t at;
    if (!read_time(text, &at)) {
        return error_set(err, ERROR_CONFIG,
                         "a recorded schedule has no time that can be read: \"@once %s\"", text);
    }
    emit(recompute, at);
    return true;
}

// ---- the spec -----------------------------------------------------------------------------------

static const char *expand(const char *schedule)
{
    static const struct {
        const char *name;
        const char *fields;
    } names[] = {{"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
                 {"@weekly", "0 0 * * 0"},  {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
                 {"@annually", "0 0 1 1 *"}};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcasecmp(schedule, names[i].name) == 0) {
            return names[i].fields;
        }
    }
    return schedule;
}

// What follows the word, or NULL when the schedule does not begin with it.
static const char *after_word(const char *schedule, const char *word)
{
    size_t length = strlen(word);
    if (strncasecmp(schedule, word, length) != 0 ||
        (schedule[length] != ' ' && schedule[length] != '\t')) {
        return NULL;
    }
    return schedule + length + strspn(schedule + length, " \t");
}

static bool copy_member(const json_t *object, const char *key, char *out, size_t size)
{
    const char *value = json_string_value(json_object_get(object, key));
    if (value == NULL || strlen(value) >= size) {
        return false;
    }
    // Blanks around a schedule mean nothing.
    value += strspn(value, " \t");
    size_t length = strlen(value);
    while (length > 0 && strchr(" \t", value[length - 1]) != NULL) {
        length--;
    }
    memcpy(out, value, length);
    out[length] = '\0';
    return true;
}

static bool read_spec(const char *text, struct spec *spec, struct error *err)
{
    char dst[8] = "";
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    bool good = copy_member(object, "schedule", spec->schedule, sizeof spec->schedule) &&
                copy_member(object, "timezone", spec->zone, sizeof spec->zone) &&
                copy_member(object, "dst", dst, sizeof dst) &&
                (strcmp(dst, "run") == 0 || strcmp(dst, "skip") == 0);
    json_decref(object);
    spec->dst_run = strcmp(dst, "run") == 0;
    return good || error_set(err, ERROR_STORE,
                             "the store holds a schedule in force that cannot be read (look for "
                             "damage: ironcron doctor --deep): %.500s",
                             text);
}

bool verify_recompute(const char *spec_text, const char *hash_name, struct instant from,
                      struct instant to, verify_slot_fn *each, void *context, struct error *err)
{
    struct spec spec;
    if (!read_spec(spec_text, &spec, err)) {
        return false;
    }
    struct recompute recompute = {
        .from = from, .to = to, .each = each, .context = context, .dst_run = spec.dst_run};
    const char *rest;
    if ((rest = after_word(spec.schedule, "@every")) != NULL) {
        return recompute_every(&recompute, rest, err);
    }
    if ((rest = after_word(spec.schedule, "@once")) != NULL) {
        return recompute_once(&recompute, rest, err);
    }
    if (strcasecmp(spec.schedule, "@reboot") == 0) {
        return true; // due at each boot: no calendar knows when that is
    }
    return recompute_cron(&recompute, expand(spec.schedule), hash_name, spec.zone, err);
}
