// SPDX-License-Identifier: MIT
// Any bytes as a TZif file. A zone that is accepted must answer every question, and consistently.
#include "base/check.h"
#include "fuzz_target.h"
#include "time/zone.h"

static void ask(const struct zone *zone, int64_t at)
{
    struct civil civil = zone_civil(zone, at);
    struct zone_change change;
    CHECK(civil.month >= 1 && civil.month <= 12);
    CHECK(zone_abbreviation(zone, at) != NULL);
    if (civil.year >= 1 && civil.year <= 9999) {
        struct zone_local local = zone_from_local(zone, &civil);
        // This wall time exists, at this very instant.
        CHECK(local.kind != ZONE_LOCAL_GAP && local.first <= at);
    }
    if (zone_next_change(zone, at, &change)) {
        CHECK(change.at > at && change.offset_before != change.offset_after);
        CHECK(zone_offset(zone, change.at) == change.offset_after);
        CHECK(zone_offset(zone, change.at - 1) == change.offset_before);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t moments[] = {
        INT64_MIN,  INT64_MIN / 2, -4000000000,   -1,        0, 1, 1772953200, 2147483647,
        4102444800, 253402300799,  INT64_MAX / 2, INT64_MAX,
    };
    struct zone *zone = NULL;
    struct error err = ERROR_INIT;
    if (!zone_parse("Fuzz/Zone", data, size, &zone, &err)) {
        CHECK(err.code != ERROR_NONE && err.text[0] != '\0' && zone == NULL);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(moments); i++) {
        ask(zone, moments[i]);
    }
    struct zone_change change = {.at = -5000000000};
    for (int i = 0; i < 50 && zone_next_change(zone, change.at, &change); i++) {
        ask(zone, change.at - 1);
        ask(zone, change.at);
    }
    zone_free(zone);
    return 0;
}
