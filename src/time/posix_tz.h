// SPDX-License-Identifier: MIT
// A POSIX TZ string with the extensions of RFC 9636 section 3.3.1: the rule that a zone follows
// after its last recorded transition ("CET-1CEST,M3.5.0,M10.5.0/3", "<+03>-3").
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POSIX_TZ_NAME_SIZE 24

enum posix_tz_day_kind {
    POSIX_TZ_JULIAN,   // Jn: 1..365, 29 February is never counted
    POSIX_TZ_ZERO_DAY, // n: 0..365, 29 February is counted
    POSIX_TZ_WEEKDAY,  // Mm.w.d: the w-th weekday d of month m, w 5 = the last
};

struct posix_tz_day {
    enum posix_tz_day_kind kind;
    int16_t day; // of the year, or the weekday (0 = Sunday)
    int8_t month;
    int8_t week;
    int32_t time; // seconds after that day's midnight, -167 h .. 167 h
};

struct posix_tz {
    char standard_name[POSIX_TZ_NAME_SIZE];
    char dst_name[POSIX_TZ_NAME_SIZE];
    int32_t standard_offset; // seconds EAST of UTC (the text counts west)
    int32_t dst_offset;
    bool has_dst;
    struct posix_tz_day dst_start; // in standard time
    struct posix_tz_day dst_end;   // in DST
};

// Reads exactly `length` bytes; false when they are no such string, with the outputs untouched.
bool posix_tz_parse(const char *text, size_t length, struct posix_tz *tz_out);
// Is daylight-saving time in force at this instant?
bool posix_tz_is_dst(const struct posix_tz *tz, int64_t unix_seconds);
int32_t posix_tz_offset(const struct posix_tz *tz, int64_t unix_seconds);
// The first instant after `unix_seconds` at which the offset changes; false when it never does.
bool posix_tz_next_change(const struct posix_tz *tz, int64_t unix_seconds, int64_t *at_out);
