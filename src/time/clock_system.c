// SPDX-License-Identifier: MIT
#include <time.h>

#include "base/check.h"
#include "time/clock.h"

static struct timespec read_clock(clockid_t id)
{
    struct timespec reading;
    // Both clocks exist on every supported kernel; failing means that the id or address is wrong.
    CHECK(clock_gettime(id, &reading) == 0);
    return reading;
}

static struct instant system_now(struct clock *clock)
{
    (void)clock;
    struct timespec reading = read_clock(CLOCK_REALTIME);
    return instant_from_ms((int64_t)reading.tv_sec * 1000 + reading.tv_nsec / 1000000);
}

static struct mono system_mono(struct clock *clock)
{
    (void)clock;
    struct timespec reading = read_clock(CLOCK_BOOTTIME);
    return (struct mono){(int64_t)reading.tv_sec * 1000000 + reading.tv_nsec / 1000};
}

struct clock *clock_system(void)
{
    static struct clock clock = {.now = system_now, .mono = system_mono};
    return &clock;
}

int64_t clock_monotonic_us(void)
{
    struct timespec reading = read_clock(CLOCK_MONOTONIC);
    return (int64_t)reading.tv_sec * 1000000 + reading.tv_nsec / 1000;
}
