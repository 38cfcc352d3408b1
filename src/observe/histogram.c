// SPDX-License-Identifier: MIT
#include "observe/histogram.h"

const struct histogram_shape histogram_of_durations = {
    .count = 16,
    .bounds =
        {
            {5000, "0.005", "5"},
            {10000, "0.01", "10"},
            {25000, "0.025", "25"},
            {50000, "0.05", "50"},
            {100000, "0.1", "100"},
            {250000, "0.25", "250"},
            {500000, "0.5", "500"},
            {1000000, "1", "1000"},
            {2500000, "2.5", "2500"},
            {5000000, "5", "5000"},
            {10000000, "10", "10000"},
            {30000000, "30", "30000"},
            {60000000, "60", "60000"},
            {300000000, "300", "300000"},
            {900000000, "900", "900000"},
            {3600000000, "3600", "3600000"},
        },
};

const struct histogram_shape histogram_of_delays = {
    .count = 15,
    .bounds =
        {
            {5000, "0.005", "5"},
            {10000, "0.01", "10"},
            {25000, "0.025", "25"},
            {50000, "0.05", "50"},
            {100000, "0.1", "100"},
            {250000, "0.25", "250"},
            {500000, "0.5", "500"},
            {1000000, "1", "1000"},
            {2000000, "2", "2000"},
            {5000000, "5", "5000"},
            {10000000, "10", "10000"},
            {30000000, "30", "30000"},
            {60000000, "60", "60000"},
            {300000000, "300", "300000"},
            {3600000000, "3600", "3600000"},
        },
};

const struct histogram_shape histogram_of_statements = {
    .count = 14,
    .bounds =
        {
            {100, "0.0001", "0.1"},
            {250, "0.00025", "0.25"},
            {500, "0.0005", "0.5"},
            {1000, "0.001", "1"},
            {2500, "0.0025", "2.5"},
            {5000, "0.005", "5"},
            {10000, "0.01", "10"},
            {25000, "0.025", "25"},
            {50000, "0.05", "50"},
            {100000, "0.1", "100"},
            {250000, "0.25", "250"},
            {500000, "0.5", "500"},
            {1000000, "1", "1000"},
            {10000000, "10", "10000"},
        },
};

void histogram_observe(struct histogram *histogram, const struct histogram_shape *shape,
                       struct duration value)
{
    int64_t us = value.us < 0 ? 0 : value.us;
    size_t at = 0;
    while (at < shape->count && us > shape->bounds[at].us) {
        at++;
    }
    histogram->counts[at == shape->count ? HISTOGRAM_BOUNDS_MAX : at]++;
    if (__builtin_add_overflow(histogram->sum_us, us, &histogram->sum_us)) {
        histogram->sum_us = INT64_MAX;
    }
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++) {
        count += histogram->counts[i];
    }
    return count;
}
