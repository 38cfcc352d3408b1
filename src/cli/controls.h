// SPDX-License-Identifier: MIT
// The runtime controls in force: what is paused, dry-run or throttled, by whom and why.
#pragma once

#include "cli/session.h"

struct controls {
    struct arena arena; // owns the rows
    struct store_control_row *rows;
    size_t count;
};

// Reads them; an absent store has none.
bool controls_load(struct controls *controls, const struct session *session,
                   struct error *err) MUST_USE;
void controls_release(struct controls *controls);
// The row for exactly this job; NULL = the row for all jobs. NULL when there is none.
const struct store_control_row *controls_exact(const struct controls *controls, const char *job,
                                               enum store_control_kind kind);
// What counts for a job: its own row or the one for all, whichever is stricter.
const struct store_control_row *controls_of(const struct controls *controls, const char *job,
                                            enum store_control_kind kind);
// "paused since 2026-11-24T03:16:00+01:00 by anna@host (mail server down)"
void controls_describe(const struct store_control_row *row, const struct zone *zone,
                       struct buf *out);
// "ironcron resume send-digest": the command that lifts a control.
void controls_undo(enum store_control_kind kind, const char *job, char *out, size_t size);
