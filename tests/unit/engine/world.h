// SPDX-License-Identifier: MIT
// A world for the engine in virtual time: a clock that only the world moves, the model store, a
// runner whose jobs do what a script says, and a record of everything that ran.
#pragma once

#include "audit/verify.h"
#include "engine/engine.h"
#include "ground.h"
#include "store/model/model_store.h"

#define WORLD_RUNS_MAX 200000
#define WORLD_OPEN_MAX 4096
#define WORLD_JOBS_MAX 32768

// What the fake runner does with the runs of a job; the job's command is its name.
struct world_script {
    const char *job;
    int64_t takes_ms; // until it ends by itself
    int exit_code;
    int fail_first; // the first so many runs exit with 1
};

struct world_run { // one execution, as the world saw it
    char job[64];
    struct instant due_at;
    struct instant started;
    struct mono began; // by the clock that nobody sets
    struct mono ended; // MONO_NEVER while it runs
    int attempt;
    uint64_t handle;
    const struct world_script *script; // NULL = 200 ms, success
    int earlier;                       // runs of the job before it
    bool open;
    bool cancelled;
};

struct world {
    struct clock clock;
    struct instant now;
    struct mono mono;
    struct store *store;
    bool can_fail;                    // the store is the model
    const struct store_ops *true_ops; // behind a tampering
    struct store_ops tampering_ops;
    void (*tamper)(struct store_op *op);
    struct engine *engine;
    struct runner runner;
    const struct world_script *scripts;
    size_t script_count;
    struct world_run *runs;
    size_t run_count;
    size_t open[WORLD_OPEN_MAX]; // indexes of the runs that go on
    size_t open_count;
    struct job *jobs;
    size_t job_count;
    struct zone_cache *zones;
    struct engine_events events;
    int ended[RUN_STATE_COUNT];
    int skipped[SLOT_REASON_COUNT];
    int missed[SLOT_REASON_COUNT];
    int stale;
    int store_down;
    int too_early; // runs that began though a job that they come after had not succeeded
    int max_running;
    bool dry_run;
    bool is_deaf; // the node does not hear that others write to the store
    struct instant booted_at;
    const char *boot_id;
    uint64_t random;
};

void world_random(void *bytes, size_t size);
void world_init(struct world *world, const char *start); // RFC 3339
void world_release(struct world *world);
void world_script(struct world *world, const struct world_script *scripts, size_t count);
// A job with the contract's defaults; the pointer is valid until the next world_job.
struct job *world_job(struct world *world, const char *name, const char *schedule);
void world_start(struct world *world);
void world_begin_reload(struct world *world); // with the jobs as they are now
void world_reload(struct world *world);       // until they are in force
void world_crash(struct world *world);        // the node dies with all it ran; the store stays
void world_stop(struct world *world);         // drains and leaves
void world_advance(struct world *world, struct duration by);
void world_jump(struct world *world, struct duration by);   // somebody sets the clock
void world_freeze(struct world *world, struct duration by); // the node is stopped, time goes on
void world_fault(struct world *world, enum model_fault fault, int count); // of the store
void world_control(struct world *world, const char *job, enum store_control_kind kind, int value);
struct uuid world_intent(struct world *world, enum store_intent_kind kind, const char *job);
// With its JSON; its state and answer as they are now ("DONE {…}").
struct uuid world_wish(struct world *world, enum store_intent_kind kind, const char *job,
                       const char *params, bool dry_run);
const char *world_answer(struct world *world, struct uuid intent);
// Runs of a job that the world saw; NULL = all.
int world_count(const struct world *world, const char *job);
// Pairs of runs that were open at once though their job forbids it, as the world saw them.
int world_overlaps(const struct world *world);
// Slots of the jobs that this one comes after, of its day and due by then, that are no SUCCESS.
int world_not_done(struct world *world, const char *job, struct instant due_at);
// What `audit verify` finds of one kind; VERIFY_KIND_COUNT = of all kinds, printed.
int world_findings(struct world *world, enum verify_kind kind);
// Changes each operation on its way to the store: a bug, seeded to see that it is noticed.
void world_tamper(struct world *world, void (*tamper)(struct store_op *op));
// Fails the test when `audit verify` finds anything, or two runs of a job were open at once though
// forbidden.
void world_verify(struct world *world);
// The outcome of a slot, for messages "SKIPPED overlap"; "" when there is none.
const char *world_outcome(struct world *world, const char *job, const char *due);
