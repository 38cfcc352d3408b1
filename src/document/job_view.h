// SPDX-License-Identifier: MIT
// A job with what is known of it: its state in a word, and its document.
#pragma once

#include <jansson.h>

#include "document/control_set.h"
#include "document/cut_off.h"
#include "job/job.h"
#include "store/store.h"

// One job. Borrows from whoever made it.
struct job_view {
    const struct job *job;
    bool is_known;               // the store has seen it
    bool is_recorded;            // job is recorded_job: the configuration cannot be asked
    struct instant high_water;   // none while unknown
    struct instant next_due;     // INSTANT_NONE
    struct instant late_since;   // the oldest slot that is due and undecided; INSTANT_NONE
    struct instant last_success; // INSTANT_NONE
    bool is_stale;               // no success within must_succeed_within
    int running;
    int cut_off;                 // STARTED, and their node is gone; not among those that run
    int waiting;                 // slots that wait for other jobs (after)
    struct store_run_row *last;  // the last run that ended; NULL
    const struct cut_off *nodes; // that are gone; NULL: nothing is known of nodes
    const struct store_control_row *pause, *dry_run, *throttle; // NULL
};

// Controls and dates that follow from what the store says: to be called once that is filled in.
void job_view_judge(struct job_view *view, const struct control_set *controls, struct instant now);
bool job_view_is_failing(const struct job_view *view);
// One word, the first that applies: paused, dry-run, throttled, running, cut_off, waiting,
// failing, never_ran, ok.
const char *job_view_state(const struct job_view *view);
// Is it one of those that apply? Besides: "late", "stale" (no success within must_succeed_within).
bool job_view_has_state(const struct job_view *view, const char *state);
// The words that job_view_has_state knows; NULL ends.
extern const char *const job_view_state_words[];
// All that apply: "paused, failing".
void job_view_states(const struct job_view *view, char *out, size_t size);

json_t *json_job(const struct job_view *view);
// What it does and by which policies; without the values of anything that may be a secret.
json_t *json_definition(const struct job *job);
