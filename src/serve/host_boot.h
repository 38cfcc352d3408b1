// SPDX-License-Identifier: MIT
// When this host booted, and which boot it is: what @reboot jobs are due for.
#pragma once

#include "time/clock.h"

// The kernel's id of this boot; NULL where it tells none. Static memory.
const char *host_boot_id(void);
// In whole seconds; moves a little when the clock is set.
struct instant host_booted_at(struct clock *clock);
