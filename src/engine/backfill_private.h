// SPDX-License-Identifier: MIT
// What the files of a backfill share: backfill.c its life, backfill_slots.c which slots it is
// about, backfill_words.c what it says of itself. Nobody else includes it.
#pragma once

#include <jansson.h>

#include "engine/engine_private.h"

enum slot_phase { PHASE_WANTED, PHASE_PROPOSED, PHASE_RUNS, PHASE_DONE };

struct backfill_slot {
    struct instant due_at;
    int attempt;
    enum slot_phase phase;
};

struct engine_backfill {
    struct engine_backfill *next;
    struct engine *engine;
    struct engine_job *job;
    struct uuid intent_id;
    char *actor, *as, *reason;
    struct instant from, to; // both included
    bool force, dry_run;
    bool resumed; // another node began it
    int max_parallel;
    struct instant cursor; // the ledger is read up to here
    bool reading;
    bool collected;
    struct backfill_slot *slots; // oldest first
    size_t count, capacity;
    size_t overflow;  // slots beyond the limit
    size_t next_slot; // those before it are wanted no more
    size_t open;      // proposed or running
    size_t succeeded, failed, passed_over;
    size_t rehearsed; // in dry-run: nothing was done for them
    char *stopped;    // why nothing more is begun
    bool changed;     // since the last note
    bool noting;
    struct mono noted_at;
    struct mono again_at; // a run on another node stood in the way, or may want to
    struct mono gave_way;
};

// backfill.c
struct uuid backfill_run_id(const struct engine_backfill *backfill, struct instant due_at);
void backfill_free(struct engine *engine, struct engine_backfill *backfill);

// backfill_slots.c: asks the store for the next piece of the range.
void backfill_read(struct engine_backfill *backfill);

// backfill_words.c
void backfill_tell_begin(struct engine_backfill *backfill);                     // to the audit
void backfill_tell_progress(struct engine_backfill *backfill, struct mono now); // in the intent
// The last word, and its end: refused with a reason, or NULL = with its counts.
void backfill_finish(struct engine_backfill *backfill, const char *refused);
