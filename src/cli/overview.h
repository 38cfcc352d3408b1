// SPDX-License-Identifier: MIT
// Every configured job with what the store knows of it: for `jobs`, `jobs show` and `status`.
#pragma once

#include "cli/node_list.h"
#include "cli/run_text.h"
#include "cli/session.h"
#include "document/job_view.h"

struct overview {
    struct control_set controls;
    struct node_list fleet;
    struct arena arena;
    // In the configuration's order. Where that has mistakes, the jobs in force in the store.
    struct job_view *views;
    size_t count;
    bool node_is_dry_run; // a live node was started with --dry-run, and so all are
    struct instant now;
};

bool overview_load(struct overview *overview, const struct session *session,
                   struct error *err) MUST_USE;
void overview_release(struct overview *overview);
const struct job_view *overview_job(const struct overview *overview, const char *name);

enum colour job_view_colour(const struct job_view *view);
