// SPDX-License-Identifier: MIT
// Counts of durations by upper bound. Small on purpose: there are three of them for each job that
// ran.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "time/instant.h"

#define HISTOGRAM_BOUNDS_MAX 16

struct histogram_bound {
    int64_t us;          // inclusive
    const char *seconds; // the same as a label, in both units that we show
    const char *ms;
};

struct histogram_shape {
    struct histogram_bound bounds[HISTOGRAM_BOUNDS_MAX]; // ascending
    size_t count;
};

extern const struct histogram_shape histogram_of_durations;  // 5 ms to 1 h
extern const struct histogram_shape histogram_of_delays;     // 5 ms to 1 h, finer below a second
extern const struct histogram_shape histogram_of_statements; // 100 us to 10 s

struct histogram {
    int64_t sum_us;
    // By bound, not cumulative; the last is +Inf. They wrap after four thousand million, which a
    // scraper takes for a restart.
    uint32_t counts[HISTOGRAM_BOUNDS_MAX + 1];
};

// Negative durations (a clock that stepped) count as zero.
void histogram_observe(struct histogram *histogram, const struct histogram_shape *shape,
                       struct duration value);
uint64_t histogram_count(const struct histogram *histogram);
