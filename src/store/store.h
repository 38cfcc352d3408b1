// SPDX-License-Identifier: MIT
// The store port: everything that ironcron keeps. Asynchronous, batched, fenced. One conformance
// suite (tests/contract) runs against each implementation: store/model (memory), store/sqlite,
// store/postgres.
//
// Operations. The caller owns a `struct store_op_…` whose first member is `struct store_op op`,
// fills its inputs, sets op.kind and op.done, and calls store_submit. Later, from store_pump and
// never from store_submit, `done` is called exactly once; the outputs are then valid until
// store_op_release, which the caller calls when it has read them. Operations submitted together
// commit together where the store can (group commit), each all or nothing for itself. They are
// carried out in the order of submission.
//
// A commit has three outcomes: STORE_OK (done), STORE_UNAVAILABLE (certainly not done, try again
// later), STORE_UNKNOWN (nobody knows). Every write carries ids that the caller chose, and
// submitting the very same operation again settles an unknown one: the store recognises its own
// rows and answers as it did or would have done.
//
// Instants are stored in whole milliseconds. Texts are UTF-8 without control bytes but tab.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/uuid.h"
#include "job/run.h"
#include "store/rows.h"
#include "store/store_node.h"
#include "store/store_op.h"
#include "time/instant.h"

// ---- slots and runs -----------------------------------------------------------------------------

// What a node proposes for slots, up to STORE_BATCH_MAX in one operation, one commit. Items of one
// job must come in ascending due_at. For a scheduled or catch-up slot the guard is: due_at is above
// the job's high-water mark; then the slot row is written and the mark set to due_at.
enum store_decision {
    DECIDE_RUN,     // claim it: slot open, run STARTED, audit STARTED
    DECIDE_SKIP,    // slot SKIPPED with reason, audit SKIPPED
    DECIDE_MISS,    // slot MISSED with reason, audit MISSED
    DECIDE_DRY_RUN, // slot and run DRY_RUN at once, audit DRY_RUN
    // slot open with reason `after` and no run, until wait_until at most; no audit: nothing is
    // decided yet. The mark rises, so that later slots go their way
    DECIDE_WAIT,
};
enum store_verdict {
    VERDICT_NONE,
    VERDICT_CLAIMED, // RUN: ours to start, with this fence
    VERDICT_WRITTEN, // SKIP, MISS, DRY_RUN: written
    // already decided, by somebody else or before: nothing written. The fence is given when it was
    // by this very run id, and the run has ended since
    VERDICT_TAKEN,
    // RUN with forbid_overlap, and a run of the job is STARTED. With skip_on_overlap the slot is
    // now SKIPPED (overlap); without, nothing was written: the caller waits
    VERDICT_OVERLAP,
    // Somebody else's transaction has the job in hand: nothing was written by this operation, for
    // none of the job's slots. Proposed again a little later, it may be
    VERDICT_LOCKED,
};
struct store_slot {
    int64_t job_id;
    struct instant due_at; // MANUAL: when it was asked for; no slot row
    enum store_decision decision;
    // RETRY demands a slot that is open or LOST, with no STARTED run, and attempt = last + 1; with
    // SKIP or MISS it closes the slot. BACKFILL an existing or missing slot at or below the mark,
    // not open; with DRY_RUN an existing slot keeps its outcome. MANUAL, BACKFILL: only runs
    enum run_trigger trigger;
    int attempt;
    struct uuid run_id; // RUN and DRY_RUN: chosen by the caller
    enum slot_reason reason;
    struct instant wait_until; // WAIT
    // SKIP, MISS with SCHEDULE: the guard is besides that the job's schedule has been in force
    // since then, or longer; not given = no matter
    struct instant in_force_at;
    // SCHEDULE, CATCHUP: the guard is not the mark, but that the slot still waits as WAIT left it
    bool awaited;
    // RETRY: somebody wants it. The guard is a slot that ended FAILED, TIMED_OUT, LOST or
    // CANCELLED, and attempt = last + 1
    bool by_hand;
    bool forbid_overlap;
    bool skip_on_overlap;
    int throttle_count; // stored with the job
    const char *detail; // JSON for the audit row; NULL = the store writes {"attempt":1,"due_at":…,
        // "trigger":…}, or {"due_at":…,"reason":…,"trigger":…} where nothing runs.
        // A RUN that becomes SKIPPED (overlap) always gets the latter
    // out
    enum store_verdict verdict;
    int64_t fence;             // rises at each claim in the store
    struct instant started_at; // the store's clock at the claim
    // LOCKED, or OVERLAP though no run is known that would be the reason: the session of somebody
    // else, which has the job or its lock, and how it is ended (in op.arena); NULL = none is known
    const char *holder;
};
#define STORE_BATCH_MAX 1000
struct store_op_decide {
    struct store_op op;
    struct uuid node;
    const char *actor; // of a manual run; NULL = the scheduler
    // As in STORE_PUBLISH. Scheduled and catch-up slots of outdated definitions may be none of the
    // new ones: nothing is written, `outdated` is set, all verdicts are VERDICT_NONE. But a run
    // that this very operation wrote before (a repeat of an unknown commit) still gets its verdict.
    int64_t version;
    struct store_slot *slots;
    size_t slot_count;
    bool outdated; // out
};

// Reads slots of single jobs, oldest first: what became of them. Costs a step for each different
// due time in the span, of whatever job, and stops after a bounded number of them.
struct store_found_slot {
    struct instant due_at;
    enum slot_outcome outcome;
    enum slot_reason reason;
    int attempt;        // of its last run; without one it says nothing
    struct uuid run_id; // of its last run; nil = none, or pruned
};
struct store_slots_item {
    int64_t job_id;
    struct instant since, until; // both included
    bool unsuccessful;           // only those that are not SUCCESS
    size_t limit;                // at least 1
    // out
    struct store_found_slot *found;
    size_t found_count;
    struct instant seen;       // looked at up to here; go on after it until it is `until`
    struct instant high_water; // none = the store does not know the job
    struct instant force_from; // since when it has schedules in force; none = it never had one
};
struct store_op_slots {
    struct store_op op;
    struct store_slots_item *items;
    size_t item_count;
    struct instant slots_from; // out: slots before it may have been pruned; none = none were
};

// Ends runs. Guarded: run_id and fence match and the state is STARTED; otherwise nothing is changed
// but an audit row STALE, and the item is stale. An end already written by the same fence with the
// same state is answered as written (a repeat of an unknown commit). A fenced node may say so too:
// it is stale.
struct store_end {
    struct uuid run_id;
    int64_t fence;
    enum run_state state;
    enum run_failure failure;
    bool has_exit_code;
    int exit_code;
    const char *error; // NULL or at most 4 KB
    // By the node's boot clock. The run ended so long after it was claimed, however much later that
    // is recorded (store_ended_at); the audit row has the time of recording.
    struct duration duration;
    struct instant retry_at; // not none: the slot stays open and attempt + 1 is due then
    const char *detail;      // JSON for the audit row, or NULL
    // Its effect was on the store's own database, and its SUCCESS may have been committed with it
    // (ironcron.finish_own): then that end stands, and `succeeded` is set.
    bool settles;
    // out
    bool stale;
    bool succeeded;
    // Somebody else's transaction has it in hand: nothing is known of it, submit it again later.
    bool later;
    const char *holder; // whose that is, as in store_slot (in op.arena); NULL = none is known
};
struct store_op_finish {
    struct store_op op;
    struct uuid node;
    struct store_end *ends;
    size_t end_count;
    struct instant now; // out: the store's clock
};
// When a run ended, by the store's clock, of which its node knows how long it took: not before it
// began and not after `now`.
static inline struct instant store_ended_at(struct instant started_at, struct duration duration,
                                            struct instant now)
{
    int64_t ms = instant_ms(started_at) + duration_ms(duration);
    ms = ms < instant_ms(now) ? ms : instant_ms(now);
    return instant_from_ms(ms < instant_ms(started_at) ? instant_ms(started_at) : ms);
}

// Appends to a run's output. `offset` = bytes of this run's output before it (a repeat is
// recognised, what overlaps is cut). REFUSED when the run is unknown or bytes before `offset` are
// missing.
struct store_chunk {
    struct uuid run_id;
    int64_t offset;
    const char *bytes; // any bytes
    size_t length;     // 64 KB at most
};
struct store_op_output {
    struct store_op op;
    struct store_chunk *chunks;
    size_t chunk_count;
};

// What the store knows of single jobs now: so that a node learns of slots that others decided, and
// of those that nobody did. Writes nothing.
struct store_mark {
    int64_t job_id;
    // out
    struct instant high_water; // none = the store does not know the job
    struct instant last_success;
    int throttle_count;
    bool running; // a run of it is STARTED, on whatever node
    bool waiting; // another attempt (2, 3, …) at one of its slots is still to come
};
struct store_op_marks {
    struct store_op op;
    struct store_mark *marks;
    size_t mark_count;
};

// ---- controls and intents -----------------------------------------------------------------------

// Sets or lifts a runtime control. Kept with from and to, since the ledger is recomputed from it.
// The store does not ask whether the job exists.
// Audit: PAUSED/RESUMED, DRY_RUN_ON/DRY_RUN_OFF, THROTTLED/UNTHROTTLED; detail
// {"as":…,"factor":…,"reason":…} without the absent ones.
struct store_op_control {
    struct store_op op;
    const char *job; // NULL = all jobs
    enum store_control_kind kind;
    int value;          // 0 = lift; PAUSE, DRY_RUN: 1; THROTTLE: the factor N of xN, 2..1000
    const char *actor;  // user@host or token name
    const char *as;     // --as NAME or NULL
    const char *reason; // NULL
    bool changed;       // out: false = it already was so, nothing written
};

// An operator's wish that a live node carries out.
enum store_intent_kind {
    INTENT_RUN,
    INTENT_CANCEL,
    INTENT_RELOAD,
    INTENT_BACKFILL,
    INTENT_RETRY,
    INTENT_DRAIN,  // a node begins nothing new any more …
    INTENT_RESUME, // … or does again
    INTENT_KIND_COUNT
};
const char *store_intent_name(enum store_intent_kind kind); // "run", "cancel", "reload" …
// The params of an intent that names one node, by its id.
#define STORE_INTENT_NODE_SIZE (UUID_TEXT_SIZE + 16)
void store_intent_for_node(const char *node, char params_out[STORE_INTENT_NODE_SIZE]);
enum store_intent_state { INTENT_PENDING, INTENT_DONE, INTENT_REFUSED };
struct store_intent {
    struct uuid intent_id;
    enum store_intent_kind kind;
    const char *job;    // RUN, BACKFILL, RETRY; CANCEL by job; else NULL
    struct uuid run_id; // CANCEL by run; answer of RUN and RETRY
    // JSON object of strings or NULL. May hold secrets: forgotten when the intent has ended.
    // RUN: the params given. BACKFILL: "from", "to", "max_parallel", "force". RETRY: "due_at",
    // "attempt" (the one to come). RELOAD: "node", whose files are meant. DRAIN, RESUME: "node", by
    // id
    const char *params;
    bool dry_run;
    const char *actor;
    const char *as;
    const char *reason;
    struct instant created_at; // set by the store
    enum store_intent_state state;
    const char *answer; // why it was refused, what was done, or how far it is
    struct uuid node;   // whose it is to carry out, as long as that node lives; nil = nobody's
};
struct store_op_intent_put { // by the one who wishes; intent_id chosen by it
    struct store_op op;
    struct store_intent intent;
};
struct store_op_intent_take { // reads the pending ones, oldest first, and the controls, in one go
    struct store_op op;
    struct instant ended_since; // not given: only controls in force
    // out
    struct store_intent *intents;
    size_t intent_count;
    struct store_control_row *controls; // in force now, or ended since then; by their beginning
    size_t control_count;
};
struct store_op_intent_end {
    struct store_op op;
    struct uuid intent_id;
    enum store_intent_state state;
    struct uuid run_id;
    const char *answer;
};

// Takes a pending intent for this node to carry out. Not own: it has ended, another node that lives
// has it, or it is a BACKFILL that nobody has yet and `behind` is another one of its job that is
// pending and older or has been taken: one at a time. REFUSED: this node is not live.
struct store_op_intent_own {
    struct store_op op;
    struct uuid node;
    struct uuid intent_id;
    // out
    bool own;
    struct uuid behind; // nil = none
};

struct store_op_intent_note { // how far a pending one is; nothing when it has ended
    struct store_op op;
    struct uuid intent_id;
    const char *answer;
};

// ---- audit, pruning ----------------------------------------------------------------------------

// Free-standing events of operators and guards.
struct store_op_audit {
    struct store_op op;
    struct uuid node; // nil = none
    const char *event;
    const char *job;    // NULL
    struct uuid run_id; // nil = none
    const char *actor;  // NULL
    const char *detail; // JSON or NULL
};

// Gives sequence and hash to audit rows that have none yet, oldest first, at most `limit`: a store
// may keep together what was written together, and then it is the first such piece in any case.
struct store_op_seal {
    struct store_op op;
    size_t limit;
    // out
    size_t sealed;
    bool more;
};

// A control takes effect a moment after it was written: near its end it may still have been obeyed.
#define STORE_CONTROL_MARGIN DURATION_S(60)

// Deletes history older than the given instants, a bounded piece a call: never an open run, never
// an open slot or its run, never unsealed audit rows. Pruned audit rows leave the anchor (last
// pruned seq and hash). Runs are looked at in the order of their claims, up to the first claimed
// after the instant.
struct store_op_prune {
    struct store_op op;
    // by ended_at; slots by due_at, never above the high-water mark; with the runs their output;
    // ended intents by created_at; controls that ended more than STORE_CONTROL_MARGIN before it, so
    // that all slots that are kept can still be recomputed. Not given = kept
    struct instant runs_before;
    struct instant output_before;
    struct instant audit_before;
    size_t limit; // rows a table; of the audit see STORE_SEAL
    // out
    size_t deleted;
    bool more;
};

// ---- the port -----------------------------------------------------------------------------------

struct store {
    const struct store_ops *ops;
};

struct store_wants { // what pump waits for
    int fd;
    bool writable; // besides readable
};
#define STORE_WANTS_MAX 2

struct store_ops {
    const char *name; // "sqlite", "model"
    void (*submit)(struct store *store, struct store_op *op);
    // Carries out what is queued and calls `done` for what ended. Returns true when work is left.
    bool (*pump)(struct store *store);
    // While something is on its way: the descriptors for which to call pump again, since pump
    // itself never waits. Answers their number, at most STORE_WANTS_MAX. NULL: pump carries
    // everything out.
    size_t (*wants)(struct store *store, struct store_wants wants_out[]);
    void (*close)(struct store *store); // queued operations must have ended
    // Somebody else changed the store since the last call of this. Cheap.
    bool (*changed)(struct store *store);
    // A file whose modification hints that somebody wrote; NULL = none.
    const char *(*watch_path)(struct store *store);

    bool (*read_runs)(struct store *, const struct store_run_filter *, store_run_fn *, void *,
                      struct error *);
    bool (*read_slots)(struct store *, const struct store_slot_filter *, store_slot_fn *, void *,
                       struct error *);
    bool (*read_audit)(struct store *, const struct store_audit_filter *, store_audit_fn *, void *,
                       struct error *);
    bool (*read_force)(struct store *, const char *job, store_force_fn *, void *, struct error *);
    // By name; all, or only the one of this name.
    bool (*read_jobs)(struct store *, const char *only, store_job_fn *, void *, struct error *);
    bool (*read_controls)(struct store *, bool history, store_control_fn *, void *, struct error *);
    bool (*read_nodes)(struct store *, store_node_fn *, void *, struct error *);
    bool (*read_anchor)(struct store *, struct store_anchor *anchor_out, struct error *);
    bool (*read_faults)(struct store *, store_fault_fn *, void *, struct error *); // NULL: none
    // What is read from here on is of one moment, until reading_ends or something fails. Nothing is
    // submitted meanwhile. The store keeps for it what others replace: for a check, not for long.
    bool (*reading_begins)(struct store *, struct error *);
    void (*reading_ends)(struct store *); // also where none has begun
    // One intent by id; strings live in `arena`.
    bool (*read_intent)(struct store *, struct uuid intent_id, struct arena *arena,
                        struct store_intent *intent_out, struct error *);
    // At most `size` bytes of a run's output from `offset`; *length_out 0 = no more for now.
    bool (*read_output)(struct store *, struct uuid run_id, int64_t offset, char *bytes,
                        size_t size, size_t *length_out, struct error *);
};

static inline void store_submit(struct store *store, struct store_op *op)
{
    store->ops->submit(store, op);
}
static inline bool store_pump(struct store *store)
{
    return store->ops->pump(store);
}
static inline void store_close(struct store *store)
{
    if (store != NULL) {
        store->ops->close(store);
    }
}

void store_op_release(struct store_op *op); // frees the outputs
// Waits until something comes, `most_ms` at most. False: nothing is on its way.
bool store_wait(struct store *store, int most_ms);
// Pumps until nothing is left: for start-up, the command line and tests, never on the loop.
void store_settle(struct store *store);
// Submits and pumps until it has ended: for start-up and the command line, never on the loop.
// False with err unless STORE_OK. Sets op->done itself.
bool store_call(struct store *store, struct store_op *op, struct error *err) MUST_USE;
