// SPDX-License-Identifier: MIT
// `ironcron serve` and the short-lived node of the commands that act: the wiring of ports to the
// engine.
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"
#include "store/store.h"

struct serve_options {
    const char *config_path; // NULL = the usual places
    bool dry_run;            // --dry-run; JOB_DRY_RUN is read as well
    bool json_logs;          // --json
};
// Runs until told to stop; returns the exit code. Prints its own errors.
int serve_run(const struct serve_options *options);

// Carries out the pending intents as a short-lived node: for commands that act where no node lives.
// Refused when one does. `on_turn` (may be NULL) is called about every 50 ms with the open store,
// for progress; returns when no intent is pending and nothing runs.
struct serve_once_options {
    const struct config *config;
    bool dry_run;
    void *context;
    void (*on_turn)(void *context, struct store *store);
};
bool serve_once(const struct serve_once_options *options, struct error *err) MUST_USE;

// JOB_DRY_RUN: 1, true, yes, on / 0, false, no, off, empty or unset; anything else is refused.
bool serve_dry_run_from_environment(bool *dry_run_out, struct error *err) MUST_USE;
