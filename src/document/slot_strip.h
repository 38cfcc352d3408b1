// SPDX-License-Identifier: MIT
// The last slots of one job with what became of them, oldest first. Reading costs the same whether
// the store is small or large: the due times are worked out from the schedules that were in force,
// and each slot and run is looked up by its key.
#pragma once

#include <jansson.h>

#include "base/arena.h"
#include "document/job_view.h"
#include "document/run_kept.h"
#include "time/clock.h"
#include "time/zone.h"

#define SLOT_STRIP_MAX 60 // fits beside a heading into 80 columns

enum slot_mark_kind {
    MARK_SUCCESS,
    MARK_FAILED,
    MARK_TIMED_OUT,
    MARK_LOST,
    MARK_CANCELLED,
    MARK_DRY_RUN,
    MARK_SKIPPED,
    MARK_MISSED,
    MARK_RUNNING,
    MARK_WAITING,   // open, between two attempts
    MARK_UNDECIDED, // due, and no node has decided it yet
    MARK_UNKNOWN,   // decided beyond it, and there is no row: pruned, or a gap of the ledger
    MARK_KIND_COUNT
};

struct slot_mark {
    struct instant due_at;
    enum slot_mark_kind kind;
    bool has_row;
    enum slot_outcome outcome;
    enum slot_reason reason;
    const struct store_run_row *run; // its last one, when it is kept; else NULL
};

struct slot_strip {
    struct arena arena;
    struct slot_mark *marks; // oldest first
    size_t count;
    bool is_cut; // the time was over: older ones are left out
};

// Where the store does not know the job: none. With a clock it looks up slots, the newest first,
// for `at_most` and then leaves out the older ones (is_cut); NULL = without a limit.
bool slot_strip_load(struct slot_strip *strip, struct store *store, struct zone_cache *zones,
                     const struct job_view *view, struct instant now, struct clock *clock,
                     struct duration at_most, struct error *err) MUST_USE;
void slot_strip_release(struct slot_strip *strip);

const char *slot_mark_name(enum slot_mark_kind kind); // "timed out"
bool slot_mark_has_duration(const struct slot_mark *mark);
// Of the runs that have ended, shortest first; returns how many.
size_t slot_strip_durations(const struct slot_strip *strip, struct duration out[SLOT_STRIP_MAX]);
// Of the slots shown; or a manual run, when it was the last of all. NULL: none.
const struct store_run_row *slot_strip_last_failure(const struct slot_strip *strip,
                                                    const struct job_view *view);

// The job with its definition, `next_count` coming slots, its runs, slots (oldest first),
// durations, last_success_at, last_failure, complete.
json_t *json_job_in_full(const struct job_view *view, const struct slot_strip *strip,
                         struct instant now, size_t next_count);
