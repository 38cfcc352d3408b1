// SPDX-License-Identifier: MIT
// Part of engine/engine_private.h: what this node says of itself, and that it is to begin nothing.
#pragma once

#include "engine/engine.h"

struct drain {
    bool on; // an operator wants nothing new begun here
    struct instant since;
    struct instant ended_at;   // of the last time
    char *actor, *as, *reason; // who said so last, or the contrary
    char *refused;             // why the active definitions are not executed; NULL = they are
    int64_t told_definitions;
    bool report_wanted, reporting;
};

void drain_begin(struct engine *engine, const struct store_intent *intent);
void drain_as_before(struct engine *engine, const struct store_drain *order); // from the join on
void drain_end(struct engine *engine, const struct store_intent *intent);
void drain_turn(struct engine *engine, struct instant now); // in place of all that begins something
void drain_report(struct engine *engine);                   // when there is something to say
void drain_release(struct drain *drain);
