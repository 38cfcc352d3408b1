// SPDX-License-Identifier: MIT
#include "job/run.h"

#include <stddef.h>
#include <string.h>

#include "base/attributes.h"
#include "base/check.h"

static const char *const state_names[RUN_STATE_COUNT] = {
    [RUN_STARTED] = "STARTED",     [RUN_SUCCESS] = "SUCCESS", [RUN_FAILED] = "FAILED",
    [RUN_TIMED_OUT] = "TIMED_OUT", [RUN_LOST] = "LOST",       [RUN_CANCELLED] = "CANCELLED",
    [RUN_DRY_RUN] = "DRY_RUN",
};
static const char *const state_labels[RUN_STATE_COUNT] = {
    [RUN_STARTED] = "started",     [RUN_SUCCESS] = "success", [RUN_FAILED] = "failed",
    [RUN_TIMED_OUT] = "timed_out", [RUN_LOST] = "lost",       [RUN_CANCELLED] = "cancelled",
    [RUN_DRY_RUN] = "dry_run",
};
static const char *const trigger_names[TRIGGER_COUNT] = {
    [TRIGGER_SCHEDULE] = "schedule", [TRIGGER_CATCHUP] = "catchup",   [TRIGGER_RETRY] = "retry",
    [TRIGGER_MANUAL] = "manual",     [TRIGGER_BACKFILL] = "backfill",
};
static const char *const failure_labels[FAILURE_COUNT] = {
    [FAILURE_NONE] = "none",       [FAILURE_EXIT] = "exit", [FAILURE_SIGNAL] = "signal",
    [FAILURE_TIMEOUT] = "timeout", [FAILURE_LOST] = "lost", [FAILURE_HTTP] = "http",
    [FAILURE_SQL] = "sql",         [FAILURE_GATE] = "gate", [FAILURE_SPAWN] = "spawn",
};
static const char *const outcome_names[SLOT_OUTCOME_COUNT] = {
    [SLOT_SUCCESS] = "SUCCESS", [SLOT_FAILED] = "FAILED",       [SLOT_TIMED_OUT] = "TIMED_OUT",
    [SLOT_LOST] = "LOST",       [SLOT_CANCELLED] = "CANCELLED", [SLOT_DRY_RUN] = "DRY_RUN",
    [SLOT_SKIPPED] = "SKIPPED", [SLOT_MISSED] = "MISSED",
};
static const char *const reason_names[SLOT_REASON_COUNT] = {
    [REASON_NONE] = "",
    [REASON_OVERLAP] = "overlap",
    [REASON_SUPERSEDED] = "superseded",
    [REASON_PAUSED] = "paused",
    [REASON_THROTTLED] = "throttled",
    [REASON_DOWNTIME] = "downtime",
    [REASON_TOO_OLD] = "too_old",
    [REASON_REMOVED] = "removed",
    [REASON_LIMIT] = "limit",
    [REASON_BUSY] = "busy",
    [REASON_CHANGED] = "changed",
    [REASON_AFTER] = "after",
};

// Index of name in a table whose entries may be NULL; -1 when absent.
static int find(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (names[i] != NULL && strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *run_state_name(enum run_state state)
{
    CHECK(state < RUN_STATE_COUNT);
    return state_names[state];
}

const char *run_state_label(enum run_state state)
{
    CHECK(state < RUN_STATE_COUNT);
    return state_labels[state];
}

bool run_state_parse(const char *name, enum run_state *state_out)
{
    int i = find(state_names, RUN_STATE_COUNT, name);
    if (i >= 0) {
        *state_out = (enum run_state)i;
    }
    return i >= 0;
}

bool run_state_is_final(enum run_state state)
{
    return state != RUN_STARTED;
}

const char *run_trigger_name(enum run_trigger trigger)
{
    CHECK(trigger < TRIGGER_COUNT);
    return trigger_names[trigger];
}

bool run_trigger_parse(const char *name, enum run_trigger *trigger_out)
{
    int i = find(trigger_names, TRIGGER_COUNT, name);
    if (i >= 0) {
        *trigger_out = (enum run_trigger)i;
    }
    return i >= 0;
}

const char *run_failure_label(enum run_failure failure)
{
    CHECK(failure < FAILURE_COUNT);
    return failure_labels[failure];
}

const char *slot_outcome_name(enum slot_outcome outcome)
{
    CHECK(outcome < SLOT_OUTCOME_COUNT);
    return outcome_names[outcome];
}

bool slot_outcome_parse(const char *name, enum slot_outcome *outcome_out)
{
    int i = find(outcome_names, SLOT_OUTCOME_COUNT, name);
    if (i >= 0) {
        *outcome_out = (enum slot_outcome)i;
    }
    return i >= 0;
}

enum slot_outcome slot_outcome_of(enum run_state final_state)
{
    static const enum slot_outcome outcomes[RUN_STATE_COUNT] = {
        [RUN_SUCCESS] = SLOT_SUCCESS,     [RUN_FAILED] = SLOT_FAILED,
        [RUN_TIMED_OUT] = SLOT_TIMED_OUT, [RUN_LOST] = SLOT_LOST,
        [RUN_CANCELLED] = SLOT_CANCELLED, [RUN_DRY_RUN] = SLOT_DRY_RUN,
    };
    CHECK(run_state_is_final(final_state));
    return outcomes[final_state];
}

bool slot_outcome_is_retryable(enum slot_outcome outcome)
{
    return outcome == SLOT_FAILED || outcome == SLOT_TIMED_OUT || outcome == SLOT_LOST ||
           outcome == SLOT_CANCELLED;
}

const char *slot_reason_name(enum slot_reason reason)
{
    CHECK(reason < SLOT_REASON_COUNT);
    return reason_names[reason];
}

bool slot_reason_parse(const char *name, enum slot_reason *reason_out)
{
    int i = find(reason_names, SLOT_REASON_COUNT, name);
    if (i >= 0) {
        *reason_out = (enum slot_reason)i;
    }
    return i >= 0;
}
