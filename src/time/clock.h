// SPDX-License-Identifier: MIT
// The clock port: the only door to the time of day. Real: clock_system.c. Simulated: tests.
#pragma once

#include "time/instant.h"

struct clock {
    struct instant (*now)(struct clock *clock); // CLOCK_REALTIME, whole milliseconds
    struct mono (*mono)(struct clock *clock);   // CLOCK_BOOTTIME
};

struct clock *clock_system(void); // one for the process, never freed
// CLOCK_MONOTONIC, for those who ask for just that: the service manager's protocol. Everything of
// ours counts on clock_mono(), which goes on during suspend.
int64_t clock_monotonic_us(void);

static inline struct instant clock_now(struct clock *clock)
{
    return clock->now(clock);
}

static inline struct mono clock_mono(struct clock *clock)
{
    return clock->mono(clock);
}
