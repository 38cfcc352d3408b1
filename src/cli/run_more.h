// SPDX-License-Identifier: MIT
// What belongs to a run besides its row: the other attempts at its slot, the facts that its runner
// reported at the end (rows, a status, memory), the command that goes on.
#pragma once

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "store/store.h"
#include "time/zone.h"

struct run_more {
    struct arena arena;
    const struct store_run_row *run; // borrowed
    struct store_run_row *attempts;  // oldest first, this run among them; none of a manual run
    size_t attempt_count;
    struct slot_state {
        bool is_known;
        enum slot_outcome outcome; // of its slot
        enum slot_reason reason;
    } slot;
    json_t *facts; // an object, perhaps empty
};

bool run_more_load(struct run_more *more, struct store *store, const struct store_run_row *run,
                   struct error *err) MUST_USE;
// Looks at an audit row of the run; that of the end has the facts.
void run_more_note(struct run_more *more, const struct store_audit_row *row);
void run_more_release(struct run_more *more);

// One line each: "rows", "memory peak".
void run_more_print_facts(const struct run_more *more);
// A table of the slot's attempts, when there are several.
void run_more_print_attempts(const struct run_more *more, const struct zone *zone,
                             struct instant now);
// "ironcron why …"
void run_more_next(const struct run_more *more, const struct zone *zone, struct buf *out);
// Adds slot_outcome, slot_reason, facts, attempts, next.
void run_more_json(const struct run_more *more, const struct zone *zone, json_t *document);
