// SPDX-License-Identifier: MIT
// The zones that are installed on this machine, for tests that go through all of them.
#pragma once

#include <stddef.h>

struct zone_names {
    char **names; // sorted
    size_t count;
};

// Every name below $TZDIR or /usr/share/zoneinfo, aliases included, but for the copies in posix/
// and right/.
struct zone_names zone_names_installed(void);
// The same without names whose file is byte for byte that of an earlier one.
struct zone_names zone_names_distinct(void);
void zone_names_release(struct zone_names *names);
