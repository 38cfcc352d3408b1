// SPDX-License-Identifier: MIT
// The state of everything, gathered once; then printed for people or programs.
#pragma once

#include "cli/outage.h"
#include "cli/overview.h"
#include "cli/session.h"

#define STATUS_RUNNING_MAX 1000
#define STATUS_PROBLEM_MAX 8

// What happened to one job in the last 24 hours.
struct status_tally {
    size_t ended;
    size_t failed;
    size_t missed;
    char last_missed[16]; // reason
};

struct status_soon {
    const struct job_view *view;
    struct instant due;
    size_t more; // further slots of the hour
};

struct status {
    const struct session *session;
    struct overview overview;
    struct arena arena;
    struct status_tally *tallies; // beside overview.views
    struct run_kept *running;
    size_t running_count;
    struct run_kept *cut_off; // STARTED, and their node is gone
    size_t cut_off_count;
    struct status_soon *soon; // by due
    size_t soon_count;
    struct outage outage;     // of the store, lately
    int64_t store_bytes;      // of its file; -1 = there is none
    struct instant last_seen; // the last beat of the live node, or of the last that was; none
    size_t failing;
    size_t late;
    size_t stale;                           // without a success for longer than must_succeed_within
    char problems[STATUS_PROBLEM_MAX][200]; // what is wrong, one sentence each
    size_t problem_count;
};

bool status_load(struct status *status, const struct session *session, struct error *err) MUST_USE;
void status_release(struct status *status);
// Of the job of overview.views[i]: its last run, or one of the last 24 hours, did not succeed.
bool status_is_trouble(const struct status *status, size_t i);
// Who put everything into dry-run; NULL when nobody did by a control.
const struct store_control_row *status_dry_run(const struct status *status);
