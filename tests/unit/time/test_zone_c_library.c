// SPDX-License-Identifier: MIT
// Every installed zone against the C library's localtime: around each change of the offset from
// 1970 to 2037, once a week between, and once a month on to 2120, where only the footer's rule is
// left.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "time/zone.h"
#include "zone_names.h"

#define YEAR_2038 2145916800
#define YEAR_2120 4733510400
#define WEEK      604800
#define MONTH     2629746

static void compare_at(const struct zone *zone, int64_t at)
{
    time_t seconds = (time_t)at;
    struct tm expected;
    assert_non_null(localtime_r(&seconds, &expected));
    struct civil civil = zone_civil(zone, at);
    if (zone_offset(zone, at) != expected.tm_gmtoff || civil.hour != expected.tm_hour ||
        civil.minute != expected.tm_min || civil.second != expected.tm_sec ||
        civil.day != expected.tm_mday || civil.month != expected.tm_mon + 1 ||
        civil.year != expected.tm_year + 1900) {
        fail_msg("%s at %lld: offset %d, the C library says %ld", zone_name(zone), (long long)at,
                 zone_offset(zone, at), expected.tm_gmtoff);
    }
    if (strcmp(zone_abbreviation(zone, at), expected.tm_zone) != 0) {
        fail_msg("%s at %lld: '%s', the C library says '%s'", zone_name(zone), (long long)at,
                 zone_abbreviation(zone, at), expected.tm_zone);
    }
}

// The wall time leads back to the instant, or to the first of two.
static void compare_back(const struct zone *zone, int64_t at)
{
    struct civil civil = zone_civil(zone, at);
    struct zone_local local = zone_from_local(zone, &civil);
    if (local.kind == ZONE_LOCAL_GAP || (local.first != at && local.second != at) ||
        local.first > local.second) {
        fail_msg("%s at %lld: there and back gives kind %d, %lld, %lld", zone_name(zone),
                 (long long)at, (int)local.kind, (long long)local.first, (long long)local.second);
    }
}

static size_t compare_changes(const struct zone *zone, int64_t from, int64_t to)
{
    static const int around[] = {-86400, -3600, -1800, -1, 0, 1, 1800, 3600, 86400};
    size_t changes = 0;
    struct zone_change change = {.at = from};
    while (zone_next_change(zone, change.at, &change) && change.at < to) {
        changes++;
        for (size_t i = 0; i < ARRAY_LENGTH(around); i++) {
            compare_at(zone, change.at + around[i]);
            compare_back(zone, change.at + around[i]);
        }
        if (change.offset_after > change.offset_before) {
            struct civil middle = civil_from_seconds(
                change.at + ((int64_t)change.offset_before + change.offset_after) / 2);
            struct zone_local local = zone_from_local(zone, &middle);
            if (local.kind != ZONE_LOCAL_GAP || local.first != change.at) {
                fail_msg("%s: no gap at %lld", zone_name(zone), (long long)change.at);
            }
        }
    }
    return changes;
}

static void all_zones_agree(void **state)
{
    (void)state;
    struct zone_names names = zone_names_installed();
    struct zone_cache *cache = zone_cache_new();
    size_t changes = 0;
    assert_true(names.count > 300);
    for (size_t i = 0; i < names.count; i++) {
        char tz[300];
        const struct zone *zone = NULL;
        struct error err = ERROR_INIT;
        if (!zone_cache_get(cache, names.names[i], &zone, &err)) {
            fail_msg("%s: %s", names.names[i], err.text);
        }
        snprintf(tz, sizeof tz, ":%s", names.names[i]);
        setenv("TZ", tz, 1);
        tzset();
        changes += compare_changes(zone, -1, YEAR_2038);
        for (int64_t at = 0; at < YEAR_2038; at += WEEK) {
            compare_at(zone, at);
        }
        for (int64_t at = YEAR_2038; at < YEAR_2120; at += MONTH) {
            compare_at(zone, at);
        }
    }
    print_message("%zu zones, %zu changes, tzdata %s\n", names.count, changes,
                  zone_cache_version(cache));
    assert_true(changes > 20000);
    zone_cache_free(cache);
    zone_names_release(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_zones_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
