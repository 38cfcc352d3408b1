// SPDX-License-Identifier: MIT
// The runtime controls in force: what is paused, dry-run or throttled, by whom and why.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "store/store.h"
#include "time/zone.h"

struct control_set {
    struct arena arena; // owns the rows
    struct store_control_row *rows;
    size_t count;
};

// Reads them; an absent store (NULL) has none.
bool control_set_load(struct control_set *controls, struct store *store,
                      struct error *err) MUST_USE;
void control_set_release(struct control_set *controls);
// The row for exactly this job; NULL = the row for all jobs. NULL when there is none.
const struct store_control_row *control_set_exact(const struct control_set *controls,
                                                  const char *job, enum store_control_kind kind);
// What counts for a job: its own row or the one for all, whichever is stricter.
const struct store_control_row *control_set_of(const struct control_set *controls, const char *job,
                                               enum store_control_kind kind);
// "paused since 2026-11-24T03:16:00+01:00 by anna@host (mail server down)"
void control_set_describe(const struct store_control_row *row, const struct zone *zone,
                          struct buf *out);
// "ironcron resume send-digest": the command that lifts a control.
void control_set_undo(enum store_control_kind kind, const char *job, char *out, size_t size);
