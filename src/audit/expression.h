// SPDX-License-Identifier: MIT
// A cron expression as the ledger's second opinion reads it. Deliberately a world of its own:
// written from the documented syntax, as plain tables of booleans, so that a mistake of the
// scheduler's parser is not repeated here.
#pragma once

#include <stdbool.h>
#include <time.h>

#include "base/error.h"

struct expression {
    bool second[60];
    bool minute[60];
    bool hour[24];
    bool month[13];           // 1..12
    bool day[32];             // 1..31
    bool day_before_last[31]; // n = the n-th day before the month's last
    bool near_workday[32];    // nW
    bool last_workday;        // LW
    bool weekday[7];          // 0 = Sunday
    bool last_weekday[7];     // dL
    bool nth_weekday[5][7];   // d#n, [n - 1][d]
    bool day_starred;         // the field's text begins with * or ?
    bool weekday_starred;
    bool every_hour;
};

// 5 fields, or 6 with seconds first. `hash_name` decides what H means; NULL counts as "".
bool expression_parse(const char *text, const char *hash_name, struct expression *expression_out,
                      struct error *err) MUST_USE;
// Looks at tm_year, tm_mon, tm_mday and tm_wday only.
bool expression_matches_date(const struct expression *expression, const struct tm *date);
// The first matching second of a matching day, at or after `second_of_day`; -1 when there is none.
int expression_next_in_day(const struct expression *expression, int second_of_day);
