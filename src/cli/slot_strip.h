// SPDX-License-Identifier: MIT
// The last slots of one job with what became of them, oldest first. Reading costs the same whether
// the store is small or large: the due times are worked out from the schedules that were in force,
// and each slot and run is looked up by its key.
#pragma once

#include <jansson.h>

#include "base/arena.h"
#include "cli/overview.h"
#include "cli/run_text.h"
#include "cli/session.h"

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
};

// Without a store, or where the store does not know the job: none.
bool slot_strip_load(struct slot_strip *strip, const struct session *session,
                     const struct job_view *view, struct instant now, struct error *err) MUST_USE;
void slot_strip_release(struct slot_strip *strip);

// What runs and waits now, the line of marks with its legend, the durations below it, the last
// success and failure.
bool slot_strip_print(const struct slot_strip *strip, const struct session *session,
                      const struct job_view *view, struct instant now, struct error *err) MUST_USE;
// Adds slots (oldest first), durations, last_success_at and last_failure to a document.
void slot_strip_json(const struct slot_strip *strip, const struct job_view *view, json_t *document);
