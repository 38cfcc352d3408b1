// SPDX-License-Identifier: MIT
// Time is never a bare integer. Three types that do not mix: a point on the UTC time line, a point
// on the machine's boot clock, and a length. Arithmetic saturates at the ends instead of
// overflowing.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Microseconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX). What is stored is
// whole milliseconds; what a schedule yields is whole seconds.
struct instant {
    int64_t us;
};

// Microseconds of CLOCK_BOOTTIME: goes on during suspend, never steps. Only for waiting and trust.
struct mono {
    int64_t us;
};

struct duration {
    int64_t us;
};

#define INSTANT_NONE ((struct instant){INT64_MIN}) // "no such instant": never, unknown, not yet
#define MONO_NEVER   ((struct mono){INT64_MAX})

#define DURATION_US(n) ((struct duration){(int64_t)(n)})
#define DURATION_MS(n) ((struct duration){(int64_t)(n)*1000})
#define DURATION_S(n)  ((struct duration){(int64_t)(n)*1000000})

bool instant_is_none(struct instant t);
bool instant_before(struct instant a, struct instant b); // neither may be none
bool instant_equal(struct instant a, struct instant b);
struct instant instant_add(struct instant t, struct duration d);
struct duration instant_since(struct instant later, struct instant earlier);
struct instant instant_from_unix(int64_t seconds);
int64_t instant_unix(struct instant t); // seconds, rounded towards the past
int64_t instant_ms(struct instant t);   // milliseconds, rounded towards the past
struct instant instant_from_ms(int64_t ms);

struct mono mono_add(struct mono t, struct duration d);
struct duration mono_since(struct mono later, struct mono earlier);
bool mono_before(struct mono a, struct mono b);

int64_t duration_ms(struct duration d);
