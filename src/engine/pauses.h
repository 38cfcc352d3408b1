// SPDX-License-Identifier: MIT
// Part of engine/engine_private.h: when what was paused.
#pragma once

#include "base/map.h"
#include "engine/engine.h"

struct pauses {
    struct map by_job;        // name → the job's latest
    struct pause_span *all;   // the latest of all jobs
    struct pause_span **open; // still in force
    size_t open_count, open_capacity;
    size_t count, all_count, all_limit;
    uint64_t read;
    struct instant known_until; // of those that ended before it the node knows; zero = of none
};

// The history, so far as slots may still be decided by it: before definitions come into force.
bool pauses_load(struct engine *engine, const struct store_op_load *load, struct error *err);
void pauses_update(struct engine *engine, const struct store_control_row *rows, size_t count);
// Was the job paused when this slot was due? Its slots are SKIPPED then, also those of a downtime.
bool pauses_cover(const struct pauses *pauses, const char *job, struct instant at);
void pauses_release(struct pauses *pauses);
