// SPDX-License-Identifier: MIT
// Reads the text of an expression: the fields one by one, and in each the items of its list.
#include <string.h>

#include "base/fnv.h"
#include "schedule/cron_reader.h"

#define SHORTEST_MONTH 28 // H alone must find a day in every month

static void set_bit(struct cron_reader *reader, int value)
{
    struct cron *cron = reader->cron;
    switch (reader->number) {
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

static void set_range(struct cron_reader *reader, int first, int last, int step)
{
    for (int value = first; value <= last; value += step) {
        set_bit(reader, value);
    }
}

static bool parse_star(struct cron_reader *reader, const char *item)
{
    int step;
    if (!cron_reader_step(reader, item, &step)) {
        return false;
    }
    set_range(reader, reader->field->lowest, reader->field->highest, step == 0 ? 1 : step);
    return cron_reader_finish(reader, item);
}

static bool parse_question(struct cron_reader *reader, const char *item)
{
    if (reader->number != DAY && reader->number != WEEKDAY) {
        return cron_reader_refuse(reader, item, "? belongs in a field for days; write *");
    }
    set_range(reader, reader->field->lowest, reader->field->highest, 1);
    return cron_reader_finish(reader, item);
}

// ---- H ------------------------------------------------------------------------------------------

static uint64_t hash_of(const struct cron_reader *reader)
{
    uint8_t number = (uint8_t)reader->number;
    uint64_t hash = fnv_add(FNV_START, reader->hash_name, strlen(reader->hash_name));
    return fnv_fold(fnv_add(hash, &number, 1));
}

static bool read_hash_range(struct cron_reader *reader, const char *item, int *first, int *last)
{
    if (!cron_reader_take(reader, '(')) {
        return true;
    }
    if (!cron_reader_value(reader, item, first)) {
        return false;
    }
    if (!cron_reader_take(reader, '-')) {
        return cron_reader_refuse(reader, item, "H takes a range; write H(0-29)");
    }
    if (!cron_reader_value(reader, item, last) || !cron_reader_order(reader, item, *first, last)) {
        return false;
    }
    return cron_reader_take(reader, ')') ||
           cron_reader_refuse(reader, item, "the ')' is missing; write H(0-29)");
}

static bool parse_hash(struct cron_reader *reader, const char *item)
{
    int first = reader->field->lowest;
    int last = reader->field->highest;
    int step;
    bool has_range = *reader->at == '(';
    if (!read_hash_range(reader, item, &first, &last) || !cron_reader_step(reader, item, &step)) {
        return false;
    }
    if (step > last - first + 1) {
        return cron_reader_refuse(reader, item, "a step of %d is longer than the range of H", step);
    }
    if (step > 0) {
        set_range(reader, first + (int)(hash_of(reader) % (uint64_t)step), last, step);
        return cron_reader_finish(reader, item);
    }
    if (reader->number == DAY && !has_range) {
        last = SHORTEST_MONTH;
    }
    set_bit(reader, first + (int)(hash_of(reader) % (uint64_t)(last - first + 1)));
    return cron_reader_finish(reader, item);
}

// ---- L, W and # ---------------------------------------------------------------------------------

static bool parse_last_day(struct cron_reader *reader, const char *item)
{
    if (cron_reader_take(reader, 'W')) {
        reader->cron->near_days |= 1;
        return cron_reader_finish(reader, item);
    }
    int back = 0;
    if (cron_reader_take(reader, '-') && (!cron_reader_number(reader, &back) || back > 30)) {
        return cron_reader_refuse(reader, item,
                                  "L-n counts back from the month's last day; n is 0 to 30");
    }
    reader->cron->last_days |= (uint32_t)1 << back;
    return cron_reader_finish(reader, item);
}

static bool parse_nth_weekday(struct cron_reader *reader, const char *item, int weekday)
{
    int nth;
    if (!cron_reader_number(reader, &nth) || nth < 1 || nth > 5) {
        return cron_reader_refuse(reader, item,
                                  "the number after # is 1 to 5; write mon#1 for the first Monday");
    }
    reader->cron->nth_weekdays[nth - 1] |= (uint8_t)(1u << weekday % 7);
    return cron_reader_finish(reader, item);
}

// A value with a letter behind it, in the fields for days. True in *done_out when it was one.
static bool parse_value_suffix(struct cron_reader *reader, const char *item, int value,
                               bool *done_out)
{
    *done_out = true;
    if (reader->number == DAY && cron_reader_take(reader, 'W')) {
        reader->cron->near_days |= (uint32_t)1 << value;
        return cron_reader_finish(reader, item);
    }
    if (reader->number == WEEKDAY && cron_reader_take(reader, '#')) {
        return parse_nth_weekday(reader, item, value);
    }
    if (reader->number == WEEKDAY && cron_reader_take(reader, 'L')) {
        reader->cron->last_weekdays |= (uint8_t)(1u << value % 7);
        return cron_reader_finish(reader, item);
    }
    *done_out = false;
    return true;
}

static bool parse_range(struct cron_reader *reader, const char *item)
{
    int first;
    bool done;
    if (!cron_reader_value(reader, item, &first) ||
        !parse_value_suffix(reader, item, first, &done)) {
        return false;
    }
    if (done) {
        return true;
    }
    int last = first;
    bool is_range = cron_reader_take(reader, '-');
    int step;
    if (is_range && (!cron_reader_value(reader, item, &last) ||
                     !cron_reader_order(reader, item, first, &last))) {
        return false;
    }
    if (!cron_reader_step(reader, item, &step)) {
        return false;
    }
    if (step != 0 && !is_range) {
        last = reader->field->highest;
        first = first > last ? reader->field->lowest : first; // Sunday written as 7
    }
    set_range(reader, first, last, step == 0 ? 1 : step);
    return cron_reader_finish(reader, item);
}

// ---- fields -------------------------------------------------------------------------------------

static bool parse_item(struct cron_reader *reader)
{
    const char *item = reader->at;
    if (cron_reader_is_item_end(*item)) {
        return cron_reader_refuse(reader, item, "the list has an empty place; remove the comma");
    }
    if (cron_reader_take(reader, '*')) {
        return parse_star(reader, item);
    }
    if (cron_reader_take(reader, '?')) {
        return parse_question(reader, item);
    }
    if (cron_reader_take(reader, 'H')) {
        return parse_hash(reader, item);
    }
    if (reader->number == DAY && cron_reader_take(reader, 'L')) {
        return parse_last_day(reader, item);
    }
    return parse_range(reader, item);
}

static bool parse_field(struct cron_reader *reader, enum cron_field_number number)
{
    reader->number = number;
    reader->field = &cron_fields[number];
    while (cron_reader_is_blank(*reader->at)) {
        reader->at++;
    }
    bool star = *reader->at == '*' || *reader->at == '?';
    if (number == DAY) {
        reader->cron->days_star = star;
    } else if (number == WEEKDAY) {
        reader->cron->weekdays_star = star;
    }
    do {
        if (!parse_item(reader)) {
            return false;
        }
    } while (cron_reader_take(reader, ','));
    return true;
}

static int count_fields(const char *text)
{
    int count = 0;
    for (const char *c = text; *c != '\0'; c++) {
        count += !cron_reader_is_blank(*c) && (c == text || cron_reader_is_blank(c[-1]));
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
    struct cron_reader reader = {.text = text,
                                 .at = text,
                                 .hash_name = hash_name != NULL ? hash_name : "",
                                 .cron = &cron,
                                 .err = err};
    cron.has_seconds = count == 6;
    cron.seconds = cron.has_seconds ? 0 : 1;
    for (int number = cron.has_seconds ? SECOND : MINUTE; number < FIELD_COUNT; number++) {
        if (!parse_field(&reader, (enum cron_field_number)number)) {
            return false;
        }
    }
    cron.hours_all = cron.hours == (1u << 24) - 1;
    *cron_out = cron;
    return true;
}
