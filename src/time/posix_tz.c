// SPDX-License-Identifier: MIT
#include "time/posix_tz.h"

#include <string.h>

#include "time/civil.h"

#define DAY_SECONDS     86400
#define OFFSET_HOURS    24  // POSIX
#define RULE_TIME_HOURS 167 // RFC 9636 extends POSIX's 24

// ---- reading ------------------------------------------------------------------------------------

struct reader {
    const char *at;
    const char *end;
};

static bool reader_take(struct reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != c) {
        return false;
    }
    reader->at++;
    return true;
}

static bool is_digit(const struct reader *reader)
{
    return reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool read_number(struct reader *reader, int lowest, int highest, int *value_out)
{
    int value = 0;
    int digits = 0;
    while (is_digit(reader) && digits < 3) {
        value = value * 10 + (*reader->at++ - '0');
        digits++;
    }
    if (digits == 0 || is_digit(reader) || value < lowest || value > highest) {
        return false;
    }
    *value_out = value;
    return true;
}

// hh[:mm[:ss]] with an optional sign.
static bool read_time(struct reader *reader, int highest_hour, int32_t *seconds_out)
{
    bool negative = reader_take(reader, '-');
    if (!negative) {
        (void)reader_take(reader, '+');
    }
    int hours = 0;
    int minutes = 0;
    int seconds = 0;
    if (!read_number(reader, 0, highest_hour, &hours)) {
        return false;
    }
    if (reader_take(reader, ':')) {
        if (!read_number(reader, 0, 59, &minutes) ||
            (reader_take(reader, ':') && !read_number(reader, 0, 59, &seconds))) {
            return false;
        }
    }
    int32_t total = hours * 3600 + minutes * 60 + seconds;
    *seconds_out = negative ? -total : total;
    return true;
}

static bool is_quoted_name_char(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-';
}

// Letters, or anything of letters, digits and signs between angle brackets.
static bool read_name(struct reader *reader, char out[POSIX_TZ_NAME_SIZE])
{
    bool quoted = reader_take(reader, '<');
    size_t length = 0;
    while (reader->at < reader->end &&
           (quoted ? is_quoted_name_char(*reader->at) : is_letter(*reader->at))) {
        if (length == POSIX_TZ_NAME_SIZE - 1) {
            return false;
        }
        out[length++] = *reader->at++;
    }
    out[length] = '\0';
    return length >= 3 && (!quoted || reader_take(reader, '>'));
}

static bool read_weekday(struct reader *reader, struct posix_tz_day *day)
{
    int month;
    int week;
    int weekday;
    if (!read_number(reader, 1, 12, &month) || !reader_take(reader, '.') ||
        !read_number(reader, 1, 5, &week) || !reader_take(reader, '.') ||
        !read_number(reader, 0, 6, &weekday)) {
        return false;
    }
    day->kind = POSIX_TZ_WEEKDAY;
    day->month = (int8_t)month;
    day->week = (int8_t)week;
    day->day = (int16_t)weekday;
    return true;
}

static bool read_day(struct reader *reader, struct posix_tz_day *day)
{
    if (reader_take(reader, 'M')) {
        if (!read_weekday(reader, day)) {
            return false;
        }
    } else {
        bool julian = reader_take(reader, 'J');
        int number;
        if (!read_number(reader, julian ? 1 : 0, 365, &number)) {
            return false;
        }
        day->kind = julian ? POSIX_TZ_JULIAN : POSIX_TZ_ZERO_DAY;
        day->day = (int16_t)number;
    }
    day->time = 2 * 3600;
    return !reader_take(reader, '/') || read_time(reader, RULE_TIME_HOURS, &day->time);
}

static bool read_dst(struct reader *reader, struct posix_tz *tz)
{
    int32_t west;
    tz->has_dst = true;
    tz->dst_offset = tz->standard_offset + 3600;
    if (!read_name(reader, tz->dst_name)) {
        return false;
    }
    if (reader->at < reader->end && *reader->at != ',') {
        if (!read_time(reader, OFFSET_HOURS, &west)) {
            return false;
        }
        tz->dst_offset = -west;
    }
    // POSIX leaves the days open when they are missing; in a TZif footer they never are.
    return reader_take(reader, ',') && read_day(reader, &tz->dst_start) &&
           reader_take(reader, ',') && read_day(reader, &tz->dst_end);
}

bool posix_tz_parse(const char *text, size_t length, struct posix_tz *tz_out)
{
    struct reader reader = {.at = text, .end = text + length};
    struct posix_tz tz;
    memset(&tz, 0, sizeof tz);
    int32_t west;
    if (!read_name(&reader, tz.standard_name) || !read_time(&reader, OFFSET_HOURS, &west)) {
        return false;
    }
    tz.standard_offset = -west;
    if (reader.at < reader.end && !read_dst(&reader, &tz)) {
        return false;
    }
    if (reader.at != reader.end) {
        return false;
    }
    *tz_out = tz;
    return true;
}

// ---- answering ----------------------------------------------------------------------------------

static int64_t weekday_rule_days(const struct posix_tz_day *rule, int year)
{
    int first = civil_weekday(year, rule->month, 1);
    int day = 1 + (rule->day - first + 7) % 7 + (rule->week - 1) * 7;
    if (day > civil_month_days(year, rule->month)) {
        day -= 7;
    }
    return civil_days(year, rule->month, day);
}

// Local seconds (as if UTC) of the rule's moment in a year.
static int64_t rule_local_seconds(const struct posix_tz_day *rule, int year)
{
    int64_t days = 0;
    switch (rule->kind) {
    case POSIX_TZ_WEEKDAY:
        days = weekday_rule_days(rule, year);
        break;
    case POSIX_TZ_JULIAN:
        days = civil_days(year, 1, 1) + rule->day - 1 + (civil_is_leap(year) && rule->day >= 60);
        break;
    case POSIX_TZ_ZERO_DAY:
        days = civil_days(year, 1, 1) + rule->day;
        break;
    }
    return days * DAY_SECONDS + rule->time;
}

struct rule_change {
    int64_t at;
    bool to_dst;
};

// Times of up to 167 hours can move a change into the year before or after, and a change may only
// undo another of the same second: so the changes from two years before to one year after are
// looked at. In a tie the end comes first: "0/0,J365/25" is DST all the year round.
#define YEARS_BEFORE 2
#define CHANGE_COUNT 8

static bool change_before(struct rule_change a, struct rule_change b)
{
    return a.at < b.at || (a.at == b.at && !a.to_dst && b.to_dst);
}

static void list_changes(const struct posix_tz *tz, int year,
                         struct rule_change changes[CHANGE_COUNT])
{
    for (int i = 0; i < CHANGE_COUNT; i++) {
        int of_year = year - YEARS_BEFORE + i / 2;
        bool to_dst = i % 2 == 0;
        const struct posix_tz_day *rule = to_dst ? &tz->dst_start : &tz->dst_end;
        struct rule_change change = {
            .at =
                rule_local_seconds(rule, of_year) - (to_dst ? tz->standard_offset : tz->dst_offset),
            .to_dst = to_dst,
        };
        int place = i;
        while (place > 0 && change_before(change, changes[place - 1])) {
            changes[place] = changes[place - 1];
            place--;
        }
        changes[place] = change;
    }
}

static int year_of(const struct posix_tz *tz, int64_t unix_seconds)
{
    int64_t bounded = unix_seconds > INT64_MAX / 4   ? INT64_MAX / 4
                      : unix_seconds < INT64_MIN / 4 ? INT64_MIN / 4
                                                     : unix_seconds;
    return civil_from_seconds(bounded + tz->standard_offset).year;
}

bool posix_tz_is_dst(const struct posix_tz *tz, int64_t unix_seconds)
{
    if (!tz->has_dst) {
        return false;
    }
    struct rule_change changes[CHANGE_COUNT];
    list_changes(tz, year_of(tz, unix_seconds), changes);
    bool is_dst = !changes[0].to_dst;
    for (int i = 0; i < CHANGE_COUNT && changes[i].at <= unix_seconds; i++) {
        is_dst = changes[i].to_dst;
    }
    return is_dst;
}

int32_t posix_tz_offset(const struct posix_tz *tz, int64_t unix_seconds)
{
    return posix_tz_is_dst(tz, unix_seconds) ? tz->dst_offset : tz->standard_offset;
}

// The first change after `unix_seconds` that counts: not one undone in the same second. Of the last
// one in the list that can't be told; it is the business of the year after.
static bool first_change(const struct posix_tz *tz, int64_t unix_seconds, int year, int64_t *at_out)
{
    struct rule_change changes[CHANGE_COUNT];
    list_changes(tz, year, changes);
    bool is_dst = !changes[0].to_dst;
    for (int i = 0; i + 1 < CHANGE_COUNT; i++) {
        if (changes[i + 1].at == changes[i].at) {
            continue;
        }
        if (changes[i].at > unix_seconds && changes[i].to_dst != is_dst) {
            *at_out = changes[i].at;
            return true;
        }
        is_dst = changes[i].to_dst;
    }
    return false;
}

bool posix_tz_next_change(const struct posix_tz *tz, int64_t unix_seconds, int64_t *at_out)
{
    if (!tz->has_dst || tz->standard_offset == tz->dst_offset) {
        return false;
    }
    int year = year_of(tz, unix_seconds);
    return first_change(tz, unix_seconds, year, at_out) ||
           first_change(tz, unix_seconds, year + 1, at_out);
}
