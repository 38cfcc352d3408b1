// SPDX-License-Identifier: MIT
// Inside the model: plain arrays, written to be read. Guards come before the first write of an
// operation, so nothing is ever undone.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "store/model/model_store.h"
#include "store/operation.h"
#include "store/store.h"

struct model_chunk {
    int64_t offset;
    char *bytes;
    size_t length;
};

struct model_run {
    struct store_run_row row; // job: the model_job's name; error: owned
    struct model_job *job;
    int64_t node_no;
    char id_text[UUID_TEXT_SIZE]; // key of runs_by_id
    struct model_chunk *chunks;
    size_t chunk_count, chunk_capacity;
};

struct model_slot {
    struct instant due_at;
    enum slot_outcome outcome;
    enum slot_reason reason;
    struct model_run *run; // last attempt; NULL = none, or pruned
    int attempt;
    struct instant retry_at;
    int64_t node_no;
};

struct model_force {
    char *spec;
    struct instant from, to;
};

struct model_job {
    int64_t job_id;
    char *name;
    struct instant high_water, last_success;
    int throttle_count;
    const struct model_run *last_run; // that ended; NULL
    int started;                      // runs in state STARTED
    char *holder;                     // somebody else has its row in hand; NULL = nobody
    char *locker;                     // … has its session lock; NULL = nobody
    struct model_slot *slots;         // by due_at
    size_t slot_count, slot_capacity;
    struct model_force *forces;
    size_t force_count, force_capacity;
};

// A slot that waits for an attempt, the first or another one.
struct model_waiting {
    struct model_job *job;
    struct instant due_at;
};

struct model_lost {
    struct store_lost *lost;
    size_t count, capacity;
};

struct model_node {
    struct store_node_row row;
    struct duration lease, grace;
    bool full;
    int64_t left_to;        // who ends its sessions (STORE_FENCE); 0 = there are none any more
    struct model_lost lost; // of its join
    // Of its last fencing:
    struct uuid fencing_id;
    struct uuid *fenced;
    size_t fenced_count, fenced_capacity;
    struct model_lost fencing_lost;
};

// What all sessions share.
struct model_store {
    struct clock *clock;
    int sessions;
    struct instant up_since;
    struct instant now; // of the operation, whole milliseconds
    int64_t changes;

    struct model_job **jobs; // [job_id - 1]
    size_t job_count, job_capacity;
    struct map jobs_by_name;
    struct model_run **runs; // by fence
    size_t run_count, run_capacity;
    struct map runs_by_id;
    struct model_run **open; // in state STARTED, by fence
    size_t open_count, open_capacity;
    int64_t last_fence;
    struct model_waiting *waiting; // in no order
    size_t waiting_count, waiting_capacity;
    struct model_node *nodes; // [node_no - 1]
    size_t node_count, node_capacity;
    int64_t *live; // numbers of those that live, ascending
    size_t live_count, live_capacity;
    struct store_control_row *controls; // texts owned
    size_t control_count, control_capacity;
    struct store_intent *intents; // texts owned
    size_t intent_count, intent_capacity;
    struct store_audit_row *audit; // texts owned; seq is the row's place from its beginning on
    size_t audit_count, audit_capacity;
    size_t sealed; // rows of `audit` that have their hash
    struct store_anchor anchor;
    struct store_version *versions; // texts owned
    size_t version_count, version_capacity;
    int64_t active; // version; 0 = none
};

// One node's way to it, with a queue and faults of its own.
struct model_session {
    struct store store;
    struct model_store *model;
    struct operation_queue queue;
    enum model_fault fault;
    int fault_count;
};

static inline struct model_session *model_session_of(struct store *store)
{
    return CONTAINER_OF(store, struct model_session, store);
}

static inline struct model_store *model_of(struct store *store)
{
    return model_session_of(store)->model;
}

// model_store.c: finding rows; NULL = none.
struct model_job *model_job_at(struct model_store *store, int64_t job_id);
struct model_run *model_run_by_id(struct model_store *store, struct uuid run_id);
struct model_slot *model_slot_at(struct model_job *job, struct instant due_at);
struct model_slot *model_slot_add(struct model_job *job, struct instant due_at); // in its place
// Until when the slot waits; none = no more.
void model_slot_wait(struct model_store *store, struct model_job *job, struct model_slot *slot,
                     struct instant retry_at);
int64_t model_live_node(const struct model_store *store, struct uuid node); // its number, or 0
void model_audit_add(struct model_store *store, const char *event, const char *job,
                     struct uuid run_id, struct uuid node, const char *actor, const char *detail);
void model_run_free(struct model_run *run);
void model_audit_free(struct store_audit_row *row);     // its texts
void model_intent_free(struct store_intent *intent);    // its texts
void model_control_free(struct store_control_row *row); // its texts
// model_finish.c: the state, the slot, the job's facts; the caller adds the audit row.
void model_run_finish(struct model_store *store, struct model_run *run, enum run_state state,
                      struct instant ended_at, struct instant retry_at);

typedef enum store_result model_op_fn(struct model_store *store, struct store_op *op);
model_op_fn model_join, model_beat, model_leave; // model_node.c
model_op_fn model_report;
model_op_fn model_fence;                                                 // model_fence.c
model_op_fn model_load, model_publish, model_version, model_definitions; // model_publish.c
model_op_fn model_decide;                                                // model_decide.c
model_op_fn model_finish, model_output;                                  // model_finish.c
model_op_fn model_slots, model_marks;
model_op_fn model_control, model_intent_put, model_intent_take, model_intent_note, model_intent_own,
    model_intent_end;                                // model_control.c
model_op_fn model_audit, model_seal, model_identity; // model_audit.c
model_op_fn model_prune;                             // model_prune.c

// model_node.c
bool model_node_lives(const struct model_store *store, int64_t node_no);
void model_node_end(struct model_store *store, int64_t node_no, const char *state);
bool model_is_overdue(const struct model_store *store, const struct model_node *node);
enum store_result model_not_live(struct error *err);
// model_fence.c: each STARTED run of a node that does not live becomes LOST.
struct model_losing {
    struct uuid node;
    struct instant (*retry)(void *context, const struct store_lost *lost, struct instant now);
    void *context;
    struct model_lost *lost; // out
};
void model_lose_runs(struct model_store *store, const struct model_losing *losing);
struct store_lost *model_lost_copy(const struct model_lost *lost, struct arena *arena);
bool model_has_orphans(const struct model_store *store, int64_t node_no); // for this node
bool model_is_left(const struct model_store *store, const struct model_node *node);
struct uuid *model_left(const struct model_store *store, int64_t node_no, struct arena *arena,
                        size_t *count_out);
void model_take_over(struct model_store *store, int64_t node_no, const int64_t *except,
                     size_t except_count);

// model_publish.c: attempts and slots that wait, those of one node or (0) of all.
struct store_retry *model_retries(struct model_store *store, int64_t node_no, struct arena *arena,
                                  size_t *count_out);
// As the port gives it; texts are the job's.
struct store_job model_job_row(const struct model_job *job);

// model_read.c
bool model_read_runs(struct store *, const struct store_run_filter *, store_run_fn *, void *,
                     struct error *);
bool model_read_slots(struct store *, const struct store_slot_filter *, store_slot_fn *, void *,
                      struct error *);
bool model_read_audit(struct store *, const struct store_audit_filter *, store_audit_fn *, void *,
                      struct error *);
bool model_read_force(struct store *, const char *, store_force_fn *, void *, struct error *);
bool model_read_jobs(struct store *, const char *, store_job_fn *, void *, struct error *);
bool model_read_controls(struct store *, bool, store_control_fn *, void *, struct error *);
bool model_read_nodes(struct store *, store_node_fn *, void *, struct error *);
bool model_read_anchor(struct store *, struct store_anchor *, struct error *);
bool model_reading_begins(struct store *, struct error *);
void model_reading_ends(struct store *);
bool model_read_intent(struct store *, struct uuid, struct arena *, struct store_intent *,
                       struct error *);
bool model_read_output(struct store *, struct uuid, int64_t, char *, size_t, size_t *,
                       struct error *);
