// SPDX-License-Identifier: MIT
// Schedules as the store records them in force (job_schedule_spec), read back: for what the
// configuration does not say any more, or can't be asked.
#pragma once

#include "base/arena.h"
#include "job/job.h"
#include "time/zone.h"

bool recorded_schedule(const char *spec, const char *job, struct zone_cache *zones,
                       struct schedule *schedule_out, struct error *err) MUST_USE;
// A job of which only that is known: its policies are those of no job in particular. In the arena.
// NULL when the spec cannot be read.
const struct job *recorded_job(const char *name, const char *spec, struct zone_cache *zones,
                               struct arena *arena, struct error *err);
