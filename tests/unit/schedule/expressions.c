// SPDX-License-Identifier: MIT
#include "expressions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

#define FIELD_SIZE 64

uint64_t random_seed(void)
{
    const char *text = getenv("IRONCRON_SEED");
    return text != NULL ? strtoull(text, NULL, 0) : 20260329;
}

// SplitMix64: every seed is good, and the sequence is the same on every machine.
uint64_t random_next(struct random_source *source)
{
    uint64_t z = source->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

int random_below(struct random_source *source, int count)
{
    return (int)(random_next(source) % (uint64_t)count);
}

int64_t random_between(struct random_source *source, int64_t lowest, int64_t highest)
{
    return lowest + (int64_t)(random_next(source) % (uint64_t)(highest - lowest + 1));
}

// One of the forms that a number's field can take.
static void random_field(struct random_source *source, int lowest, int highest, int near,
                         char out[FIELD_SIZE])
{
    int a = (int)random_between(source, lowest, highest);
    int b = (int)random_between(source, lowest, highest);
    int low = a < b ? a : b;
    int high = a < b ? b : a;
    int step = (int)random_between(source, 1, highest - lowest);
    switch (random_below(source, 9)) {
    case 0:
        snprintf(out, FIELD_SIZE, "%d,%d", near, a);
        break;
    case 1:
        snprintf(out, FIELD_SIZE, "%d-%d", low, high);
        break;
    case 2:
        snprintf(out, FIELD_SIZE, "%d-%d/%d", low, high, step);
        break;
    case 3:
        snprintf(out, FIELD_SIZE, "*/%d", step);
        break;
    case 4:
        snprintf(out, FIELD_SIZE, "%d/%d", a, step);
        break;
    case 5:
        snprintf(out, FIELD_SIZE, random_below(source, 2) == 0 ? "H" : "H(%d-%d)", low, high);
        break;
    case 6:
        snprintf(out, FIELD_SIZE, "%d,%d-%d,%d", near, low, high, b);
        break;
    default:
        snprintf(out, FIELD_SIZE, "%d", near);
    }
}

static void random_hour(struct random_source *source, int near, char out[FIELD_SIZE])
{
    switch (random_below(source, 6)) {
    case 0:
        snprintf(out, FIELD_SIZE, "*");
        break;
    case 1:
        snprintf(out, FIELD_SIZE, "%d-23", near > 1 ? near - 1 : 0);
        break;
    case 2:
        random_field(source, 0, 23, near, out);
        break;
    default:
        snprintf(out, FIELD_SIZE, "%d", near);
    }
}

static void random_day(struct random_source *source, const struct civil *near, char out[FIELD_SIZE])
{
    int month_days = civil_month_days(near->year, near->month);
    switch (random_below(source, 14)) {
    case 0:
        snprintf(out, FIELD_SIZE, "L-%d", month_days - near->day);
        break;
    case 1:
        snprintf(out, FIELD_SIZE, "L");
        break;
    case 2:
        snprintf(out, FIELD_SIZE, "LW,%dW", near->day);
        break;
    case 3:
        snprintf(out, FIELD_SIZE, "?");
        break;
    case 4:
        random_field(source, 1, 31, near->day, out);
        break;
    case 5:
        snprintf(out, FIELD_SIZE, "%d", near->day);
        break;
    default:
        snprintf(out, FIELD_SIZE, "*");
    }
}

static void random_weekday(struct random_source *source, const struct civil *near,
                           char out[FIELD_SIZE])
{
    static const char *const names[] = {"Sun", "MON", "tue", "wed", "THU", "fri", "Sat"};
    int weekday = civil_weekday(near->year, near->month, near->day);
    switch (random_below(source, 12)) {
    case 0:
        snprintf(out, FIELD_SIZE, "%s", names[weekday]);
        break;
    case 1:
        snprintf(out, FIELD_SIZE, "%d#%d", weekday, (near->day - 1) / 7 + 1);
        break;
    case 2:
        snprintf(out, FIELD_SIZE, "%sL", names[weekday]);
        break;
    case 3:
        snprintf(out, FIELD_SIZE, "sat-sun");
        break;
    case 4:
        snprintf(out, FIELD_SIZE, "%d-7", random_below(source, 8));
        break;
    case 5:
        snprintf(out, FIELD_SIZE, "*/%d", (int)random_between(source, 1, 6));
        break;
    case 6:
        random_field(source, 0, 6, weekday, out);
        break;
    default:
        snprintf(out, FIELD_SIZE, "*");
    }
}

static void random_month(struct random_source *source, int near, char out[FIELD_SIZE])
{
    static const char *const names[] = {"jan", "FEB", "mar", "Apr", "may", "jun",
                                        "jul", "AUG", "sep", "oct", "nov", "DEC"};
    switch (random_below(source, 6)) {
    case 0:
        snprintf(out, FIELD_SIZE, "%s", names[near - 1]);
        break;
    case 1:
        random_field(source, 1, 12, near, out);
        break;
    default:
        snprintf(out, FIELD_SIZE, "*");
    }
}

enum expression_density expression_random(struct random_source *source, const struct civil *near,
                                          char out[EXPRESSION_SIZE])
{
    char second[FIELD_SIZE] = "";
    char minute[FIELD_SIZE];
    char hour[FIELD_SIZE];
    char day[FIELD_SIZE];
    char month[FIELD_SIZE];
    char weekday[FIELD_SIZE];
    bool has_seconds = random_below(source, 8) == 0;
    bool single_minute = random_below(source, 3) == 0;
    if (has_seconds) {
        random_field(source, 0, 59, near->second, second);
    }
    if (single_minute) {
        snprintf(minute, sizeof minute, "%d", near->minute);
    } else {
        random_field(source, 0, 59, near->minute, minute);
    }
    random_hour(source, near->hour, hour);
    random_day(source, near, day);
    random_month(source, near->month, month);
    random_weekday(source, near, weekday);
    snprintf(out, EXPRESSION_SIZE, "%s%s%s %s %s %s %s", second, has_seconds ? " " : "", minute,
             hour, day, month, weekday);
    return has_seconds     ? EXPRESSION_SECONDS
           : single_minute ? EXPRESSION_SPARSE
                           : EXPRESSION_MINUTES;
}
