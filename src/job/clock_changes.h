// SPDX-License-Identifier: MIT
// What the clock changes of a time range do to a set of jobs. Jobs with the same schedule, zone and
// `dst` are judged once, so ten thousand jobs cost little more than their distinct schedules.
#pragma once

#include "base/arena.h"
#include "job/job.h"

// Jobs that one change touches in the same way, since they have the same schedule.
struct clock_change_group {
    const struct job **jobs; // in their order
    size_t job_count;
    struct schedule_change change;
};

// One change of one zone.
struct clock_change {
    const struct zone *zone;
    struct zone_change change;
    size_t zone_jobs;                  // that follow this zone
    size_t touched;                    // jobs
    struct clock_change_group *groups; // only of touched jobs
    size_t group_count;
};

// A zone in use. Only jobs whose schedule reads a clock on the wall count as following one.
struct clock_zone {
    const struct zone *zone;
    size_t jobs;
    size_t changes;
};

struct clock_changes {
    struct arena arena; // owns all of it; the jobs and zones are the caller's
    struct instant from, until;
    struct clock_change *list; // by time, then by the zone's name
    size_t count;
    struct clock_zone *zones; // in the order of first use
    size_t zone_count;
    size_t job_count;
    size_t touched; // jobs that any of the changes touches
};

// Changes after `from`, up to and including `until`.
void clock_changes_find(const struct job *jobs, size_t job_count, struct instant from,
                        struct instant until, struct clock_changes *changes_out);
void clock_changes_release(struct clock_changes *changes);
