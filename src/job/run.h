// SPDX-License-Identifier: MIT
// A run: one execution, an attempt at a slot or a manual trigger. The words of the glossary and the
// states a run may go through. They are spelled in the store, the metrics and the API as here.
#pragma once

#include <stdbool.h>

enum run_state {
    RUN_STARTED,
    RUN_SUCCESS,
    RUN_FAILED,
    RUN_TIMED_OUT,
    RUN_LOST,
    RUN_CANCELLED,
    RUN_DRY_RUN,
    RUN_STATE_COUNT
};
const char *run_state_name(enum run_state state);  // "TIMED_OUT": store, API
const char *run_state_label(enum run_state state); // "timed_out": metrics
bool run_state_parse(const char *name, enum run_state *state_out);
bool run_state_is_final(enum run_state state);

enum run_trigger {
    TRIGGER_SCHEDULE,
    TRIGGER_CATCHUP,
    TRIGGER_RETRY,
    TRIGGER_MANUAL,
    TRIGGER_BACKFILL,
    TRIGGER_COUNT
};
const char *run_trigger_name(enum run_trigger trigger);
bool run_trigger_parse(const char *name, enum run_trigger *trigger_out);

// Why an attempt failed: the label `reason` of job_failures_total.
enum run_failure {
    FAILURE_NONE,
    FAILURE_EXIT,
    FAILURE_SIGNAL,
    FAILURE_TIMEOUT,
    FAILURE_LOST,
    FAILURE_HTTP,
    FAILURE_SQL,
    FAILURE_GATE,
    FAILURE_SPAWN,
    FAILURE_COUNT
};
const char *run_failure_label(enum run_failure failure);

// A slot's outcome: its last attempt's final state, or one of these two.
enum slot_outcome {
    SLOT_OPEN, // no outcome yet: null in the view
    SLOT_SUCCESS,
    SLOT_FAILED,
    SLOT_TIMED_OUT,
    SLOT_LOST,
    SLOT_CANCELLED,
    SLOT_DRY_RUN,
    SLOT_SKIPPED,
    SLOT_MISSED,
    SLOT_OUTCOME_COUNT
};
const char *slot_outcome_name(enum slot_outcome outcome); // SLOT_OPEN: NULL
bool slot_outcome_parse(const char *name, enum slot_outcome *outcome_out);
enum slot_outcome slot_outcome_of(enum run_state final_state);
// The last attempt ended, and not well: another one may be asked for by hand.
bool slot_outcome_is_retryable(enum slot_outcome outcome);

// Why a slot was SKIPPED or MISSED: stored in slots.reason and the metrics' label.
enum slot_reason {
    REASON_NONE,
    REASON_OVERLAP,    // SKIPPED: the run before is still going, overlap: skip
    REASON_SUPERSEDED, // SKIPPED: a newer slot took the one waiting place, overlap: queue
    REASON_PAUSED,     // SKIPPED
    REASON_THROTTLED,  // SKIPPED
    REASON_DOWNTIME,   // MISSED: no node was running
    REASON_TOO_OLD,    // MISSED: older than missed_within
    REASON_REMOVED,    // MISSED: the job left the configuration
    REASON_LIMIT,      // MISSED: more than 1,000 slots to make up
    REASON_BUSY,       // MISSED: a node lived but could not get to it: full, stalled or suspended
    REASON_CHANGED,    // SKIPPED: its schedule was changed before it could start
    REASON_AFTER,      // SKIPPED: what it was to run after did not succeed in time; open: it waits
    SLOT_REASON_COUNT
};
const char *slot_reason_name(enum slot_reason reason); // "overlap"; REASON_NONE: ""
bool slot_reason_parse(const char *name, enum slot_reason *reason_out);
