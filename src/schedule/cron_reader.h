// SPDX-License-Identifier: MIT
// The words of a cron expression: numbers, names, steps, and what to say when one is wrong. Only
// for cron_parse.c.
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "schedule/cron.h"

enum cron_field_number { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };

struct cron_field {
    const char *name;
    const char *plural;
    int lowest;
    int highest;              // the last value of a step or a star
    int highest_number;       // the last that may be written: 7 is Sunday, too
    const char *const *names; // from `lowest` on
    int name_count;
};
extern const struct cron_field cron_fields[FIELD_COUNT];

struct cron_reader {
    const char *text; // the whole expression
    const char *at;
    const char *hash_name;
    enum cron_field_number number;
    const struct cron_field *field;
    struct cron *cron;
    struct error *err;
};

bool cron_reader_is_blank(char c);
bool cron_reader_is_item_end(char c); // a blank, a comma, the end
// "minute 60 at column 1: minutes are 0 to 59": the item as written, where, why, what instead.
// Always false.
bool cron_reader_refuse(const struct cron_reader *reader, const char *item, const char *format, ...)
    PRINTF(3, 4);
// Steps over this character, a letter in either case; false when it is not there.
bool cron_reader_take(struct cron_reader *reader, char upper);
// False when there is no digit; says nothing. Numbers over 1,000 come out as some number over
// 1,000.
bool cron_reader_number(struct cron_reader *reader, int *value_out);
// A number or a name that the field may have. These four refuse by themselves, naming `item`.
bool cron_reader_value(struct cron_reader *reader, const char *item, int *value_out);
// "/n", or 0 when there is none.
bool cron_reader_step(struct cron_reader *reader, const char *item, int *step_out);
// The bounds of a range must run upwards; a Sunday that ends a week becomes 7.
bool cron_reader_order(struct cron_reader *reader, const char *item, int first, int *last);
// The item ends here.
bool cron_reader_finish(struct cron_reader *reader, const char *item);
