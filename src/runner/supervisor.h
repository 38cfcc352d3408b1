// SPDX-License-Identifier: MIT
// The runner process: one loop that starts, watches and ends the processes of runs. It trusts the
// scheduler only until the deadline that it was last given; then, or when the channel closes, it
// kills everything at once and exits. What is inherited and stays open until then (the node's lock)
// is thereby let go last.
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "time/instant.h"

struct supervisor_options {
    int channel_fd;
    int lock_fd; // -1 = none
    uint64_t first_tag;
    struct mono deadline;
};

// Runs in the forked child and never returns.
NORETURN void supervisor_main(const struct supervisor_options *options);
