// SPDX-License-Identifier: MIT
#include "schedules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "time/format.h"

static struct zone_cache *zones;

int schedules_setup(void **state)
{
    (void)state;
    zones = zone_cache_new();
    return 0;
}

int schedules_teardown(void **state)
{
    (void)state;
    zone_cache_free(zones);
    return 0;
}

const struct zone *schedules_zone(const char *name)
{
    const struct zone *zone = NULL;
    struct error err = ERROR_INIT;
    if (!zone_cache_get(zones, name, &zone, &err)) {
        fail_msg("%s", err.text);
    }
    return zone;
}

struct schedule schedules_parse(const char *text, const char *zone, enum schedule_dst dst)
{
    struct schedule schedule = {.kind = SCHEDULE_REBOOT};
    struct error err = ERROR_INIT;
    if (!schedule_parse(text, schedules_zone(zone), dst, "a-job", &schedule, &err)) {
        fail_msg("'%s': %s", text, err.text);
    }
    return schedule;
}

struct instant schedules_time(const char *text)
{
    char full[FORMAT_TIME_SIZE];
    struct instant t = INSTANT_NONE;
    struct error err = ERROR_INIT;
    size_t length = strlen(text);
    snprintf(full, sizeof full, "%s%s%s", text, length == 16 ? ":00" : "",
             length == 16 || length == 19 ? "Z" : "");
    if (!format_parse_time(full, INSTANT_NONE, &t, &err)) {
        fail_msg("%s", err.text);
    }
    return t;
}

void schedules_expect(const char *text, const char *zone, enum schedule_dst dst, const char *from,
                      const char *expected)
{
    struct schedule schedule = schedules_parse(text, zone, dst);
    struct instant t = schedules_time(from);
    char *list = alloc_string(expected);
    char *rest = NULL;
    for (const char *word = strtok_r(list, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        char got[FORMAT_TIME_SIZE];
        t = schedule_next(&schedule, t);
        format_utc_ms(t, got);
        bool is_none = strcmp(word, "NONE") == 0;
        if (is_none != instant_is_none(t) ||
            (!is_none && !instant_equal(t, schedules_time(word)))) {
            fail_msg("'%s' in %s from %s: %s, should be %s", text, zone, from, got, word);
        }
        if (is_none) {
            break;
        }
    }
    free(list);
}
