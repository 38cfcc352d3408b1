// SPDX-License-Identifier: MIT
// What belongs to a run besides its row: the other attempts at its slot, its audit rows, the facts
// that its runner reported at the end (rows, a status, memory), the command that goes on.
#pragma once

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "document/cut_off.h"
#include "store/store.h"
#include "time/clock.h"
#include "time/zone.h"

struct run_more {
    struct arena arena;
    const struct store_run_row *run; // borrowed
    const struct cut_off *nodes;     // borrowed, set by who wants it told; NULL
    struct store_run_row *attempts;  // oldest first, this run among them; none of a manual run
    size_t attempt_count;
    bool has_first; // attempt 1 is among them
    struct slot_state {
        bool is_known;
        enum slot_outcome outcome; // of its slot
        enum slot_reason reason;
    } slot;
    struct store_audit_row *events; // oldest first
    size_t event_count;
    json_t *facts; // an object, perhaps empty
    int64_t output_bytes;
    bool is_cut;         // the time was over before all attempts and events had been looked for
    struct clock *clock; // NULL: takes its time
    struct mono until;
};

// With a clock it looks for attempts and events for `at_most` (is_cut), and trusts the order of the
// audit log's times; NULL = without a limit, and however the clock was set.
bool run_more_load(struct run_more *more, struct store *store, const struct store_run_row *run,
                   struct clock *clock, struct duration at_most, struct error *err) MUST_USE;
void run_more_release(struct run_more *more);

// "ironcron why …"
void run_more_next(const struct run_more *more, const struct zone *zone, struct buf *out);
// The run with reason, output_bytes, events, slot_outcome, slot_reason, facts, attempts, complete,
// next.
json_t *json_run_in_full(const struct run_more *more, const struct zone *zone);
