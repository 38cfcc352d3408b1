// SPDX-License-Identifier: MIT
// Random operations, and two stores on which they are carried out.
#pragma once

#include "../../contract/contract.h"

#include <stdio.h>

#define STEP_JOBS     5
#define RUNS_KNOWN    64
#define WAITING_KNOWN 8
#define BATCH         4
#define NODES_KNOWN   3

// One operation with its arrays, so that it can be carried out on both stores from the same bytes.
struct step {
    struct uuid node;
    enum store_op_kind kind;
    struct store_slot slots[BATCH];
    struct store_end ends[BATCH];
    struct store_chunk chunks[BATCH];
    struct store_publish_item items[BATCH];
    size_t count;
    struct store_op_control control;
    struct store_intent intent;
    struct store_op_intent_end intent_end;
    struct store_op_intent_note intent_note;
    struct store_slots_item looks[BATCH];
    struct store_op_prune prune;
    struct instant at;
    int64_t number;
    bool wants_retry;
    // of a fleet (random_fleet.c)
    struct store_op_join join;
    bool look, full, draining;
    int64_t except[BATCH]; // job ids; of MARKS those that are asked for
    struct uuid intent_id;
    struct uuid fencing_id;
    const char *hash;
    bool always;
    int64_t version; // of the definitions that the node goes by; of VERSION the answer
    // out: what it reached
    int fenced, lost, taken_over, overdue, owned, outdated;
};

struct twin {
    struct contract_clock clock;
    void *context;           // of the first store
    struct store *stores[2]; // the one that is tested, the model
    uint64_t random;
    bool fleet;          // several nodes live at once
    int64_t version;     // active; 0 = none
    struct contract ids; // only for contract_id
    struct uuid nodes[NODES_KNOWN];
    size_t node_count;
    struct store_slot runs[RUNS_KNOWN]; // claimed not long ago
    size_t run_count;
    struct store_slot waiting[WAITING_KNOWN]; // were to wait
    size_t waiting_count;
    struct uuid intents[8];
    size_t intent_count;
};

uint64_t twin_draw(struct twin *twin, uint64_t below);
extern const char *const step_jobs[STEP_JOBS]; // names
struct step step_make(struct twin *twin);
// Its answers as text; the caller frees it.
char *step_carry_out(struct store *store, struct step *step);
enum store_result step_call(struct store *store, struct store_op *op, enum store_op_kind kind);
struct instant step_lost_retry(void *context, const struct store_lost *lost, struct instant now);

// random_fleet.c: who is there, what the dead leave, whose an intent is, which definitions.
void fleet_step_node(struct twin *twin, struct step *step); // who carries it out
void fleet_step_make(struct twin *twin, struct step *step);
bool fleet_step_carry_out(struct store *store, struct step *step, FILE *out); // false: not of those
