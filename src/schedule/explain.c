// SPDX-License-Identifier: MIT
// What a schedule means, for people.
#include <string.h>

#include "schedule/explain_list.h"
#include "schedule/schedule.h"

#include "time/format.h"

#define NAMED_TIMES 6 // more times of day than this are told by their pattern

static const char *const month_names[] = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December",
};
static const char *const weekday_names[] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
};

// ---- time of day --------------------------------------------------------------------------------

static void add_times(const struct cron *cron, struct buf *out)
{
    struct list list = {
        .out = out,
        .last_word = "and",
        .count = count_bits(cron->hours) * count_bits(cron->minutes) * count_bits(cron->seconds),
    };
    buf_add_string(out, "at ");
    for (uint64_t hours = cron->hours; hours != 0; hours &= hours - 1) {
        for (uint64_t minutes = cron->minutes; minutes != 0; minutes &= minutes - 1) {
            for (uint64_t seconds = cron->seconds; seconds != 0; seconds &= seconds - 1) {
                list_separate(&list);
                buf_printf(out, "%02d:%02d", lowest_bit(hours), lowest_bit(minutes));
                if (cron->seconds != 1) {
                    buf_printf(out, ":%02d", lowest_bit(seconds));
                }
            }
        }
    }
}

// The step when the bits are all of 0, step, 2 * step, … and it goes on evenly in the next round of
// `round`; 1 when they are all; 0 when they are something else.
static int even_step(uint64_t bits, int round)
{
    int step = step_of(bits, 0, round - 1);
    return step > 0 && round % step == 0 ? step : 0;
}

// "at minute 5", "at minutes 0 and 30".
static void add_numbers(struct buf *out, const char *before, const char *unit, uint64_t bits)
{
    static const struct wording numbers = {0};
    buf_printf(out, "%s%s%s ", before, unit, count_bits(bits) == 1 ? "" : "s");
    add_values(out, &numbers, bits);
}

static void add_seconds(const struct cron *cron, struct buf *out)
{
    int step = even_step(cron->seconds, 60);
    if (step == 1) {
        buf_add_string(out, "every second");
    } else if (step > 1) {
        buf_printf(out, "every %d seconds", step);
    } else {
        add_numbers(out, "at ", "second", cron->seconds);
    }
}

static void add_clock(struct buf *out, const char *before, const struct cron *cron, int hour,
                      int minute, int second)
{
    buf_printf(out, "%s%02d:%02d", before, hour, minute);
    if (cron->seconds != 1) {
        buf_printf(out, ":%02d", second);
    }
}

// Hours behind something that goes on through them: "from 08:00 to 18:45", "of every 2nd hour".
static void add_span(const struct cron *cron, struct buf *out)
{
    int step = even_step(cron->hours, 24);
    if (cron->hours_all) {
        return;
    }
    if (is_run(cron->hours)) {
        add_clock(out, " from ", cron, lowest_bit(cron->hours), lowest_bit(cron->minutes),
                  lowest_bit(cron->seconds));
        add_clock(out, " to ", cron, highest_bit(cron->hours), highest_bit(cron->minutes),
                  highest_bit(cron->seconds));
    } else if (step > 1) {
        buf_printf(out, " of every %d%s hour", step, ordinal_suffix(step));
    } else {
        add_numbers(out, " of ", "hour", cron->hours);
    }
}

static void add_pattern_with_seconds(const struct cron *cron, struct buf *out)
{
    int step = even_step(cron->minutes, 60);
    add_seconds(cron, out);
    if (step == 1) {
        buf_add_string(out, even_step(cron->seconds, 60) > 0 ? "" : " of every minute");
        add_span(cron, out);
    } else if (step > 1) {
        buf_printf(out, " of every %d%s minute", step, ordinal_suffix(step));
        add_span(cron, out);
    } else {
        add_numbers(out, " of ", "minute", cron->minutes);
        buf_add_string(out, cron->hours_all ? " of every hour" : "");
        if (!cron->hours_all) {
            add_numbers(out, " of ", "hour", cron->hours);
        }
    }
}

// One minute of several hours.
static void add_hourly(const struct cron *cron, struct buf *out)
{
    int minute = lowest_bit(cron->minutes);
    int step = even_step(cron->hours, 24);
    if (step == 0 && is_run(cron->hours)) {
        buf_add_string(out, "every hour");
        add_span(cron, out);
        return;
    }
    if (step == 0) {
        add_numbers(out, "at ", "minute", cron->minutes);
        add_numbers(out, " of ", "hour", cron->hours);
        return;
    }
    if (step == 1) {
        buf_add_string(out, "every hour");
    } else {
        buf_printf(out, "every %d hours", step);
    }
    if (minute == 0) {
        buf_add_string(out, " on the hour");
    } else {
        buf_printf(out, " at minute %d", minute);
    }
}

static void add_pattern(const struct cron *cron, struct buf *out)
{
    int step = even_step(cron->minutes, 60);
    if (cron->seconds != 1) {
        add_pattern_with_seconds(cron, out);
    } else if (step > 0) {
        buf_add_string(out, "every ");
        if (step > 1) {
            buf_printf(out, "%d ", step);
        }
        buf_printf(out, "minute%s", step > 1 ? "s" : "");
        add_span(cron, out);
    } else if (count_bits(cron->minutes) == 1) {
        add_hourly(cron, out);
    } else {
        add_numbers(out, "at ", "minute", cron->minutes);
        if (cron->hours_all) {
            buf_add_string(out, " of every hour");
        } else {
            add_numbers(out, " of ", "hour", cron->hours);
        }
    }
}

static void add_time_of_day(const struct cron *cron, struct buf *out)
{
    int times = count_bits(cron->hours) * count_bits(cron->minutes) * count_bits(cron->seconds);
    if (times <= NAMED_TIMES) {
        add_times(cron, out);
    } else {
        add_pattern(cron, out);
    }
}

// ---- days ---------------------------------------------------------------------------------------

#define ALL_MONTHS 0x1ffe

static bool every_day_of_month(const struct cron *cron)
{
    return cron->days == 0xfffffffe;
}

static bool every_weekday(const struct cron *cron)
{
    return cron->weekdays == 0x7f;
}

static void add_last_days(struct list *list, uint32_t last_days)
{
    for (; last_days != 0; last_days &= last_days - 1) {
        int back = lowest_bit(last_days);
        list_separate(list);
        if (back == 0) {
            buf_add_string(list->out, "the last day of the month");
        } else {
            buf_printf(list->out, "the day %d day%s before the last day of the month", back,
                       back == 1 ? "" : "s");
        }
    }
}

static void add_near_days(struct list *list, uint32_t near_days)
{
    for (; near_days != 0; near_days &= near_days - 1) {
        int day = lowest_bit(near_days);
        list_separate(list);
        if (day == 0) {
            buf_add_string(list->out, "the last weekday (Monday to Friday) of the month");
        } else {
            buf_printf(list->out, "the weekday (Monday to Friday) nearest to the %d%s", day,
                       ordinal_suffix(day));
        }
    }
}

// "on the 1st of January and July": the months stand with the days where nothing else does.
static bool names_months(const struct cron *cron)
{
    bool is_plain = cron->days != 0 && step_of(cron->days, 1, 31) <= 1 && cron->last_days == 0 &&
                    cron->near_days == 0;
    return is_plain && !every_day_of_month(cron) && every_weekday(cron) &&
           cron->months != ALL_MONTHS;
}

static void add_days_of_month(const struct cron *cron, struct buf *out)
{
    static const struct wording months = {.names = month_names, .first = 1};
    static const struct wording ordinals = {.ordinal = true};
    int step = cron->days == 0 ? 0 : step_of(cron->days, 1, 31);
    struct list list = {
        .out = out,
        .last_word = "and",
        .count = (cron->days != 0) + count_bits(cron->last_days) + count_bits(cron->near_days),
    };
    buf_add_string(out, "on ");
    if (cron->days != 0) {
        list_separate(&list);
        if (step > 1) {
            buf_printf(out, "every %d%s day of the month from the 1st", step, ordinal_suffix(step));
        } else {
            buf_add_string(out, "the ");
            add_values(out, &ordinals, cron->days);
            bool is_range = count_bits(cron->months) > 2 && is_run(cron->months);
            if (!names_months(cron)) {
                buf_add_string(out, " of the month");
            } else {
                buf_add_string(out, is_range ? " of each month from " : " of ");
                add_values(out, &months, cron->months);
            }
        }
    }
    add_last_days(&list, cron->last_days);
    add_near_days(&list, cron->near_days);
}

static int count_weekday_items(const struct cron *cron)
{
    int count = (cron->weekdays != 0) + count_bits(cron->last_weekdays);
    for (int i = 0; i < 5; i++) {
        count += count_bits(cron->nth_weekdays[i]);
    }
    return count;
}

// Monday comes first, so that a weekend stands together.
static uint64_t from_monday(uint64_t weekdays)
{
    return (weekdays & 0x7e) | (weekdays & 1) << 7;
}

// `only`: they narrow down days that were told before.
static void add_plain_weekdays(struct buf *out, uint64_t weekdays, bool only)
{
    static const struct wording names = {.names = weekday_names};
    uint64_t bits = from_monday(weekdays);
    bool is_range = count_bits(bits) > 2 && is_run(bits);
    buf_add_string(out, only ? "" : is_range ? "each day from " : "every ");
    add_values(out, &names, bits);
}

static void add_weekdays(const struct cron *cron, struct buf *out, bool only)
{
    struct list list = {.out = out, .last_word = "and", .count = count_weekday_items(cron)};
    buf_add_string(out, only || cron->weekdays == 0 ? "on " : "");
    if (cron->weekdays != 0) {
        list_separate(&list);
        add_plain_weekdays(out, cron->weekdays, only);
    }
    for (int nth = 1; nth <= 5; nth++) {
        for (uint64_t days = cron->nth_weekdays[nth - 1]; days != 0; days &= days - 1) {
            list_separate(&list);
            buf_printf(out, "the %d%s %s of the month", nth, ordinal_suffix(nth),
                       weekday_names[lowest_bit(days)]);
        }
    }
    for (uint64_t days = cron->last_weekdays; days != 0; days &= days - 1) {
        list_separate(&list);
        buf_printf(out, "the last %s of the month", weekday_names[lowest_bit(days)]);
    }
}

static bool both_must_match(const struct cron *cron)
{
    return cron->days_star || cron->weekdays_star;
}

static bool every_day(const struct cron *cron)
{
    bool all_days = every_day_of_month(cron);
    bool all_weekdays = every_weekday(cron);
    return both_must_match(cron) ? all_days && all_weekdays : all_days || all_weekdays;
}

static void add_days(const struct cron *cron, struct buf *out)
{
    bool all_days = every_day_of_month(cron);
    bool all_weekdays = every_weekday(cron);
    if (every_day(cron)) {
        buf_add_string(out, "every day");
        return;
    }
    if (!all_days) {
        add_days_of_month(cron, out);
    }
    if (!all_days && !all_weekdays) {
        buf_add_string(out, both_must_match(cron) ? ", but only " : ", and also ");
    }
    if (!all_weekdays) {
        add_weekdays(cron, out, !all_days && both_must_match(cron));
    }
}

static void add_months(const struct cron *cron, struct buf *out)
{
    static const struct wording names = {.names = month_names, .first = 1};
    if (cron->months != ALL_MONTHS && !names_months(cron)) {
        bool is_range = count_bits(cron->months) > 2 && is_run(cron->months);
        buf_add_string(out, is_range ? " from " : " in ");
        add_values(out, &names, cron->months);
    }
}

// ---- the whole ----------------------------------------------------------------------------------

static bool clock_is_changed(const struct zone *zone)
{
    struct zone_change change;
    // From 2025 on: what a zone did before is history to whoever reads this.
    return zone_next_change(zone, 1735689600, &change);
}

static void add_clock_changes(const struct schedule *schedule, struct buf *out)
{
    if (!clock_is_changed(schedule->zone)) {
        buf_add_string(out, ", where the clock is not changed");
        return;
    }
    if (schedule->cron.hours_all) {
        buf_add_string(out, "; in a clock change it goes on by elapsed time: what the clock shows "
                            "twice runs twice, what it skips is not made up");
        return;
    }
    buf_add_string(out, schedule->dst == SCHEDULE_DST_RUN
                            ? "; in a clock change, times that are skipped run once, right after"
                            : "; in a clock change, times that are skipped do not run");
    buf_add_string(out, ", and a time that comes twice runs the first time only");
}

static void explain_cron(const struct schedule *schedule, struct buf *out)
{
    const struct cron *cron = &schedule->cron;
    add_time_of_day(cron, out);
    // "every 5 minutes" needs no "every day".
    if (!cron->hours_all || !every_day(cron)) {
        buf_add_char(out, ' ');
        add_days(cron, out);
    }
    add_months(cron, out);
    buf_printf(out, ", %s", zone_name(schedule->zone));
    if (strcmp(zone_name(schedule->zone), "UTC") != 0) {
        add_clock_changes(schedule, out);
    }
}

static void explain_every(const struct schedule *schedule, struct buf *out)
{
    char period[FORMAT_DURATION_SIZE];
    format_duration(schedule->every, period);
    buf_printf(out,
               "every %s by elapsed time, whatever the clock on the wall does; counted from "
               "1970-01-01T00:00:00Z, so that all nodes agree",
               period);
}

static void explain_once(const struct schedule *schedule, struct buf *out)
{
    char time[FORMAT_TIME_SIZE];
    format_in_zone(schedule->once, schedule->zone, time);
    buf_printf(out, "once, at %s", time);
}

void schedule_explain(const struct schedule *schedule, struct buf *out)
{
    switch (schedule->kind) {
    case SCHEDULE_CRON:
        explain_cron(schedule, out);
        break;
    case SCHEDULE_EVERY:
        explain_every(schedule, out);
        break;
    case SCHEDULE_ONCE:
        explain_once(schedule, out);
        break;
    case SCHEDULE_REBOOT:
        buf_add_string(out, "once for each boot of a host that runs a node");
        break;
    }
}
