// SPDX-License-Identifier: MIT
// Every configured job with what the store knows of it: for `jobs`, `jobs show` and `status`.
#pragma once

#include "cli/control_set.h"
#include "cli/run_text.h"
#include "cli/session.h"

// One job. Borrows from the configuration and the overview's arenas.
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
    struct store_run_row *last;                                 // the last run that ended; NULL
    const struct store_control_row *pause, *dry_run, *throttle; // NULL
};

struct overview {
    struct control_set controls;
    struct arena arena;
    // In the configuration's order. Where that has mistakes, the jobs in force in the store.
    struct job_view *views;
    size_t count;
    bool node_is_dry_run; // the live node was started with --dry-run
    struct instant now;
};

bool overview_load(struct overview *overview, const struct session *session,
                   struct error *err) MUST_USE;
void overview_release(struct overview *overview);
const struct job_view *overview_job(const struct overview *overview, const char *name);

bool job_view_is_failing(const struct job_view *view);
// One word, the first that applies: paused, dry-run, throttled, running, failing, never_ran, ok.
const char *job_view_state(const struct job_view *view);
// All that apply: "paused, failing".
void job_view_states(const struct job_view *view, char *out, size_t size);
enum colour job_view_colour(const struct job_view *view);
