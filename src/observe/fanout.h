// SPDX-License-Identifier: MIT
// One struct engine_events that tells several, in the order in which they were added.
#pragma once

#include <stddef.h>

#include "engine/events.h"

#define FANOUT_MAX 8

struct fanout {
    struct engine_events events; // give this to the engine
    const struct engine_events *targets[FANOUT_MAX];
    size_t count;
};

// Must not move afterwards.
void fanout_init(struct fanout *fanout);
// Functions of a target may be NULL. It must outlive the fanout.
void fanout_add(struct fanout *fanout, const struct engine_events *target);
