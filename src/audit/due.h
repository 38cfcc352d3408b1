// SPDX-License-Identifier: MIT
// The slots that a job's recorded schedules make due, one at a time: the recomputation turned from
// a walk that calls back into a sequence that is asked.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "time/instant.h"

#define DUE_CHUNK 4096

// A schedule in force: from < slot <= to.
struct due_span {
    char *spec; // owned by the list it is in
    struct instant from;
    struct instant to;    // none = still
    bool has_no_calendar; // @reboot
    bool is_unreadable;   // found out while recomputing; err says why
};

struct due {
    const char *job;
    struct due_span *spans; // ascending
    size_t span_count;
    struct instant after; // slots up to it are of no interest; none = all are
    struct instant until; // nor are those after it
    // private
    size_t next_span;
    struct instant cursor;     // recomputed up to here
    struct instant span_until; // of the span at hand
    struct instant chunk[DUE_CHUNK];
    size_t chunk_count;
    size_t chunk_next;
};

void due_begin(struct due *due, const char *job, struct due_span *spans, size_t span_count,
               struct instant after, struct instant until);
// The next slot, or none at the end. A span that cannot be read is passed over, is_unreadable is
// set and err filled, without error from this function: due_error tells.
struct instant due_peek(struct due *due, struct error *err);
void due_advance(struct due *due);
// The span in which an instant lies, or NULL.
const struct due_span *due_span_of(const struct due *due, struct instant t);
