// SPDX-License-Identifier: MIT
// What the clock on the wall shows in a zone, according to the C library alone. One zone at a time,
// for the whole process: the C library knows no other way.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

// A stretch of time, start <= t < end in Unix seconds, during which the wall shows t + offset.
struct wall_stretch {
    int64_t start;
    int64_t end;
    int64_t offset;
};

struct wall_clock {
    char *outer_zone; // TZ as it was before; NULL = unset
};

// Sets the process's TZ until wall_clock_leave. Refuses a name that is no file of the zone
// database, since the C library would silently take UTC.
bool wall_clock_enter(struct wall_clock *clock, const char *zone, struct error *err) MUST_USE;
void wall_clock_leave(struct wall_clock *clock);

// The stretch that begins at `start` and lasts a day, up to `limit`, or up to a change of the
// clock, whichever comes first. start < limit.
struct wall_stretch wall_clock_stretch(int64_t start, int64_t limit);
