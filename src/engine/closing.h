// SPDX-License-Identifier: MIT
// Part of engine/engine_private.h: what becomes of the slots that a job leaves behind.
#pragma once

#include "engine/engine.h"

struct closing { // one job's remaining slots
    struct engine *engine;
    int64_t job_id;
    const char *job;
    enum store_decision decision; // outside of pauses
    enum slot_reason reason;
    int64_t version; // of the definitions that come into force
    struct store_slot *slots;
    size_t count;
};
bool closing_run(struct closing *closing, const struct schedule *schedule, struct instant after,
                 struct instant until, struct error *err);
bool closing_read_spec(const char *spec, const char *name, struct zone_cache *zones,
                       struct schedule *schedule_out);
