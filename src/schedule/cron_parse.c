// SPDX-License-Identifier: MIT
// Reads the text of an expression. One item of a list at a time: what it is, its range, its step.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "schedule/cron.h"

#define SHOWN_MAX      40 // how much of a wrong item an error repeats
#define SHORTEST_MONTH 28 // H alone must find a day in every month

enum field_number { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };

struct field {
    const char *name;
    const char *plural;
    int lowest;
    int highest;              // the last value of a step or a star
    int highest_number;       // the last that may be written: 7 is Sunday, too
    const char *const *names; // from `lowest` on
    int name_count;
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const struct field fields[FIELD_COUNT] = {
    [SECOND] = {"second", "seconds", 0, 59, 59, NULL, 0},
    [MINUTE] = {"minute", "minutes", 0, 59, 59, NULL, 0},
    [HOUR] = {"hour", "hours", 0, 23, 23, NULL, 0},
    [DAY] = {"day of month", "days of the month", 1, 31, 31, NULL, 0},
    [MONTH] = {"month", "months", 1, 12, 12, month_names, 12},
    [WEEKDAY] = {"day of week", "days of the week", 0, 6, 7, weekday_names, 7},
};

struct parser {
    const char *text;
    const char *at;
    const char *hash_name;
    enum field_number number;
    const struct field *field;
    struct cron *cron;
    struct error *err;
};

// "minute 60 at column 1: minutes are 0 to 59": the item as written, where, why, what instead.
static bool refuse(const struct parser *parser, const char *item, const char *format, ...)
    PRINTF(3, 4);
static bool refuse(const struct parser *parser, const char *item, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    int length = (int)strcspn(item, ", \t");
    return error_set(parser->err, ERROR_CONFIG, "%s %s%.*s%s at column %d: %s", parser->field->name,
                     length == 0 ? "(empty)" : "", length > SHOWN_MAX ? SHOWN_MAX : length, item,
                     length > SHOWN_MAX ? "…" : "", (int)(item - parser->text) + 1, reason);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_item_end(char c)
{
    return c == '\0' || c == ',' || is_blank(c);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool take(struct parser *parser, char upper)
{
    char lower = is_letter(upper) ? (char)(upper + ('a' - 'A')) : upper;
    if (*parser->at != upper && *parser->at != lower) {
        return false;
    }
    parser->at++;
    return true;
}

// ---- numbers and names --------------------------------------------------------------------------

// Stops counting at a thousand: no field goes that far, and it can't overflow.
static bool read_number(struct parser *parser, int *value_out)
{
    int value = 0;
    if (!is_digit(*parser->at)) {
        return false;
    }
    for (; is_digit(*parser->at); parser->at++) {
        value = value > 1000 ? value : value * 10 + (*parser->at - '0');
    }
    *value_out = value;
    return true;
}

static bool read_name(struct parser *parser, int *value_out)
{
    for (int i = 0; i < parser->field->name_count; i++) {
        if (strncasecmp(parser->at, parser->field->names[i], 3) == 0) {
            parser->at += 3;
            *value_out = parser->field->lowest + i;
            return true;
        }
    }
    return false;
}

static bool refuse_range(const struct parser *parser, const char *item)
{
    const struct field *field = parser->field;
    const char *names = parser->number == MONTH     ? ", or jan to dec"
                        : parser->number == WEEKDAY ? ", or sun to sat (0 and 7 are Sunday)"
                                                    : "";
    return refuse(parser, item, "%s are %d to %d%s", field->plural, field->lowest,
                  field->highest_number, names);
}

static bool read_value(struct parser *parser, const char *item, int *value_out)
{
    const struct field *field = parser->field;
    if (read_name(parser, value_out)) {
        return true;
    }
    if (!read_number(parser, value_out)) {
        if (parser->number == WEEKDAY && (*parser->at == 'L' || *parser->at == 'l')) {
            return refuse(parser, item,
                          "L needs a day before it here; write 5L for the last Friday");
        }
        return refuse_range(parser, item);
    }
    if (*value_out < field->lowest || *value_out > field->highest_number) {
        return refuse_range(parser, item);
    }
    return true;
}

// ---- what the items do --------------------------------------------------------------------------

static void set_bit(struct parser *parser, int value)
{
    struct cron *cron = parser->cron;
    switch (parser->number) {
    case SECOND:
        cron->seconds |= (uint64_t)1 << value;
        break;
    case MINUTE:
        cron->minutes |= (uint64_t)1 << value;
        break;
    case HOUR:
        cron->hours |= (uint32_t)1 << value;
        break;
    case DAY:
        cron->days |= (uint32_t)1 << value;
        break;
    case MONTH:
        cron->months |= (uint16_t)(1u << value);
        break;
    case WEEKDAY:
        cron->weekdays |= (uint8_t)(1u << value % 7);
        break;
    case FIELD_COUNT:
        break;
    }
}

static void set_range(struct parser *parser, int first, int last, int step)
{
    for (int value = first; value <= last; value += step) {
        set_bit(parser, value);
    }
}

// "/n" if there is one. The step must leave a second value in the field, or it was meant otherwise.
static bool read_step(struct parser *parser, const char *item, int *step_out)
{
    const struct field *field = parser->field;
    *step_out = 0;
    if (!take(parser, '/')) {
        return true;
    }
    if (!read_number(parser, step_out)) {
        return refuse(parser, item, "a number belongs after the '/'");
    }
    int count = field->highest - field->lowest + 1;
    if (*step_out == 0) {
        return refuse(parser, item, "a step of 0 never moves on; steps are 1 to %d", count - 1);
    }
    if (*step_out >= count) {
        return refuse(parser, item, "a step of %d%s leaves only one value; steps of %s are 1 to %d",
                      *step_out, *step_out > 1000 ? " or more" : "", field->plural, count - 1);
    }
    return true;
}

static bool finish_item(struct parser *parser, const char *item)
{
    return is_item_end(*parser->at) ||
           refuse(parser, item, "'%c' does not belong there; a list is separated by commas",
                  *parser->at);
}

static bool parse_star(struct parser *parser, const char *item)
{
    int step;
    if (!read_step(parser, item, &step)) {
        return false;
    }
    set_range(parser, parser->field->lowest, parser->field->highest, step == 0 ? 1 : step);
    return finish_item(parser, item);
}

static bool parse_question(struct parser *parser, const char *item)
{
    if (parser->number != DAY && parser->number != WEEKDAY) {
        return refuse(parser, item, "? belongs in a field for days; write *");
    }
    set_range(parser, parser->field->lowest, parser->field->highest, 1);
    return finish_item(parser, item);
}

// The bounds of a range, upwards. Sunday may be the week's first day or its last.
static bool order_range(struct parser *parser, const char *item, int first, int *last)
{
    if (parser->number == WEEKDAY && *last == 0 && first > 0) {
        *last = 7;
    }
    if (first <= *last) {
        return true;
    }
    if (parser->number == WEEKDAY && first == 7) {
        return refuse(parser, item, "the range runs backwards; write 0-%d", *last);
    }
    return refuse(parser, item, "the range runs backwards; write %d-%d,%d-%d", first,
                  parser->field->highest, parser->field->lowest, *last);
}

// ---- H ------------------------------------------------------------------------------------------

static uint64_t hash_step(uint64_t hash, uint8_t byte)
{
    return (hash ^ byte) * UINT64_C(0x100000001b3);
}

static uint64_t hash_of(const struct parser *parser)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *c = parser->hash_name; *c != '\0'; c++) {
        hash = hash_step(hash, (uint8_t)*c);
    }
    hash = hash_step(hash, (uint8_t)parser->number);
    return hash ^ hash >> 32;
}

static bool read_hash_range(struct parser *parser, const char *item, int *first, int *last)
{
    if (!take(parser, '(')) {
        return true;
    }
    if (!read_value(parser, item, first)) {
        return false;
    }
    if (!take(parser, '-')) {
        return refuse(parser, item, "H takes a range; write H(0-29)");
    }
    if (!read_value(parser, item, last) || !order_range(parser, item, *first, last)) {
        return false;
    }
    return take(parser, ')') || refuse(parser, item, "the ')' is missing; write H(0-29)");
}

static bool parse_hash(struct parser *parser, const char *item)
{
    int first = parser->field->lowest;
    int last = parser->field->highest;
    int step;
    bool has_range = *parser->at == '(';
    if (!read_hash_range(parser, item, &first, &last) || !read_step(parser, item, &step)) {
        return false;
    }
    if (step > last - first + 1) {
        return refuse(parser, item, "a step of %d is longer than the range of H", step);
    }
    if (step > 0) {
        set_range(parser, first + (int)(hash_of(parser) % (uint64_t)step), last, step);
        return finish_item(parser, item);
    }
    if (parser->number == DAY && !has_range) {
        last = SHORTEST_MONTH;
    }
    set_bit(parser, first + (int)(hash_of(parser) % (uint64_t)(last - first + 1)));
    return finish_item(parser, item);
}

// ---- L, W and # ---------------------------------------------------------------------------------

static bool parse_last_day(struct parser *parser, const char *item)
{
    if (take(parser, 'W')) {
        parser->cron->near_days |= 1;
        return finish_item(parser, item);
    }
    int back = 0;
    if (take(parser, '-') && (!read_number(parser, &back) || back > 30)) {
        return refuse(parser, item, "L-n counts back from the month's last day; n is 0 to 30");
    }
    parser->cron->last_days |= (uint32_t)1 << back;
    return finish_item(parser, item);
}

static bool parse_nth_weekday(struct parser *parser, const char *item, int weekday)
{
    int nth;
    if (!read_number(parser, &nth) || nth < 1 || nth > 5) {
        return refuse(parser, item,
                      "the number after # is 1 to 5; write mon#1 for the first Monday");
    }
    parser->cron->nth_weekdays[nth - 1] |= (uint8_t)(1u << weekday % 7);
    return finish_item(parser, item);
}

// A value with a letter behind it, in the fields for days. True in *done_out when it was one.
static bool parse_value_suffix(struct parser *parser, const char *item, int value, bool *done_out)
{
    *done_out = true;
    if (parser->number == DAY && take(parser, 'W')) {
        parser->cron->near_days |= (uint32_t)1 << value;
        return finish_item(parser, item);
    }
    if (parser->number == WEEKDAY && take(parser, '#')) {
        return parse_nth_weekday(parser, item, value);
    }
    if (parser->number == WEEKDAY && take(parser, 'L')) {
        parser->cron->last_weekdays |= (uint8_t)(1u << value % 7);
        return finish_item(parser, item);
    }
    *done_out = false;
    return true;
}

static bool parse_range(struct parser *parser, const char *item)
{
    int first;
    bool done;
    if (!read_value(parser, item, &first) || !parse_value_suffix(parser, item, first, &done)) {
        return false;
    }
    if (done) {
        return true;
    }
    int last = first;
    bool is_range = take(parser, '-');
    int step;
    if (is_range &&
        (!read_value(parser, item, &last) || !order_range(parser, item, first, &last))) {
        return false;
    }
    if (!read_step(parser, item, &step)) {
        return false;
    }
    if (step != 0 && !is_range) {
        last = parser->field->highest;
        first = first > last ? parser->field->lowest : first; // Sunday written as 7
    }
    set_range(parser, first, last, step == 0 ? 1 : step);
    return finish_item(parser, item);
}

// ---- fields -------------------------------------------------------------------------------------

static bool parse_item(struct parser *parser)
{
    const char *item = parser->at;
    if (is_item_end(*item)) {
        return refuse(parser, item, "the list has an empty place; remove the comma");
    }
    if (take(parser, '*')) {
        return parse_star(parser, item);
    }
    if (take(parser, '?')) {
        return parse_question(parser, item);
    }
    if (take(parser, 'H')) {
        return parse_hash(parser, item);
    }
    if (parser->number == DAY && take(parser, 'L')) {
        return parse_last_day(parser, item);
    }
    return parse_range(parser, item);
}

static bool parse_field(struct parser *parser, enum field_number number)
{
    parser->number = number;
    parser->field = &fields[number];
    while (is_blank(*parser->at)) {
        parser->at++;
    }
    bool star = *parser->at == '*' || *parser->at == '?';
    if (number == DAY) {
        parser->cron->days_star = star;
    } else if (number == WEEKDAY) {
        parser->cron->weekdays_star = star;
    }
    do {
        if (!parse_item(parser)) {
            return false;
        }
    } while (take(parser, ','));
    return true;
}

static int count_fields(const char *text)
{
    int count = 0;
    for (const char *c = text; *c != '\0'; c++) {
        count += !is_blank(*c) && (c == text || is_blank(c[-1]));
    }
    return count;
}

bool cron_parse(const char *text, const char *hash_name, struct cron *cron_out, struct error *err)
{
    size_t length = strnlen(text, CRON_TEXT_MAX + 1);
    if (length > CRON_TEXT_MAX) {
        return error_set(err, ERROR_CONFIG,
                         "a schedule of more than %d characters; shorten it, with "
                         "ranges and steps",
                         CRON_TEXT_MAX);
    }
    int count = count_fields(text);
    if (count != 5 && count != 6) {
        return error_set(
            err, ERROR_CONFIG,
            "%d field%s; a schedule has 5 (minute, hour, day of month, month, day of week) "
            "or 6 with the second first",
            count, count == 1 ? "" : "s");
    }
    struct cron cron;
    memset(&cron, 0, sizeof cron);
    struct parser parser = {
        .text = text, .at = text, .hash_name = hash_name, .cron = &cron, .err = err};
    cron.has_seconds = count == 6;
    cron.seconds = cron.has_seconds ? 0 : 1;
    for (int number = cron.has_seconds ? SECOND : MINUTE; number < FIELD_COUNT; number++) {
        if (!parse_field(&parser, (enum field_number)number)) {
            return false;
        }
    }
    cron.hours_all = cron.hours == (1u << 24) - 1;
    *cron_out = cron;
    return true;
}
