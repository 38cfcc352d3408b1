// SPDX-License-Identifier: MIT
// The strip of slots, for people.
#pragma once

#include "cli/overview.h"
#include "cli/session.h"
#include "document/slot_strip.h"

// What runs and waits now, the line of marks with its legend, the durations below it, the last
// success and failure.
bool slot_strip_print(const struct slot_strip *strip, const struct session *session,
                      struct overview *overview, const struct job_view *view,
                      struct error *err) MUST_USE;
