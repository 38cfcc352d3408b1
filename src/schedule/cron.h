// SPDX-License-Identifier: MIT
// A cron expression, parsed: what the fields say, nothing about zones. Syntax and meaning as in the
// contract: 5 fields, or 6 with seconds first; *, lists, ranges, steps, names, ?, L, L-n, LW, nW,
// d#n, dL, H.
//
// What is not obvious:
// - a/n means a, a+n, … to the field's end; a step must be smaller than the field's count of
//   values.
// - A range runs upwards; only Sunday may stand at either end of the week ("sat-sun", "sun-tue").
// - H is lowest + hash % count over the field's values, or over the range of H(a-b); a bare H for
//   the day of month uses 1-28, so that every month has the day. H/n begins at lowest + hash % n
//   and goes on in steps of n to the end. The hash is 64-bit FNV-1a over the bytes of the name and
//   then one byte, the field's number (0 = second … 5 = day of week), folded by h ^= h >> 32.
// - nW in a month without a day n does not match; it never leaves its month ("1W" on a Saturday is
//   the 3rd).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "time/civil.h"

#define CRON_TEXT_MAX 1024 // bytes; longer text is refused

// Kept small: a process may hold a million of them.
struct cron {
    uint64_t seconds; // bit n = second n
    uint64_t minutes;
    uint32_t hours;
    uint32_t days;         // bits 1..31
    uint32_t last_days;    // bit n = the n-th day before the month's last (L = bit 0, L-3 = bit 3)
    uint32_t near_days;    // nW: bits 1..31; bit 0 = LW
    uint16_t months;       // bits 1..12
    uint8_t weekdays;      // bits 0..6, 0 = Sunday
    uint8_t last_weekdays; // dL: the month's last such day
    uint8_t nth_weekdays[5]; // d#n: [n - 1], bits 0..6
    bool days_star;          // day of month begins with * or ?
    bool weekdays_star;
    bool hours_all;   // the hour field matches every hour: elapsed time rules (contract, DST)
    bool has_seconds; // six fields
};

// `hash_name` gives H its stable value (the job's name; NULL counts as ""). The error says the
// field, the column in the text (from 1), the reason and the remedy.
bool cron_parse(const char *text, const char *hash_name, struct cron *cron_out,
                struct error *err) MUST_USE;
// Does the date match (day of month, month, day of week, Vixie's rule)?
bool cron_matches_date(const struct cron *cron, int year, int month, int day);
// The first matching wall time at or after `from`, up to and including the year `last_year`; false
// when there is none. Always ends: at most one step for each month of the calendar's 400-year
// cycle.
bool cron_next_civil(const struct cron *cron, const struct civil *from, int last_year,
                     struct civil *next_out);
