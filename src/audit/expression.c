// SPDX-License-Identifier: MIT
#include "audit/expression.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum field { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };

static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};

static const struct field_rule {
    const char *name;
    int low, high;            // of * and of an open end
    int highest;              // a number may be; 7 is Sunday's other name
    const char *const *names; // the first one is `low`
} rules[FIELD_COUNT] = {
    [SECOND] = {"second", 0, 59, 59, NULL},
    [MINUTE] = {"minute", 0, 59, 59, NULL},
    [HOUR] = {"hour", 0, 23, 23, NULL},
    [DAY] = {"day of month", 1, 31, 31, NULL},
    [MONTH] = {"month", 1, 12, 12, month_names},
    [WEEKDAY] = {"day of week", 0, 6, 7, weekday_names},
};

struct reader {
    const char *at;
    const char *end; // of the field
    enum field field;
    const char *hash_name;
    struct expression *out;
    struct error *err;
};

static bool refuse(struct reader *reader, const char *why)
{
    return error_set(reader->err, ERROR_CONFIG,
                     "the %s field of a recorded schedule: %s, at \"%.*s\"",
                     rules[reader->field].name, why, (int)(reader->end - reader->at), reader->at);
}

// The next byte in lower case; NUL at the field's end.
static char peek(const struct reader *reader)
{
    return reader->at < reader->end ? (char)tolower((unsigned char)*reader->at) : '\0';
}

static bool accept(struct reader *reader, char wanted)
{
    if (peek(reader) != wanted) {
        return false;
    }
    reader->at++;
    return true;
}

static bool read_number(struct reader *reader, int *number_out)
{
    const char *start = reader->at;
    int number = 0;
    while (isdigit((unsigned char)peek(reader))) {
        if (number < 1000) { // beyond every range already
            number = number * 10 + (peek(reader) - '0');
        }
        reader->at++;
    }
    *number_out = number;
    return reader->at > start || refuse(reader, "a number was expected");
}

static bool read_name(struct reader *reader, int *value_out)
{
    const char *const *names = rules[reader->field].names;
    for (int i = 0; names != NULL && names[i] != NULL; i++) {
        if (reader->end - reader->at >= 3 && strncasecmp(reader->at, names[i], 3) == 0) {
            reader->at += 3;
            *value_out = rules[reader->field].low + i;
            return true;
        }
    }
    return refuse(reader, "neither a number nor a known name");
}

static bool read_value(struct reader *reader, int *value_out)
{
    if (!isdigit((unsigned char)peek(reader))) {
        return read_name(reader, value_out);
    }
    if (!read_number(reader, value_out)) {
        return false;
    }
    const struct field_rule *rule = &rules[reader->field];
    return (*value_out >= rule->low && *value_out <= rule->highest) ||
           refuse(reader, "the number is out of range");
}

// "-b" after a first value. Sunday ends a week as well as it begins one: sat-sun is 6-7.
static bool read_range_end(struct reader *reader, int low, int *high_out)
{
    if (!read_value(reader, high_out)) {
        return false;
    }
    if (reader->field == WEEKDAY && *high_out == 0 && low > 0) {
        *high_out = 7;
    }
    return *high_out >= low || refuse(reader, "the range runs backwards");
}

// Optional "/n"; *step_out is 0 where there is none.
static bool read_step(struct reader *reader, int *step_out)
{
    *step_out = 0;
    if (!accept(reader, '/')) {
        return true;
    }
    if (!read_number(reader, step_out)) {
        return false;
    }
    return (*step_out >= 1 && *step_out <= rules[reader->field].highest) ||
           refuse(reader, "the step is out of range");
}

static void mark(struct reader *reader, int value)
{
    struct expression *out = reader->out;
    bool *tables[FIELD_COUNT] = {out->second, out->minute, out->hour,
                                 out->day,    out->month,  out->weekday};
    tables[reader->field][reader->field == WEEKDAY ? value % 7 : value] = true;
}

static void mark_range(struct reader *reader, int low, int high, int step)
{
    for (int value = low; value <= high; value += step == 0 ? 1 : step) {
        mark(reader, value);
    }
}

// FNV-1a over the name and one byte for the field, so that H differs between the fields of a job.
static uint64_t name_hash(const struct reader *reader)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *c = reader->hash_name; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    }
    hash = (hash ^ (uint64_t)reader->field) * UINT64_C(1099511628211);
    return hash ^ (hash >> 32);
}

// H, H/n, H(a-b), H(a-b)/n; the H itself has been read.
static bool read_hash(struct reader *reader)
{
    const struct field_rule *rule = &rules[reader->field];
    int low = rule->low, high = rule->high, step;
    bool ranged = accept(reader, '(');
    if (ranged) {
        if (!read_value(reader, &low)) {
            return false;
        }
        if (!accept(reader, '-')) {
            return refuse(reader, "H( wants a range");
        }
        if (!read_range_end(reader, low, &high)) {
            return false;
        }
        if (!accept(reader, ')')) {
            return refuse(reader, "H(a-b is not closed");
        }
    }
    if (!read_step(reader, &step)) {
        return false;
    }
    uint64_t hash = name_hash(reader);
    if (step != 0) {
        mark_range(reader, low + (int)(hash % (uint64_t)step), high, step);
        return true;
    }
    // Every month has 28 days: a bare H must not skip February.
    if (reader->field == DAY && !ranged) {
        high = 28;
    }
    mark(reader, low + (int)(hash % (uint64_t)(high - low + 1)));
    return true;
}

// L, L-n, LW in the day of month; the L has been read.
static bool read_last(struct reader *reader)
{
    int before = 0;
    if (accept(reader, 'w')) {
        reader->out->last_workday = true;
        return true;
    }
    if (accept(reader, '-') && !read_number(reader, &before)) {
        return false;
    }
    if (before > 30) {
        return refuse(reader, "no month has so many days");
    }
    reader->out->day_before_last[before] = true;
    return true;
}

// A value with one of the suffixes W, L, #n; *done_out false: it had none.
static bool read_suffix(struct reader *reader, int value, bool *done_out)
{
    int nth;
    *done_out = true;
    if (reader->field == DAY && accept(reader, 'w')) {
        reader->out->near_workday[value] = true;
        return true;
    }
    if (reader->field == WEEKDAY && accept(reader, 'l')) {
        reader->out->last_weekday[value % 7] = true;
        return true;
    }
    if (reader->field == WEEKDAY && accept(reader, '#')) {
        if (!read_number(reader, &nth)) {
            return false;
        }
        if (nth < 1 || nth > 5) {
            return refuse(reader, "a month has the first to the fifth of a weekday");
        }
        reader->out->nth_weekday[nth - 1][value % 7] = true;
        return true;
    }
    *done_out = false;
    return true;
}

static bool read_plain(struct reader *reader)
{
    const struct field_rule *rule = &rules[reader->field];
    int low, high, step;
    bool done;
    if (!read_value(reader, &low) || !read_suffix(reader, low, &done)) {
        return false;
    }
    if (done) {
        return true;
    }
    bool ranged = accept(reader, '-');
    if (ranged && !read_range_end(reader, low, &high)) {
        return false;
    }
    if (!read_step(reader, &step)) {
        return false;
    }
    if (!ranged) {
        if (reader->field == WEEKDAY) {
            low %= 7;
        }
        high = step == 0 ? low : rule->high;
    }
    mark_range(reader, low, high, step);
    return true;
}

static bool read_item(struct reader *reader)
{
    const struct field_rule *rule = &rules[reader->field];
    int step;
    if (accept(reader, '*')) {
        if (!read_step(reader, &step)) {
            return false;
        }
        mark_range(reader, rule->low, rule->high, step);
        return true;
    }
    if (accept(reader, '?')) {
        if (reader->field != DAY && reader->field != WEEKDAY) {
            return refuse(reader, "? is for days only");
        }
        mark_range(reader, rule->low, rule->high, 1);
        return true;
    }
    if (accept(reader, 'h')) {
        return read_hash(reader);
    }
    if (reader->field == DAY && accept(reader, 'l')) {
        return read_last(reader);
    }
    return read_plain(reader);
}

static bool read_field(struct reader *reader)
{
    do {
        if (!read_item(reader)) {
            return false;
        }
    } while (accept(reader, ','));
    return reader->at == reader->end || refuse(reader, "something is left over");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

// Finds the fields; returns how many there are, at most FIELD_COUNT + 1.
static int split(const char *text, struct reader fields[FIELD_COUNT])
{
    int count = 0;
    while (true) {
        while (is_blank(*text)) {
            text++;
        }
        if (*text == '\0' || count == FIELD_COUNT) {
            return *text == '\0' ? count : count + 1;
        }
        fields[count].at = text;
        while (*text != '\0' && !is_blank(*text)) {
            text++;
        }
        fields[count++].end = text;
    }
}

static bool is_starred(const struct reader *field)
{
    return *field->at == '*' || *field->at == '?';
}

bool expression_parse(const char *text, const char *hash_name, struct expression *expression_out,
                      struct error *err)
{
    struct expression out = {0};
    struct reader fields[FIELD_COUNT] = {0};
    int count = split(text, fields);
    if (count != 5 && count != 6) {
        return error_set(err, ERROR_CONFIG,
                         "a recorded schedule has %d fields instead of 5 or 6: \"%s\"", count,
                         text);
    }
    int first = FIELD_COUNT - count;
    out.second[0] = first == 1;
    out.day_starred = is_starred(&fields[DAY - first]);
    out.weekday_starred = is_starred(&fields[WEEKDAY - first]);
    for (int i = 0; i < count; i++) {
        fields[i].field = (enum field)(first + i);
        fields[i].hash_name = hash_name != NULL ? hash_name : "";
        fields[i].out = &out;
        fields[i].err = err;
        if (!read_field(&fields[i])) {
            return error_wrap(err, "\"%s\"", text);
        }
    }
    out.every_hour = memchr(out.hour, false, sizeof out.hour) == NULL;
    *expression_out = out;
    return true;
}

// ---- matching -----------------------------------------------------------------------------------

static int month_length(const struct tm *date)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = date->tm_year + 1900;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return lengths[date->tm_mon] + (date->tm_mon == 1 && leap ? 1 : 0);
}

// The day of this month on which "nW" falls: n itself, or the nearest Monday to Friday of the same
// month.
static int workday_near(const struct tm *date, int n)
{
    int weekday = ((date->tm_wday + n - date->tm_mday) % 7 + 7) % 7;
    if (weekday == 6) {
        return n > 1 ? n - 1 : n + 2;
    }
    if (weekday == 0) {
        return n < month_length(date) ? n + 1 : n - 2;
    }
    return n;
}

static bool matches_day(const struct expression *expression, const struct tm *date)
{
    int length = month_length(date);
    if (expression->day[date->tm_mday] || expression->day_before_last[length - date->tm_mday]) {
        return true;
    }
    if (expression->last_workday && workday_near(date, length) == date->tm_mday) {
        return true;
    }
    for (int n = 1; n <= length; n++) {
        if (expression->near_workday[n] && workday_near(date, n) == date->tm_mday) {
            return true;
        }
    }
    return false;
}

static bool matches_weekday(const struct expression *expression, const struct tm *date)
{
    int day = date->tm_wday;
    return expression->weekday[day] || expression->nth_weekday[(date->tm_mday - 1) / 7][day] ||
           (expression->last_weekday[day] && date->tm_mday + 7 > month_length(date));
}

bool expression_matches_date(const struct expression *expression, const struct tm *date)
{
    if (!expression->month[date->tm_mon + 1]) {
        return false;
    }
    bool day = matches_day(expression, date);
    bool weekday = matches_weekday(expression, date);
    return expression->day_starred || expression->weekday_starred ? day && weekday : day || weekday;
}

static int next_true(const bool *table, int from, int size)
{
    while (from < size && !table[from]) {
        from++;
    }
    return from;
}

int expression_next_in_day(const struct expression *expression, int second_of_day)
{
    int at = second_of_day;
    while (at < 86400) {
        int hour = next_true(expression->hour, at / 3600, 24);
        if (hour != at / 3600) {
            at = hour * 3600;
            continue; // perhaps past the end of the day
        }
        int minute = next_true(expression->minute, at / 60 % 60, 60);
        if (minute != at / 60 % 60) {
            at = hour * 3600 + minute * 60; // minute 60 is the next hour
            continue;
        }
        int second = next_true(expression->second, at % 60, 60);
        if (second < 60) {
            return hour * 3600 + minute * 60 + second;
        }
        at = hour * 3600 + (minute + 1) * 60;
    }
    return -1;
}
