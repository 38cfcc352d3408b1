// SPDX-License-Identifier: MIT
// The history of the runtime controls (pauses, dry-runs, throttles), asked about one instant at a
// time. A control takes effect on its node a moment after it was written, so that near its ends
// nobody can say what was in force: between "surely" and "perhaps" lie CONTROLS_SLACK_US on either
// side.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "store/store.h"

#define CONTROLS_SLACK_US 5000000

struct control_span {
    char *job; // NULL = all
    enum store_control_kind kind;
    struct instant from;
    struct instant to;         // none = still
    struct control_span *next; // of the same job
};

struct controls {
    struct map by_job;        // name to the job's last span
    struct control_span *all; // those of all jobs
};

void controls_init(struct controls *controls);
void controls_release(struct controls *controls);
bool controls_read(struct controls *controls, struct store *store, struct error *err) MUST_USE;

bool controls_surely(const struct controls *controls, enum store_control_kind kind, const char *job,
                     struct instant at);
bool controls_perhaps(const struct controls *controls, enum store_control_kind kind,
                      const char *job, struct instant at);
