// SPDX-License-Identifier: MIT
// A few nodes on one store in virtual time: each with an engine, a session of its own on the model,
// a runner that obeys its trust deadline, and faults that can be had by a word: hung, cut off,
// gone.
#pragma once

#include "engine/engine.h"
#include "ground.h"
#include "store/model/model_store.h"

#define FLEET_NODES 4
#define FLEET_RUNS  4000

struct fleet_run { // one execution, as the world saw it
    char job[64];
    int node;
    struct instant due_at;
    int attempt;
    struct instant began;
    struct instant ended; // none while it runs
    uint64_t handle;
    bool cancelled;
};

struct fleet_node {
    struct fleet *fleet;
    struct clock clock;
    struct store *store;
    const struct store_ops *true_ops;
    struct store_ops counting_ops;
    struct engine *engine; // NULL = gone
    struct runner runner;
    struct mono deadline; // of its runner
    struct uuid id;
    const char *labels;
    bool hung;     // its loop does not turn; its runner lives until the deadline
    bool cut;      // its store does not answer
    bool slow;     // its store answers when it no longer is
    bool doubtful; // what it submits is done, and the answers are lost
    enum store_op_kind
        doubtful_from;    // it becomes so with the first of these; STORE_OP_COUNT = never
    struct duration skew; // of its clock
    int max_running;
    bool dry_run;
    struct instant booted_at;
    const char *boot_id;
    int operations[STORE_OP_COUNT];
    enum store_op_kind failing; // these fail, and what is sent with them; STORE_OP_COUNT = none
    bool fails;                 // what is under way
};

struct fleet {
    struct instant now;
    struct mono mono;
    struct clock clock;  // the store's
    struct store *store; // the operator's session
    struct fleet_node nodes[FLEET_NODES];
    struct engine_events events;
    struct job *jobs;
    size_t job_count;
    struct zone_cache *zones;
    struct fleet_run runs[FLEET_RUNS];
    size_t run_count;
    struct duration takes; // each run
    int exit_code;
    int ended[RUN_STATE_COUNT];
    int passed_over[SLOT_REASON_COUNT];
    int fenced;
    int kept_back, let_go;      // that were told
    int store_downs, store_ups; // likewise
    int64_t version;            // active, as an operator publishes them; 0 = none
    int published;
    int stale;
    bool stays_behind; // nobody loads definitions that the engines want
    uint64_t random;
};

struct fleet *fleet_new(const char *start);
void fleet_free(struct fleet *fleet);
struct job *fleet_job(struct fleet *fleet, const char *name, const char *schedule);
void fleet_start(struct fleet *fleet, int node);
void fleet_start_all(struct fleet *fleet, int count); // the first so many
void fleet_start_after(struct fleet *fleet, int node, struct uuid predecessor);
void fleet_kill(struct fleet *fleet, int node); // with all it runs; nobody is told
void fleet_drain(struct fleet *fleet, int node);
void fleet_leave(struct fleet *fleet, int node);
void fleet_advance(struct fleet *fleet, struct duration by);
void fleet_publish(struct fleet *fleet); // the definitions as they are now become the active ones
void fleet_control(struct fleet *fleet, const char *job, enum store_control_kind kind, int value);
struct uuid fleet_wish(struct fleet *fleet, const struct store_intent *wish);
struct uuid fleet_wish_run(struct fleet *fleet, const char *job);
struct uuid fleet_wish_of_node(struct fleet *fleet, enum store_intent_kind kind, struct uuid node);
const char *fleet_answer(struct fleet *fleet, struct uuid intent);
const char *fleet_outcome(struct fleet *fleet, const char *job, const char *due);
// The node that ran a job last; -1 = none has. How often it was run, by that node; -1 = by any.
int fleet_runner(const struct fleet *fleet, const char *job);
int fleet_count(const struct fleet *fleet, const char *job, int node);
int fleet_overlaps(const struct fleet *fleet, const char *job); // pairs of runs at once
// How many operations of a kind a node has sent since the last call.
int fleet_operations(struct fleet *fleet, int node, enum store_op_kind kind);
void fleet_random(void *bytes, size_t size);
