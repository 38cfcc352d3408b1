// SPDX-License-Identifier: MIT
// What a schedule means, for people.
#include <string.h>

#include "schedule/schedule.h"

#include "time/format.h"

#define NAMED_TIMES 6 // more times of day than this are told by their pattern

static const char *const month_names[] = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December",
};
static const char *const weekday_names[] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
};

// ---- lists --------------------------------------------------------------------------------------

// "a", "a and b", "a, b and c": the caller says how many there are and adds each by turn.
struct list {
    struct buf *out;
    const char *last_word; // "and", "or"
    int index;
    int count;
};

static void list_separate(struct list *list)
{
    if (list->index > 0) {
        bool is_last = list->index + 1 == list->count;
        buf_add_string(list->out, is_last ? " " : ", ");
        buf_printf(list->out, "%s%s", is_last ? list->last_word : "", is_last ? " " : "");
    }
    list->index++;
}

static int count_bits(uint64_t bits)
{
    return __builtin_popcountll(bits);
}

static int lowest_bit(uint64_t bits)
{
    return __builtin_ctzll(bits);
}

static int highest_bit(uint64_t bits)
{
    return 63 - __builtin_clzll(bits);
}

static bool is_run(uint64_t bits)
{
    return highest_bit(bits) - lowest_bit(bits) + 1 == count_bits(bits);
}

static const char *ordinal_suffix(int n)
{
    if (n % 100 >= 11 && n % 100 <= 13) {
        return "th";
    }
    static const char *const suffixes[] = {"th", "st", "nd", "rd", "th",
                                           "th", "th", "th", "th", "th"};
    return suffixes[n % 10];
}

// How a value is written: with a name from a table, as an ordinal, or as a plain number.
struct wording {
    const char *const *names;
    int first; // the value of names[0]
    bool ordinal;
};

static void add_value(struct buf *out, const struct wording *wording, int value)
{
    if (wording->names != NULL) {
        buf_add_string(out, wording->names[value - wording->first]);
    } else {
        buf_printf(out, "%d%s", value, wording->ordinal ? ordinal_suffix(value) : "");
    }
}

static void add_values(struct buf *out, const struct wording *wording, uint64_t bits)
{
    if (count_bits(bits) > 2 && is_run(bits)) {
        add_value(out, wording, lowest_bit(bits));
        buf_add_string(out, " to ");
        add_value(out, wording, highest_bit(bits));
        return;
    }
    struct list list = {.out = out, .last_word = "and", .count = count_bits(bits)};
    for (; bits != 0; bits &= bits - 1) {
        list_separate(&list);
        add_value(out, wording, lowest_bit(bits));
    }
}

// The step when the bits are lowest, lowest + step, … up to the highest; 0 when they are not.
static int step_of(uint64_t bits, int lowest, int highest)
{
    if (count_bits(bits) < 3 || lowest_bit(bits) != lowest) {
        return 0;
    }
    int step = lowest_bit(bits & (bits - 1)) - lowest;
    uint64_t expected = 0;
    for (int value = lowest; value <= highest; value += step) {
        expected |= (uint64_t)1 << value;
    }
    return expected == bits ? step : 0;
}

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

// One field of the time of day: "every minute", "every 5 minutes", "at minutes 0 and 30".
static void add_unit(struct buf *out, const char *unit, uint64_t bits)
{
    static const struct wording numbers = {0};
    int step = step_of(bits, 0, 59);
    if (step == 1) {
        buf_printf(out, "every %s", unit);
    } else if (step > 1 && 60 % step == 0) {
        buf_printf(out, "every %d %ss", step, unit);
    } else {
        buf_printf(out, "at %s%s ", unit, count_bits(bits) == 1 ? "" : "s");
        add_values(out, &numbers, bits);
    }
}

static void add_hours(const struct cron *cron, struct buf *out)
{
    static const struct wording numbers = {0};
    int step = step_of(cron->minutes, 0, 59);
    if (!cron->hours_all) {
        buf_printf(out, " of hour%s ", count_bits(cron->hours) == 1 ? "" : "s");
        add_values(out, &numbers, cron->hours);
    } else if (step == 0 || 60 % step != 0) {
        buf_add_string(out, " of every hour");
    }
}

static void add_pattern(const struct cron *cron, struct buf *out)
{
    bool every_minute = cron->minutes == (UINT64_C(1) << 60) - 1;
    if (cron->seconds != 1) {
        int step = step_of(cron->seconds, 0, 59);
        add_unit(out, "second", cron->seconds);
        if (every_minute && cron->hours_all) {
            buf_add_string(out, step > 0 && 60 % step == 0 ? "" : " of every minute");
            return;
        }
        buf_add_string(out, ", ");
    }
    add_unit(out, "minute", cron->minutes);
    add_hours(cron, out);
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
            buf_printf(list->out, "the day %d day%s before the month's last", back,
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
            buf_add_string(list->out, "the last Monday-to-Friday day of the month");
        } else {
            buf_printf(list->out, "the Monday-to-Friday day nearest to the %d%s", day,
                       ordinal_suffix(day));
        }
    }
}

static void add_days_of_month(const struct cron *cron, struct buf *out)
{
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
            buf_add_string(out, " of the month");
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

static void add_weekdays(const struct cron *cron, struct buf *out)
{
    static const struct wording names = {.names = weekday_names};
    struct list list = {.out = out, .last_word = "and", .count = count_weekday_items(cron)};
    buf_add_string(out, "on ");
    if (cron->weekdays != 0) {
        list_separate(&list);
        add_values(out, &names, cron->weekdays);
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
        add_weekdays(cron, out);
    }
}

static void add_months(const struct cron *cron, struct buf *out)
{
    static const struct wording names = {.names = month_names, .first = 1};
    if (cron->months != 0x1ffe) {
        buf_add_string(out, " in ");
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
               "every %s, counted from 1970-01-01T00:00:00Z, whatever the clock on the wall does",
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
