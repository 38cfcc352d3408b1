// SPDX-License-Identifier: MIT
// Part of engine/engine_private.h: what becomes of the slots that a job leaves behind.
#pragma once

#include "engine/engine.h"

struct closing {                   // one job's remaining slots
    struct store_op_decide decide; // they are added to it
    struct engine *engine;
    struct schedule schedule;
    int64_t job_id;
    const char *job;
    enum store_decision decision; // outside of pauses
    enum slot_reason reason;
    struct instant since; // the schedule was in force then, as far as is known
    struct instant after, until;
    bool goes_on; // it is amid a job
};
// False: the operation is full, and there may be more.
bool closing_add(struct closing *closing);
bool closing_read_spec(const char *spec, const char *name, struct zone_cache *zones,
                       struct schedule *schedule_out);
