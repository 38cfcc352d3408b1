// SPDX-License-Identifier: MIT
#include "schedule/cron_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

#define SHOWN_MAX 40 // how much of a wrong item an error repeats

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

const struct cron_field cron_fields[FIELD_COUNT] = {
    [SECOND] = {"second", "seconds", 0, 59, 59, NULL, 0},
    [MINUTE] = {"minute", "minutes", 0, 59, 59, NULL, 0},
    [HOUR] = {"hour", "hours", 0, 23, 23, NULL, 0},
    [DAY] = {"day of month", "days of the month", 1, 31, 31, NULL, 0},
    [MONTH] = {"month", "months", 1, 12, 12, month_names, 12},
    [WEEKDAY] = {"day of week", "days of the week", 0, 6, 7, weekday_names, 7},
};

bool cron_reader_refuse(const struct cron_reader *reader, const char *item, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    size_t length = strcspn(item, ", \t\r\n");
    size_t shown = utf8_cut(item, length, SHOWN_MAX);
    return error_set(reader->err, ERROR_CONFIG, "%s %s%.*s%s at column %d: %s", reader->field->name,
                     length == 0 ? "(empty)" : "", (int)shown, item, shown < length ? "…" : "",
                     (int)(item - reader->text) + 1, reason);
}

bool cron_reader_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool cron_reader_take(struct cron_reader *reader, char upper)
{
    char lower = is_letter(upper) ? (char)(upper + ('a' - 'A')) : upper;
    if (*reader->at != upper && *reader->at != lower) {
        return false;
    }
    reader->at++;
    return true;
}

bool cron_reader_is_item_end(char c)
{
    return c == '\0' || c == ',' || cron_reader_is_blank(c);
}

bool cron_reader_finish(struct cron_reader *reader, const char *item)
{
    if (cron_reader_is_item_end(*reader->at)) {
        return true;
    }
    if (*reader->at < '!' || *reader->at > '~') {
        return cron_reader_refuse(reader, item,
                                  "an expression has only printable ASCII characters");
    }
    return cron_reader_refuse(
        reader, item, "'%c' does not belong there; a list is separated by commas", *reader->at);
}

// ---- numbers and names --------------------------------------------------------------------------

// Stops counting at a thousand: no field goes that far, and it can't overflow.
bool cron_reader_number(struct cron_reader *reader, int *value_out)
{
    int value = 0;
    if (!is_digit(*reader->at)) {
        return false;
    }
    for (; is_digit(*reader->at); reader->at++) {
        value = value > 1000 ? value : value * 10 + (*reader->at - '0');
    }
    *value_out = value;
    return true;
}

static bool read_name(struct cron_reader *reader, int *value_out)
{
    for (int i = 0; i < reader->field->name_count; i++) {
        if (strncasecmp(reader->at, reader->field->names[i], 3) == 0) {
            reader->at += 3;
            *value_out = reader->field->lowest + i;
            return true;
        }
    }
    return false;
}

static bool refuse_range(const struct cron_reader *reader, const char *item)
{
    const struct cron_field *field = reader->field;
    const char *names = reader->number == MONTH     ? ", or jan to dec"
                        : reader->number == WEEKDAY ? ", or sun to sat (0 and 7 are Sunday)"
                                                    : "";
    return cron_reader_refuse(reader, item, "%s are %d to %d%s", field->plural, field->lowest,
                              field->highest_number, names);
}

bool cron_reader_value(struct cron_reader *reader, const char *item, int *value_out)
{
    const struct cron_field *field = reader->field;
    if (read_name(reader, value_out)) {
        return true;
    }
    if (!cron_reader_number(reader, value_out)) {
        if (reader->number == WEEKDAY && (*reader->at == 'L' || *reader->at == 'l')) {
            return cron_reader_refuse(reader, item,
                                      "L needs a day before it here; write 5L for the last Friday");
        }
        return refuse_range(reader, item);
    }
    if (*value_out < field->lowest || *value_out > field->highest_number) {
        return refuse_range(reader, item);
    }
    return true;
}

// The step must leave a second value in the field, or it was meant otherwise.
bool cron_reader_step(struct cron_reader *reader, const char *item, int *step_out)
{
    const struct cron_field *field = reader->field;
    *step_out = 0;
    if (!cron_reader_take(reader, '/')) {
        return true;
    }
    if (!cron_reader_number(reader, step_out)) {
        return cron_reader_refuse(reader, item, "a number belongs after the '/'");
    }
    int count = field->highest - field->lowest + 1;
    if (*step_out == 0) {
        return cron_reader_refuse(reader, item, "a step of 0 never moves on; steps are 1 to %d",
                                  count - 1);
    }
    if (*step_out >= count) {
        return cron_reader_refuse(
            reader, item, "a step of %d%s leaves only one value; steps of %s are 1 to %d",
            *step_out, *step_out > 1000 ? " or more" : "", field->plural, count - 1);
    }
    return true;
}

bool cron_reader_order(struct cron_reader *reader, const char *item, int first, int *last)
{
    if (reader->number == WEEKDAY && *last == 0 && first > 0) {
        *last = 7;
    }
    if (first <= *last) {
        return true;
    }
    if (reader->number == WEEKDAY && first == 7) {
        return cron_reader_refuse(reader, item, "the range runs backwards; write 0-%d", *last);
    }
    return cron_reader_refuse(reader, item, "the range runs backwards; write %d-%d,%d-%d", first,
                              reader->field->highest, reader->field->lowest, *last);
}
