// SPDX-License-Identifier: MIT
// Random operations, and two stores on which they are carried out.
#pragma once

#include "../../contract/contract.h"

#include <stdio.h>

#define STEP_JOBS     5
#define RUNS_KNOWN    64
#define WAITING_KNOWN 8
#define BATCH         4

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
};

struct twin {
    struct contract_clock clock;
    void *context;           // of the first store
    struct store *stores[2]; // the one that is tested, the model
    uint64_t random;
    struct contract ids; // only for contract_id
    struct uuid nodes[3];
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
