// SPDX-License-Identifier: MIT
// Matching: a month's days are worked out as one bit set, so that a search goes by months, not by
// days.
#include "schedule/cron.h"

#define CYCLE_YEARS                                                                                \
    400 // then the Gregorian calendar repeats, weekdays included (146097 = 7 * 20871)
#define WEEK 7

static uint32_t bit(int n)
{
    return (uint32_t)1 << n;
}

// nW: the weekday (Monday to Friday) nearest to the day, in the same month. 0 = no such day.
static int near_weekday(int day, int month_days, int first_weekday)
{
    if (day > month_days) {
        return 0;
    }
    int weekday = (first_weekday + day - 1) % WEEK;
    if (weekday == 6) {
        return day == 1 ? 3 : day - 1;
    }
    if (weekday == 0) {
        return day == month_days ? day - 2 : day + 1;
    }
    return day;
}

static int last_working_day(int month_days, int first_weekday)
{
    int weekday = (first_weekday + month_days - 1) % WEEK;
    return month_days - (weekday == 6 ? 1 : weekday == 0 ? 2 : 0);
}

static uint32_t days_by_number(const struct cron *cron, int month_days, int first_weekday)
{
    uint32_t matching = cron->days;
    for (int back = 0; cron->last_days >> back != 0; back++) {
        if ((cron->last_days & bit(back)) != 0 && back < month_days) {
            matching |= bit(month_days - back);
        }
    }
    if ((cron->near_days & 1) != 0) {
        matching |= bit(last_working_day(month_days, first_weekday));
    }
    for (int day = 1; day <= 31 && cron->near_days >> day != 0; day++) {
        if ((cron->near_days & bit(day)) != 0) {
            int nearest = near_weekday(day, month_days, first_weekday);
            matching |= nearest == 0 ? 0 : bit(nearest);
        }
    }
    return matching;
}

static uint32_t days_by_weekday(const struct cron *cron, int month_days, int first_weekday)
{
    uint32_t matching = 0;
    for (int day = 1; day <= month_days; day++) {
        uint8_t weekday = (uint8_t)(1u << ((first_weekday + day - 1) % WEEK));
        bool is_last = day + WEEK > month_days;
        if ((cron->weekdays & weekday) != 0 ||
            (cron->nth_weekdays[(day - 1) / WEEK] & weekday) != 0 ||
            (is_last && (cron->last_weekdays & weekday) != 0)) {
            matching |= bit(day);
        }
    }
    return matching;
}

// The month's matching days as bits 1..31; the months' field is not looked at.
static uint32_t month_matches(const struct cron *cron, int year, int month)
{
    int month_days = civil_month_days(year, month);
    int first_weekday = civil_weekday(year, month, 1);
    uint32_t existing = (uint32_t)(((uint64_t)1 << (month_days + 1)) - 2);
    uint32_t by_number = days_by_number(cron, month_days, first_weekday);
    uint32_t by_weekday = days_by_weekday(cron, month_days, first_weekday);
    bool both_must = cron->days_star || cron->weekdays_star;
    return (both_must ? by_number & by_weekday : by_number | by_weekday) & existing;
}

bool cron_matches_date(const struct cron *cron, int year, int month, int day)
{
    return (cron->months & bit(month)) != 0 && (month_matches(cron, year, month) & bit(day)) != 0;
}

// The lowest bit at or above n, or -1.
static int next_bit(uint64_t bits, int n)
{
    uint64_t rest = n > 63 ? 0 : bits >> n << n;
    return rest == 0 ? -1 : __builtin_ctzll(rest);
}

// Moves on to the first matching time of the same day, at or after the one given.
static bool next_time_of_day(const struct cron *cron, struct civil *civil)
{
    int hour = next_bit(cron->hours, civil->hour);
    int minute = -1;
    int second = -1;
    if (hour == civil->hour) {
        minute = next_bit(cron->minutes, civil->minute);
        if (minute == civil->minute) {
            second = next_bit(cron->seconds, civil->second);
            if (second < 0) {
                minute = next_bit(cron->minutes, minute + 1);
            }
        }
        if (minute < 0) {
            hour = next_bit(cron->hours, hour + 1);
        }
    }
    if (hour < 0) {
        return false;
    }
    civil->hour = hour;
    civil->minute = minute >= 0 ? minute : next_bit(cron->minutes, 0);
    civil->second = second >= 0 ? second : next_bit(cron->seconds, 0);
    return true;
}

static void set_first_time_of_day(const struct cron *cron, struct civil *civil)
{
    civil->hour = next_bit(cron->hours, 0);
    civil->minute = next_bit(cron->minutes, 0);
    civil->second = next_bit(cron->seconds, 0);
}

static bool next_date(const struct cron *cron, struct civil *date, int last_year)
{
    int day_from = date->day;
    for (int year = date->year, month = date->month; year <= last_year; day_from = 1) {
        if ((cron->months & bit(month)) != 0) {
            int day = next_bit(month_matches(cron, year, month), day_from);
            if (day > 0) {
                *date = (struct civil){.year = year, .month = month, .day = day};
                return true;
            }
        }
        year += month == 12;
        month = month % 12 + 1;
    }
    return false;
}

bool cron_next_civil(const struct cron *cron, const struct civil *from, int last_year,
                     struct civil *next_out)
{
    struct civil next = *from;
    if (next.year > last_year) {
        return false;
    }
    if (cron_matches_date(cron, next.year, next.month, next.day) && next_time_of_day(cron, &next)) {
        *next_out = next;
        return true;
    }
    next.day++; // perhaps past the month's end, where no bit is
    int cycle_end = from->year + CYCLE_YEARS;
    if (!next_date(cron, &next, last_year < cycle_end ? last_year : cycle_end)) {
        return false;
    }
    set_first_time_of_day(cron, &next);
    *next_out = next;
    return true;
}
