// SPDX-License-Identifier: MIT
// What the files share that bring definitions into force: publication.c says what is published,
// publish.c asks the store, adopt.c takes the answers over into the engine's jobs.
#pragma once

#include "base/map.h"
#include "engine/engine_private.h"

// publish.c
enum publication_step {
    STEP_WAITS,   // for the store to be asked (again)
    STEP_SETTLES, // for the answers to what was proposed by the definitions before
    STEP_ASKS,    // a question is in the store
    STEP_ENDED,
};

struct publication {
    struct engine *engine;
    struct engine_set *fresh;
    enum publication_step step;
    bool at_start; // before the first turn: nothing is tried again
    bool done;
    struct error err;     // else why it waits, or has failed
    struct mono again_at; // not before
    // Of the present try.
    struct instant at;
    const struct store_op_load *load; // what was in force before …
    struct store_op_load before;      // … as the store told, at a reload
    struct store_op_load since;       // and what is now
    struct closing closing;           // the last slots of what was …
    size_t closed;                    // … up to this item
    struct store_op_publish publish;
    struct arena arena;
    struct map old;                // name → store_job in force before
    const struct store_job **olds; // of each item; NULL = new
    struct instant *marks;         // of each item, where it is not in force unchanged
    struct map names;              // of the new set
    size_t added, changed, removed;
    char detail[256];
};

// publication.c
struct publication *publication_new(struct engine *engine, struct engine_set *fresh);
// Forgets what belongs to the present try.
void publication_clear(struct publication *publication);
// By what was in force before, at the instant of the publication.
void publication_fill(struct publication *publication);
// The next of the last slots of schedules that end, as many as one operation may hold. False: there
// are none left.
bool publication_close_some(struct publication *publication);

// adopt.c
// Takes over what the store says of the jobs, and plans them.
void adopt_jobs(const struct publication *publication);
// Those that the new definitions do not name.
void adopt_leave(const struct publication *publication);
