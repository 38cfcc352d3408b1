// SPDX-License-Identifier: MIT
#include <stdint.h>
#include <string.h>

#include "time/format.h"

#define TIME_REMEDY                                                                                \
    "write it like 2026-11-24T03:36:23+01:00 or 2026-11-24, or -2h for two hours ago"
#define DURATION_REMEDY "write it like 90s, 5m, 1h30m or 7d"
#define SHOWN_MAX       60 // how much of a wrong text an error repeats

struct reader {
    const char *text;
    const char *at;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool refuse_time(const struct reader *reader, struct error *err, const char *reason)
{
    return error_set(err, ERROR_CONFIG, "time '%.*s' is wrong at character %d: %s; " TIME_REMEDY,
                     SHOWN_MAX, reader->text, (int)(reader->at - reader->text) + 1, reason);
}

// Exactly `digits` digits within the bounds. On failure the reader stays at the number's start.
static bool read_number(struct reader *reader, int digits, int lowest, int highest, int *value_out)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (!is_digit(reader->at[i])) {
            return false;
        }
        value = value * 10 + (reader->at[i] - '0');
    }
    if (value < lowest || value > highest) {
        return false;
    }
    reader->at += digits;
    *value_out = value;
    return true;
}

static bool read_char(struct reader *reader, char lower, char upper)
{
    if (*reader->at != lower && *reader->at != upper) {
        return false;
    }
    reader->at++;
    return true;
}

static bool read_date(struct reader *reader, struct civil *civil, struct error *err)
{
    if (!read_number(reader, 4, 1, 9999, &civil->year)) {
        return refuse_time(reader, err, "a year from 0001 to 9999 belongs here");
    }
    if (!read_char(reader, '-', '-')) {
        return refuse_time(reader, err, "'-' belongs here");
    }
    if (!read_number(reader, 2, 1, 12, &civil->month)) {
        return refuse_time(reader, err, "a month from 01 to 12 belongs here");
    }
    if (!read_char(reader, '-', '-')) {
        return refuse_time(reader, err, "'-' belongs here");
    }
    if (!read_number(reader, 2, 1, civil_month_days(civil->year, civil->month), &civil->day)) {
        return refuse_time(reader, err, "a day of that month belongs here");
    }
    return true;
}

static bool read_clock_time(struct reader *reader, struct civil *civil, struct error *err)
{
    if (!read_number(reader, 2, 0, 23, &civil->hour)) {
        return refuse_time(reader, err, "an hour from 00 to 23 belongs here");
    }
    if (!read_char(reader, ':', ':') || !read_number(reader, 2, 0, 59, &civil->minute)) {
        return refuse_time(reader, err, "':' and a minute from 00 to 59 belong here");
    }
    if (!read_char(reader, ':', ':') || !read_number(reader, 2, 0, 59, &civil->second)) {
        return refuse_time(reader, err, "':' and a second from 00 to 59 belong here");
    }
    return true;
}

static bool read_decimals(struct reader *reader, int64_t *us_out, struct error *err)
{
    *us_out = 0;
    if (!read_char(reader, '.', '.')) {
        return true;
    }
    if (!is_digit(*reader->at)) {
        return refuse_time(reader, err, "decimals belong here");
    }
    int64_t scale = 100000;
    for (; is_digit(*reader->at); reader->at++, scale /= 10) {
        if (scale == 0) {
            return refuse_time(reader, err, "at most six decimals are kept");
        }
        *us_out += (*reader->at - '0') * scale;
    }
    return true;
}

static bool read_offset(struct reader *reader, int *seconds_out, struct error *err)
{
    *seconds_out = 0;
    if (read_char(reader, 'z', 'Z')) {
        return true;
    }
    bool west = *reader->at == '-';
    int hours;
    int minutes;
    if (!read_char(reader, '+', '-')) {
        return refuse_time(reader, err, "the offset is missing: Z, or +01:00");
    }
    if (!read_number(reader, 2, 0, 23, &hours) || !read_char(reader, ':', ':') ||
        !read_number(reader, 2, 0, 59, &minutes)) {
        return refuse_time(reader, err, "an offset such as +01:00 belongs here");
    }
    *seconds_out = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

static bool parse_absolute(const char *text, struct instant *time_out, struct error *err)
{
    struct reader reader = {.text = text, .at = text};
    struct civil civil = {0};
    int64_t us = 0;
    int offset = 0;
    if (!read_date(&reader, &civil, err)) {
        return false;
    }
    if (*reader.at != '\0') {
        if (!read_char(&reader, 't', 'T')) {
            return refuse_time(&reader, err, "'T' and the time of day belong here");
        }
        if (!read_clock_time(&reader, &civil, err) || !read_decimals(&reader, &us, err) ||
            !read_offset(&reader, &offset, err)) {
            return false;
        }
    }
    if (*reader.at != '\0') {
        return refuse_time(&reader, err, "the time is complete before it");
    }
    *time_out = instant_add(instant_from_unix(civil_seconds(&civil) - offset), DURATION_US(us));
    return true;
}

bool format_parse_time(const char *text, struct instant now, struct instant *time_out,
                       struct error *err)
{
    if (text[0] != '-') {
        return parse_absolute(text, time_out, err);
    }
    struct duration ago;
    if (!format_parse_duration(text + 1, &ago, err)) {
        return error_wrap(err, "time '%.*s'", SHOWN_MAX, text);
    }
    *time_out = instant_add(now, (struct duration){-ago.us});
    return true;
}

// ---- durations ----------------------------------------------------------------------------------

struct unit {
    const char *name;
    int64_t us;
};

// From long to short: "1h30m" is a duration, "30m1h" a mistake. "ms" stands before "m", of which it
// would otherwise be taken for.
static const struct unit units[] = {
    {"d", 86400000000}, {"h", 3600000000}, {"ms", 1000}, {"us", 1}, {"m", 60000000}, {"s", 1000000},
};

static const struct unit *read_unit(const char **at)
{
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        size_t length = strlen(units[i].name);
        if (strncmp(*at, units[i].name, length) == 0) {
            *at += length;
            return &units[i];
        }
    }
    return NULL;
}

static bool refuse_duration(const struct reader *reader, struct error *err, const char *reason)
{
    return error_set(err, ERROR_CONFIG,
                     "duration '%.*s' is wrong at character %d: %s; " DURATION_REMEDY, SHOWN_MAX,
                     reader->text, (int)(reader->at - reader->text) + 1, reason);
}

static bool read_part(struct reader *reader, int64_t *shortest_so_far, int64_t *total,
                      struct error *err)
{
    int64_t count = 0;
    if (!is_digit(*reader->at)) {
        return refuse_duration(reader, err, "a whole number belongs here");
    }
    const char *start = reader->at;
    for (; is_digit(*reader->at); reader->at++) {
        if (__builtin_mul_overflow(count, 10, &count) ||
            __builtin_add_overflow(count, *reader->at - '0', &count)) {
            return refuse_duration(reader, err, "the number is too large");
        }
    }
    const char *unit_start = reader->at;
    const struct unit *unit = read_unit(&reader->at);
    if (unit == NULL) {
        return refuse_duration(reader, err,
                               *reader->at == '\0'  ? "the unit is missing"
                               : *reader->at == '.' ? "durations have no decimals"
                                                    : "the units are d, h, m, s, ms and us");
    }
    if (unit->us >= *shortest_so_far) {
        reader->at = unit_start;
        return refuse_duration(reader, err, "the longer unit comes first, each unit once");
    }
    int64_t us;
    if (__builtin_mul_overflow(count, unit->us, &us) || __builtin_add_overflow(*total, us, total)) {
        reader->at = start;
        return refuse_duration(reader, err, "the duration is too long");
    }
    *shortest_so_far = unit->us;
    return true;
}

bool format_parse_duration(const char *text, struct duration *duration_out, struct error *err)
{
    struct reader reader = {.text = text, .at = text};
    int64_t shortest = INT64_MAX;
    int64_t total = 0;
    do {
        if (!read_part(&reader, &shortest, &total, err)) {
            return false;
        }
    } while (*reader.at != '\0');
    duration_out->us = total;
    return true;
}
