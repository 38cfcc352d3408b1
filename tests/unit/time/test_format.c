// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "time/format.h"

static struct zone_cache *zones;

static const struct zone *zone_named(const char *name)
{
    const struct zone *zone = NULL;
    struct error err = ERROR_INIT;
    if (!zone_cache_get(zones, name, &zone, &err)) {
        fail_msg("%s", err.text);
    }
    return zone;
}

static void utc_has_three_decimals(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1795494983123456, "2026-11-24T04:36:23.123Z"},
        {253402300799999999, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "none"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[FORMAT_TIME_SIZE];
        format_utc_ms((struct instant){cases[i].us}, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void in_zone_has_the_offset(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        int64_t unix_seconds;
        const char *text;
    } cases[] = {
        {"UTC", 1774746000, "2026-03-29T01:00:00Z"},
        {"Europe/Berlin", 1774745999, "2026-03-29T01:59:59+01:00"},
        {"Europe/Berlin", 1774746000, "2026-03-29T03:00:00+02:00"},
        {"America/New_York", 1774746000, "2026-03-28T21:00:00-04:00"},
        {"Asia/Kathmandu", 1774746000, "2026-03-29T06:45:00+05:45"},
        // Monrovia was 44 min 30 s behind until 1972; the text still names the same instant.
        {"Africa/Monrovia", 0, "1969-12-31T23:16:00-00:44"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[FORMAT_TIME_SIZE];
        struct instant back;
        struct error err = ERROR_INIT;
        struct instant t = instant_from_unix(cases[i].unix_seconds);
        format_in_zone(t, zone_named(cases[i].zone), text);
        assert_string_equal(text, cases[i].text);
        assert_true(format_parse_time(text, t, &back, &err));
        assert_true(instant_equal(t, back));
    }
}

static void times_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-24T03:36:23+01:00", 1795487783000000},
        {"2026-11-24t03:36:23.5z", 1795491383500000},
        {"2026-11-24T03:36:23.000001-00:30", 1795493183000001},
        {"2026-11-24", 1795478400000000},
        {"0001-01-01T00:00:00Z", -62135596800000000},
        {"2024-02-29T23:59:59Z", 1709251199000000},
        {"-2h", 1000000000000000 - 7200000000},
        {"-1d12h", 1000000000000000 - 129600000000},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct instant t = {7};
        struct error err = ERROR_INIT;
        if (!format_parse_time(cases[i].text, instant_from_unix(1000000000), &t, &err) ||
            t.us != cases[i].us) {
            fail_msg("%s: %lld, %s", cases[i].text, (long long)t.us, err.text);
        }
    }
}

static void wrong_times_say_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *place;
    } cases[] = {
        {"", "character 1:"},
        {"today", "character 1:"},
        {"0000-01-01", "character 1:"},
        {"2026-13-01", "character 6:"},
        {"2026-02-29", "character 9:"},
        {"2026-02-28 10:00:00Z", "character 11:"},
        {"2026-02-28T24:00:00Z", "character 12:"},
        {"2026-02-28T10:60:00Z", "character 15:"},
        {"2026-02-28T10:00:60Z", "character 18:"},
        {"2026-02-28T10:00:00", "character 20:"},
        {"2026-02-28T10:00:00.Z", "character 21:"},
        {"2026-02-28T10:00:00.1234567Z", "character 27:"},
        {"2026-02-28T10:00:00+1:00", "character 21:"},
        {"2026-02-28T10:00:00+01:00x", "character 26:"},
        {"-2", "character 2:"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct instant t = {7};
        struct error err = ERROR_INIT;
        if (format_parse_time(cases[i].text, instant_from_unix(0), &t, &err) || t.us != 7 ||
            strstr(err.text, cases[i].place) == NULL) {
            fail_msg("'%s' should fail at %s but: %s", cases[i].text, cases[i].place, err.text);
        }
    }
}

static void durations_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
        const char *exact;
        const char *human;
    } cases[] = {
        {"90s", 90000000, "1m30s", "1m 30s"},
        {"5m", 300000000, "5m", "5m"},
        {"1h30m", 5400000000, "1h30m", "1h 30m"},
        {"48h", 172800000000, "2d", "2d"},
        {"7d", 604800000000, "7d", "7d"},
        {"250ms", 250000, "250ms", "250ms"},
        {"0s", 0, "0s", "0s"},
        {"1d2h3m4s5ms6us", 93784005006, "1d2h3m4s5ms6us", "1d 2h"},
        {"192s", 192000000, "3m12s", "3m 12s"},
        {"12s345ms", 12345000, "12s345ms", "12s"},
        {"1d5m", 86700000000, "1d5m", "1d"},
        {"106751991d4h54s775ms807us", INT64_MAX, "106751991d4h54s775ms807us", "106751991d 4h"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct duration d = {-1};
        struct error err = ERROR_INIT;
        char exact[FORMAT_DURATION_SIZE];
        char human[FORMAT_DURATION_SIZE];
        if (!format_parse_duration(cases[i].text, &d, &err) || d.us != cases[i].us) {
            fail_msg("%s: %lld, %s", cases[i].text, (long long)d.us, err.text);
        }
        format_duration(d, exact);
        format_duration_human(d, human);
        assert_string_equal(exact, cases[i].exact);
        assert_string_equal(human, cases[i].human);
    }
    char lowest[FORMAT_DURATION_SIZE];
    format_duration((struct duration){INT64_MIN}, lowest);
    assert_string_equal(lowest, "-106751991d4h54s775ms808us");
}

static void wrong_durations_say_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *part;
    } cases[] = {
        {"", "character 1:"},
        {"5", "the unit is missing"},
        {"5x", "the units are"},
        {"1.5h", "no decimals"},
        {"30m1h", "character 5:"},
        {"1h1h", "character 4:"},
        {"-5m", "character 1:"},
        {"5m ", "character 3:"},
        {"99999999999999999999s", "too large"},
        {"200000000d", "too long"},
        {"106751991d5h", "too long"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct duration d = {7};
        struct error err = ERROR_INIT;
        if (format_parse_duration(cases[i].text, &d, &err) || d.us != 7 ||
            strstr(err.text, cases[i].part) == NULL) {
            fail_msg("'%s' should fail with %s but: %s", cases[i].text, cases[i].part, err.text);
        }
    }
}

static int make_zones(void **state)
{
    (void)state;
    zones = zone_cache_new();
    return 0;
}

static int free_zones(void **state)
{
    (void)state;
    zone_cache_free(zones);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utc_has_three_decimals),
        cmocka_unit_test(in_zone_has_the_offset),
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(wrong_times_say_where),
        cmocka_unit_test(durations_are_read_and_written),
        cmocka_unit_test(wrong_durations_say_where),
    };
    return cmocka_run_group_tests(tests, make_zones, free_zones);
}
