// SPDX-License-Identifier: MIT
// Calendar arithmetic without a zone (proleptic Gregorian).
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct civil {
    int year;  // 1..9999 in what we accept
    int month; // 1..12
    int day;   // 1..31
    int hour, minute, second;
};

int64_t civil_days(int year, int month, int day); // days since 1970-01-01
int64_t civil_seconds(const struct civil *civil); // as if it were UTC
struct civil civil_from_seconds(int64_t seconds);
int civil_weekday(int year, int month, int day); // 0 = Sunday
int civil_month_days(int year, int month);
bool civil_is_leap(int year);
