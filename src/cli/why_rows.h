// SPDX-License-Identifier: MIT
// Reads the rows around one slot, part by part, in this order. Each fills its part of the case and
// of its facts.
#pragma once

#include "cli/why_case.h"

bool why_rows_mark(struct why_case *why, struct store *store, struct error *err) MUST_USE;
// A NULL store has no schedules.
bool why_rows_force(struct why_case *why, struct store *store, struct error *err) MUST_USE;
bool why_rows_slot(struct why_case *why, struct store *store, struct error *err) MUST_USE;
bool why_rows_runs(struct why_case *why, struct store *store, struct error *err) MUST_USE;
bool why_rows_events(struct why_case *why, struct store *store, struct error *err) MUST_USE;
bool why_rows_controls(struct why_case *why, struct store *store, struct error *err) MUST_USE;
bool why_rows_nodes(struct why_case *why, const struct session *session,
                    struct error *err) MUST_USE;
// The slot of another job in its way (`after`); behind the events.
bool why_rows_after(struct why_case *why, const struct session *session,
                    struct error *err) MUST_USE;
// The run in the way of the slot.
bool why_rows_other(struct why_case *why, struct store *store, struct error *err) MUST_USE;
bool why_rows_output(struct why_case *why, struct store *store, struct error *err) MUST_USE;
// The last slot from `since` on that did not succeed.
bool why_rows_trouble(struct why_case *why, struct store *store, struct instant since,
                      struct error *err) MUST_USE;
