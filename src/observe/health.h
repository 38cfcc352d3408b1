// SPDX-License-Identifier: MIT
// Is this node alive, and is it ready? Alive: the scheduler's loop turns. Ready: it turns, the
// store answers, the runner lives, the definitions in force can be executed, and the node is not
// about to end. One that an operator has told to drain is as it is meant to be: that is a note. The
// owner tells what it knows; nothing here asks.
#pragma once

#include <stdbool.h>

#include "engine/events.h"
#include "time/clock.h"
#include "time/instant.h"

#define HEALTH_REASON_SIZE 512

enum health_check {
    HEALTH_LOOP,
    HEALTH_STORE,
    HEALTH_RUNNER,
    HEALTH_DRAINING,
    HEALTH_DEFINITIONS, // the active ones cannot be executed here
    HEALTH_CHECK_COUNT
};

struct health {
    struct clock *clock;
    struct duration loop_limit;
    struct mono last_tick;
    bool has_ticked;
    bool failing[HEALTH_CHECK_COUNT]; // of all but the loop
    struct instant since[HEALTH_CHECK_COUNT];
    char reason[HEALTH_CHECK_COUNT][HEALTH_REASON_SIZE];
    char note[HEALTH_CHECK_COUNT][HEALTH_REASON_SIZE];
    struct engine_outage outage; // of the store, the last one; `since` none = there was none
    struct engine_events events; // to learn of the store from the engine
};

// Not ready at first: "starting" for loop, store and runner. `loop_limit`: a loop that has not
// turned for so long is taken for dead; above the longest time that an idle node sleeps.
void health_init(struct health *health, struct clock *clock, struct duration loop_limit);
// The scheduler's own turn, not just any wake-up of the loop.
void health_tick(struct health *health);
// `reason` NULL: this check holds. Not for HEALTH_LOOP.
void health_set(struct health *health, enum health_check check, const char *reason);
// It has not held since then.
void health_set_since(struct health *health, enum health_check check, struct instant since,
                      const char *reason);
// What is worth knowing though the check holds; NULL = nothing.
void health_note(struct health *health, enum health_check check, const char *note);
// For a fanout: keeps HEALTH_STORE right.
const struct engine_events *health_events(struct health *health);

const char *health_check_name(enum health_check check); // "store"
// NULL when the check holds, else why not and since when; lives until the health changes or the
// next call.
const char *health_reason(struct health *health, enum health_check check);
const char *health_noted(const struct health *health, enum health_check check); // NULL = nothing
bool health_is_live(struct health *health);
bool health_is_ready(struct health *health);
