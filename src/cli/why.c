// SPDX-License-Identifier: MIT
// The cause, from the facts; the words for it are in why_ran.c, why_passed.c,
// why_none.c and why_waiting.c.
#include "cli/why.h"

#include <string.h>

#include "base/check.h"
#include "cli/why_text.h"

// A claim takes milliseconds, a beat of the node's loop a second.
#define STARTING DURATION_S(10)

static const char *const cause_names[WHY_CAUSE_COUNT] = {
    [WHY_SUCCESS] = "success",
    [WHY_FAILED] = "failed",
    [WHY_TIMED_OUT] = "timed_out",
    [WHY_LOST] = "lost",
    [WHY_CANCELLED] = "cancelled",
    [WHY_REPLACED] = "replaced",
    [WHY_DRY_RUN] = "dry_run",
    [WHY_OVERLAP] = "overlap",
    [WHY_SUPERSEDED] = "superseded",
    [WHY_PAUSED] = "paused",
    [WHY_THROTTLED] = "throttled",
    [WHY_CHANGED] = "changed",
    [WHY_DOWNTIME] = "downtime",
    [WHY_TOO_OLD] = "too_old",
    [WHY_LIMIT] = "limit",
    [WHY_BUSY] = "busy",
    [WHY_REMOVED] = "removed",
    [WHY_AFTER] = "after",
    [WHY_RUNNING] = "running",
    [WHY_CUT_OFF] = "cut_off",
    [WHY_RETRY] = "waits_retry",
    [WHY_WAITS_AFTER] = "waits_after",
    [WHY_PRUNED] = "pruned",
    [WHY_NOT_PUBLISHED] = "not_published",
    [WHY_NOT_CONFIGURED] = "not_configured",
    [WHY_GAP] = "clock_gap",
    [WHY_REPEAT] = "clock_repeat",
    [WHY_AT_BOOT] = "at_boot",
    [WHY_NOT_DUE] = "not_due",
    [WHY_FUTURE] = "future",
    [WHY_CLOCK_BACK] = "clock_back",
    [WHY_UNRECORDED] = "unrecorded",
    [WHY_JITTER] = "jitter",
    [WHY_NO_NODE] = "no_node",
    [WHY_NODE_STOPPED] = "node_stopped",
    [WHY_DRAINING] = "draining",
    [WHY_NO_LABELS] = "no_labels",
    [WHY_WAITS_OVERLAP] = "waits_overlap",
    [WHY_WAITS_CAPACITY] = "waits_capacity",
    [WHY_STARTING] = "starting",
    [WHY_UNDECIDED] = "undecided",
};

const char *why_cause_name(enum why_cause cause)
{
    return cause_names[cause];
}

bool why_is_known(enum why_cause cause)
{
    return cause != WHY_PRUNED && cause != WHY_UNRECORDED && cause != WHY_UNDECIDED;
}

int why_places_taken(const struct why_facts *facts)
{
    bool anywhere = facts->job == NULL || facts->job->nodes == NULL;
    return anywhere ? facts->running_all : facts->running_fit;
}

struct instant why_retry_by(const struct job *job, const struct store_run_row *run)
{
    if (job == NULL || instant_is_none(run->ended_at) || run->attempt > job->retries->max) {
        return INSTANT_NONE;
    }
    double delay = (double)job->retries->backoff.us;
    double most = (double)job->retries->max_backoff.us;
    for (int i = 1; i < run->attempt && delay < most; i++) {
        delay *= job->retries->factor;
    }
    return instant_add(run->ended_at, DURATION_US(delay < most ? delay : most));
}

// ---- the slot has a row -------------------------------------------------------------------------

static enum why_cause of_reason(enum slot_reason reason, enum why_cause otherwise)
{
    switch (reason) {
    case REASON_OVERLAP:
        return WHY_OVERLAP;
    case REASON_SUPERSEDED:
        return WHY_SUPERSEDED;
    case REASON_PAUSED:
        return WHY_PAUSED;
    case REASON_THROTTLED:
        return WHY_THROTTLED;
    case REASON_CHANGED:
        return WHY_CHANGED;
    case REASON_DOWNTIME:
        return WHY_DOWNTIME;
    case REASON_TOO_OLD:
        return WHY_TOO_OLD;
    case REASON_LIMIT:
        return WHY_LIMIT;
    case REASON_BUSY:
        return WHY_BUSY;
    case REASON_REMOVED:
        return WHY_REMOVED;
    case REASON_AFTER:
        return WHY_AFTER;
    default:
        return otherwise;
    }
}

static enum why_cause of_open(const struct why_facts *facts)
{
    if (facts->run == NULL) {
        return facts->reason == REASON_AFTER ? WHY_WAITS_AFTER : WHY_UNDECIDED;
    }
    if (facts->run->state != RUN_STARTED) {
        return WHY_RETRY;
    }
    return facts->node_is_live && facts->run_is_with_node ? WHY_RUNNING : WHY_CUT_OFF;
}

static bool was_replaced(const struct store_run_row *run)
{
    return run != NULL && run->error != NULL && strstr(run->error, "overlap: replace") != NULL;
}

static enum why_cause of_row(const struct why_facts *facts)
{
    bool was_run = facts->outcome >= SLOT_SUCCESS && facts->outcome <= SLOT_CANCELLED;
    if (was_run && facts->run == NULL) {
        return WHY_PRUNED;
    }
    switch (facts->outcome) {
    case SLOT_OPEN:
        return of_open(facts);
    case SLOT_SUCCESS:
        return WHY_SUCCESS;
    case SLOT_FAILED:
        return WHY_FAILED;
    case SLOT_TIMED_OUT:
        return WHY_TIMED_OUT;
    case SLOT_LOST:
        return WHY_LOST;
    case SLOT_CANCELLED:
        return was_replaced(facts->run) ? WHY_REPLACED : WHY_CANCELLED;
    case SLOT_DRY_RUN:
        return WHY_DRY_RUN;
    default:
        return of_reason(facts->reason, WHY_UNRECORDED);
    }
}

// ---- it has none --------------------------------------------------------------------------------

static enum why_cause of_no_slot(const struct why_facts *facts)
{
    if (facts->is_reboot) {
        return WHY_AT_BOOT;
    }
    switch (facts->clock.role) {
    case WHY_CLOCK_GAP:
        return WHY_GAP;
    case WHY_CLOCK_AGAIN:
        return WHY_REPEAT;
    default:
        return WHY_NOT_DUE;
    }
}

static bool waits_for_another(const struct why_facts *facts)
{
    bool allowed = facts->job != NULL && facts->job->overlap == JOB_OVERLAP_ALLOW;
    return facts->other != NULL && facts->other->state == RUN_STARTED && !allowed;
}

static enum why_cause of_undecided(const struct why_facts *facts)
{
    struct instant start = facts->at;
    if (facts->job != NULL) {
        start = instant_add(start, job_jitter(facts->job, facts->at));
    }
    if (!facts->node_is_live) {
        return WHY_NO_NODE;
    }
    if (facts->node_is_stopped) {
        return WHY_NODE_STOPPED;
    }
    if (instant_before(facts->now, start)) {
        return WHY_JITTER;
    }
    if (facts->nodes_fit == 0 && facts->nodes_drain > 0) {
        return WHY_DRAINING;
    }
    if (facts->job != NULL && facts->job->nodes != NULL && facts->nodes_fit == 0) {
        return WHY_NO_LABELS;
    }
    if (waits_for_another(facts)) {
        return WHY_WAITS_OVERLAP;
    }
    if (why_places_taken(facts) >= facts->max_running) {
        return WHY_WAITS_CAPACITY;
    }
    return instant_before(facts->now, instant_add(start, STARTING)) ? WHY_STARTING : WHY_UNDECIDED;
}

static enum why_cause of_no_row(const struct why_facts *facts)
{
    bool is_future = instant_before(facts->now, facts->at);
    bool is_pruned =
        !instant_is_none(facts->pruned_before) && instant_before(facts->at, facts->pruned_before);
    if (is_pruned && (facts->is_slot || !facts->is_in_force)) {
        return WHY_PRUNED;
    }
    if (!facts->is_published && !is_future) {
        return WHY_NOT_PUBLISHED;
    }
    if (!facts->is_in_force && !is_future) {
        return WHY_NOT_CONFIGURED;
    }
    if (!facts->is_slot) {
        return of_no_slot(facts);
    }
    bool is_decided =
        !instant_is_none(facts->high_water) && !instant_before(facts->high_water, facts->at);
    if (is_future) {
        return is_decided ? WHY_CLOCK_BACK : WHY_FUTURE;
    }
    return is_decided ? WHY_UNRECORDED : of_undecided(facts);
}

static enum why_cause judge(const struct why_facts *facts)
{
    return facts->has_row ? of_row(facts) : of_no_row(facts);
}

void why_explain(const struct why_facts *facts, struct why *why_out)
{
    *why_out = (struct why){.cause = judge(facts)};
    buf_init(&why_out->text, 32768);
    buf_init(&why_out->next, 1024);
    CHECK(why_tell_ran(facts, why_out) || why_tell_passed(facts, why_out) ||
          why_tell_none(facts, why_out) || why_tell_waiting(facts, why_out));
}

void why_release(struct why *why)
{
    buf_release(&why->text);
    buf_release(&why->next);
}
