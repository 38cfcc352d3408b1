// SPDX-License-Identifier: MIT
// What Prometheus client libraries tell of their process, from /proc.
#pragma once

#include <stdint.h>

struct process_stats {
    int64_t cpu_us;   // user and system
    int64_t start_us; // since the Unix epoch; 0 = unknown
    uint64_t open_fds;
    uint64_t max_fds;
    uint64_t virtual_bytes;
    uint64_t virtual_max_bytes; // UINT64_MAX = no limit
    uint64_t resident_bytes;
};

// What /proc does not tell stays 0. The boot time is read once for the process, so the start does
// not move when the clock is set.
void process_stats_read(struct process_stats *stats_out);
