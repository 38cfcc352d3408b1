// SPDX-License-Identifier: MIT
#include "document/job_view.h"

#include <stdio.h>
#include <string.h>

// A slot this long past its start is late: a claim takes milliseconds, a beat of the loop a second.
#define LATE_AFTER DURATION_S(10)
// Where the job's jitter is not known.
#define LATE_RECORDED DURATION_S(3600)
#define STATES_MAX    8

// Freshness: the last success is older than must_succeed_within, or no run has ever succeeded.
static void judge_freshness(struct job_view *view, struct instant now)
{
    struct duration within = view->job->must_succeed_within;
    if (within.us <= 0 || view->last == NULL) {
        return;
    }
    view->is_stale = instant_is_none(view->last_success) ||
                     instant_since(now, view->last_success).us > within.us;
}

void job_view_judge(struct job_view *view, const struct control_set *controls, struct instant now)
{
    const struct job *job = view->job;
    view->next_due = schedule_next(&job->schedule, now);
    view->pause = control_set_of(controls, job->name, CONTROL_PAUSE);
    view->dry_run = control_set_of(controls, job->name, CONTROL_DRY_RUN);
    view->throttle = control_set_of(controls, job->name, CONTROL_THROTTLE);
    judge_freshness(view, now);
    if (!view->is_known || instant_is_none(view->high_water)) {
        return;
    }
    struct instant due = schedule_next(&job->schedule, view->high_water);
    if (instant_is_none(due)) {
        return;
    }
    struct duration grace = view->is_recorded ? LATE_RECORDED : LATE_AFTER;
    struct instant latest = instant_add(instant_add(due, job_jitter(job, due)), grace);
    if (instant_before(latest, now)) {
        view->late_since = due;
    }
}

bool job_view_is_failing(const struct job_view *view)
{
    if (view->last == NULL) {
        return false;
    }
    enum run_state state = view->last->state;
    return state == RUN_FAILED || state == RUN_TIMED_OUT || state == RUN_LOST;
}

// Writes each state that applies, the first being the one that decides.
static size_t states_of(const struct job_view *view, const char *states[STATES_MAX])
{
    size_t count = 0;
    if (view->pause != NULL) {
        states[count++] = "paused";
    }
    if (view->dry_run != NULL) {
        states[count++] = "dry-run";
    }
    if (view->throttle != NULL) {
        states[count++] = "throttled";
    }
    if (view->running > 0) {
        states[count++] = "running";
    }
    if (view->cut_off > 0) {
        states[count++] = "cut_off";
    }
    if (view->waiting > 0) {
        states[count++] = "waiting";
    }
    if (job_view_is_failing(view)) {
        states[count++] = "failing";
    }
    if (view->last == NULL && view->running + view->cut_off == 0) {
        states[count++] = "never_ran";
    }
    if (count == 0) {
        states[count++] = "ok";
    }
    return count;
}

const char *job_view_state(const struct job_view *view)
{
    const char *states[STATES_MAX];
    (void)states_of(view, states);
    return states[0];
}

const char *const job_view_state_words[] = {"ok",     "failing", "running",   "cut_off",
                                            "paused", "dry-run", "throttled", "never_ran",
                                            "late",   "stale",   NULL};

bool job_view_has_state(const struct job_view *view, const char *state)
{
    const char *states[STATES_MAX];
    size_t count = states_of(view, states);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(states[i], state) == 0) {
            return true;
        }
    }
    return (strcmp(state, "late") == 0 && !instant_is_none(view->late_since)) ||
           (strcmp(state, "stale") == 0 && view->is_stale);
}

void job_view_states(const struct job_view *view, char *out, size_t size)
{
    const char *states[STATES_MAX];
    size_t count = states_of(view, states);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "", states[i]);
        for (char *gap = strchr(out + used, '_'); gap != NULL; gap = strchr(gap, '_')) {
            *gap = ' ';
        }
        used = strlen(out);
        if (strcmp(states[i], "throttled") == 0) {
            snprintf(out + used, size - used, " x%d", view->throttle->value);
        }
    }
}
