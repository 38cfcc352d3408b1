// SPDX-License-Identifier: MIT
// What a clock change near an instant has to do with it being a slot or not.
#pragma once

#include "schedule/schedule.h"

enum why_clock_role {
    WHY_CLOCK_NONE,  // there is none near, or it has nothing to do with this instant
    WHY_CLOCK_MADE,  // a slot because of it: stands for those of the gap
    WHY_CLOCK_GAP,   // no slot: this wall time was left out
    WHY_CLOCK_AGAIN, // no slot: this wall time came for the second time
};

struct why_clock {
    enum why_clock_role role;
    struct schedule_change change;
    struct instant instead; // the slot that stands for it; none where there is none (dst: skip)
};

struct why_clock why_clock_look(const struct schedule *schedule, struct instant at);
