// SPDX-License-Identifier: MIT
// Times and durations as people and programs write them.
#pragma once

#include "base/error.h"
#include "time/instant.h"
#include "time/zone.h"

#define FORMAT_TIME_SIZE     40
#define FORMAT_DURATION_SIZE 40

// RFC 3339. The store's form is always UTC with three decimals: 2026-11-24T02:36:23.000Z.
void format_utc_ms(struct instant t, char out[FORMAT_TIME_SIZE]);
// In the zone's offset, without decimals: 2026-11-24T03:36:23+01:00 ("Z" for UTC).
void format_in_zone(struct instant t, const struct zone *zone, char out[FORMAT_TIME_SIZE]);
// RFC 3339 with offset (any case of T and Z, decimals to the microsecond), a plain date (midnight
// UTC), or a duration before now: "-2h". Says at which character it went wrong.
bool format_parse_time(const char *text, struct instant now, struct instant *time_out,
                       struct error *err) MUST_USE;
// "90s", "5m", "1h30m", "48h", "7d", "250ms"; a bare number is refused, since nobody knows its
// unit.
bool format_parse_duration(const char *text, struct duration *duration_out,
                           struct error *err) MUST_USE;
// The shortest exact form that parse reads back: "1h30m", "250ms", "0s".
void format_duration(struct duration d, char out[FORMAT_DURATION_SIZE]);
// For people, two units at most: "3m 12s", "2d 4h", "840ms".
void format_duration_human(struct duration d, char out[FORMAT_DURATION_SIZE]);
