// SPDX-License-Identifier: MIT
#include "time/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_NONE "none"

static void put_digits(char *out, int count, int number)
{
    while (count-- > 0) {
        out[count] = (char)('0' + number % 10);
        number /= 10;
    }
}

void format_utc_ms(struct instant t, char out[FORMAT_TIME_SIZE])
{
    if (instant_is_none(t)) {
        snprintf(out, FORMAT_TIME_SIZE, TEXT_NONE);
        return;
    }
    struct civil civil = civil_from_seconds(instant_unix(t));
    int ms = (int)(instant_ms(t) - instant_unix(t) * 1000);
    if (civil.year < 0 || civil.year > 9999) {
        snprintf(out, FORMAT_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", civil.year,
                 civil.month, civil.day, civil.hour, civil.minute, civil.second, ms);
        return;
    }
    // Digit by digit: each audit row, seal and log line has one, and printf would be most of
    // its cost.
    memcpy(out, "0000-00-00T00:00:00.000Z", sizeof "0000-00-00T00:00:00.000Z");
    put_digits(out, 4, civil.year);
    put_digits(out + 5, 2, civil.month);
    put_digits(out + 8, 2, civil.day);
    put_digits(out + 11, 2, civil.hour);
    put_digits(out + 14, 2, civil.minute);
    put_digits(out + 17, 2, civil.second);
    put_digits(out + 20, 3, ms);
}

void format_in_zone(struct instant t, const struct zone *zone, char out[FORMAT_TIME_SIZE])
{
    if (instant_is_none(t)) {
        snprintf(out, FORMAT_TIME_SIZE, TEXT_NONE);
        return;
    }
    // RFC 3339 offsets have whole minutes. Before about 1970 some zones did not; then the wall time
    // is written with the nearest offset towards zero, so that the text still names this very
    // instant.
    int offset_minutes = zone_offset(zone, instant_unix(t)) / 60;
    struct civil civil = civil_from_seconds(instant_unix(t) + offset_minutes * 60);
    int length = snprintf(out, FORMAT_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", civil.year,
                          civil.month, civil.day, civil.hour, civil.minute, civil.second);
    if (offset_minutes == 0) {
        snprintf(out + length, FORMAT_TIME_SIZE - (size_t)length, "Z");
        return;
    }
    int distance = abs(offset_minutes);
    snprintf(out + length, FORMAT_TIME_SIZE - (size_t)length, "%c%02d:%02d",
             offset_minutes < 0 ? '-' : '+', distance / 60, distance % 60);
}

// ---- durations ----------------------------------------------------------------------------------

struct unit {
    uint64_t us;
    const char *exact;
    const char *human;
};

static const struct unit units[] = {
    {86400000000, "d", "d"}, {3600000000, "h", "h"}, {60000000, "m", "m"},
    {1000000, "s", "s"},     {1000, "ms", "ms"},     {1, "us", "us"},
};

// Negating INT64_MIN is undefined; unsigned arithmetic is not.
static uint64_t magnitude(struct duration d)
{
    return d.us < 0 ? 0 - (uint64_t)d.us : (uint64_t)d.us;
}

void format_duration(struct duration d, char out[FORMAT_DURATION_SIZE])
{
    uint64_t left = magnitude(d);
    int length = snprintf(out, FORMAT_DURATION_SIZE, "%s", d.us < 0 ? "-" : "");
    if (left == 0) {
        snprintf(out, FORMAT_DURATION_SIZE, "0s");
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        uint64_t count = left / units[i].us;
        left %= units[i].us;
        if (count > 0) {
            length += snprintf(out + length, FORMAT_DURATION_SIZE - (size_t)length, "%" PRIu64 "%s",
                               count, units[i].exact);
        }
    }
}

void format_duration_human(struct duration d, char out[FORMAT_DURATION_SIZE])
{
    uint64_t left = magnitude(d);
    const char *sign = d.us < 0 ? "-" : "";
    size_t first = 0;
    while (first + 1 < ARRAY_LENGTH(units) && left < units[first].us) {
        first++;
    }
    if (left == 0) {
        snprintf(out, FORMAT_DURATION_SIZE, "0s");
        return;
    }
    uint64_t count = left / units[first].us;
    // From the second down one unit says enough: "12s", "840ms".
    bool second_unit = units[first].us > 1000000;
    uint64_t rest = second_unit ? left % units[first].us / units[first + 1].us : 0;
    if (rest == 0) {
        snprintf(out, FORMAT_DURATION_SIZE, "%s%" PRIu64 "%s", sign, count, units[first].human);
        return;
    }
    snprintf(out, FORMAT_DURATION_SIZE, "%s%" PRIu64 "%s %" PRIu64 "%s", sign, count,
             units[first].human, rest, units[first + 1].human);
}
