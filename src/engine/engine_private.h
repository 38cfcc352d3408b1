// SPDX-License-Identifier: MIT
// What the files of this room share. Nobody else includes it.
//
// Who changes what: planner.c the heap of due times; catchup.c what was missed; decide.c proposals;
// verdict.c what the store said to them; run.c runs from claim to end, end_text.c their last words;
// retry.c waiting attempts; after.c slots that wait for other jobs;
// control.c controls and intents; drain.c what this node says of itself, and that it is to begin
// nothing; pauses.c when what was paused; start.c, publish.c, publication.c, closing.c and adopt.c
// definitions; housekeeping.c sealing, pruning, the runner's deadline; link.c whether the store
// answers. Where a node is not alone: fleet.c the other nodes and the right to act, marks.c looks
// at slots that others decide, intents.c whose an intent is, fence.c what dead nodes left.
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/heap.h"
#include "base/map.h"
#include "engine/closing.h"
#include "engine/drain.h"
#include "engine/engine.h"
#include "engine/pauses.h"
#include "engine/publish.h"

// A slot up to this late is simply started; later ones fall under the job's `missed` policy.
#define LATE_LIMIT DURATION_S(60)
// At most so many slots are made up with missed: all (contract).
#define CATCHUP_MAX 1000
// The owner turns the engine about each second and a half, also when nothing happens.
#define GAP DURATION_S(2)
// Due slots, and due attempts, that are looked at in one turn.
#define TURN_MAX 1000
// Attempts at one slot (contract: retries 100).
#define ATTEMPTS_MAX 100
// Slots of one backfill (contract).
#define BACKFILL_MAX 10000
// Output that waits for a store that does not take it; more is dropped and counted.
#define OUTPUT_WAITING_MAX ((size_t)64 * 1024 * 1024)

// One loaded set of definitions, shared by the engine and the runs that were started under it.
struct engine_set {
    struct job_set set;
    int references;
};

enum engine_wait {
    WAIT_NONE,
    WAIT_OVERLAP,  // for the running run to end (overlap: queue, replace; a catch-up that must not
                   // overlap)
    WAIT_CAPACITY, // for one of max_running places
};

// One job as the engine knows it; lives from its first definition to its removal.
struct engine_job {
    struct heap_node planned; // by wake, while the next slot is only waited for
    const struct job *job;    // the definition in force
    int64_t job_id;
    uint64_t serial;              // breaks ties in the order of definition
    struct instant cursor;        // the last slot that was decided or proposed
    struct instant next_due;      // the slot after it; none
    struct instant wake;          // next_due + jitter
    struct instant miss_until;    // slots up to here are MISSED …
    struct instant catchup_until; // … and from there up to here are made up
    enum slot_reason miss_reason;
    struct instant too_old_before; // those are MISSED for their age
    struct instant not_before;     // not proposed until then: a stranger has it in hand
    struct instant open_due;       // nobody had decided this slot when the store was asked
    uint64_t known;                // the fleet's epoch when the store was asked what others do
    bool runs_elsewhere;           // then a run went on, or an attempt waited, on another node
    bool waits_elsewhere;
    bool watched;               // among those that are asked for with each pulse
    bool booted;                // @reboot: there is no slot of this boot to come
    struct instant waiting_due; // the slot that waits, when wait is not WAIT_NONE
    enum run_trigger waiting_trigger;
    enum engine_wait wait;
    struct instant replace_again;  // another node is asked once more to end what runs there
    struct engine_job *next_ready; // in the queue for capacity
    struct instant last_success;
    struct engine_run_live *runs; // STARTED here, newest first
    int running;
    int retries;      // attempts that wait
    int afters;       // slots that wait for other jobs
    int backfills;    // 1 while one goes on
    uint64_t changes; // counts what may have changed the outcome of a slot
    int in_flight;    // proposals in the store; one operation at a time keeps slots in order
    int throttle;     // factor; 0 = none
    int throttle_count;
    bool kept_back; // by a session that is no node's, and has its lock
    bool paused;
    bool dry_run;
    bool removed;            // no definition any more; goes when its last run has ended
    struct engine_set *kept; // holds `job` of a removed one
};

// A run that was claimed by this node and whose end is not in the store yet.
struct engine_run_live {
    struct engine_run facts;
    struct engine *engine;
    struct engine_job *job;
    struct engine_set *set;             // holds facts.job
    struct engine_run_live *next;       // of the job
    struct engine_run_live *next_ended; // in the queue of ends
    struct mono claimed;
    int64_t output_bytes;
    // What its end will be, once known.
    enum run_state state;
    enum run_failure failure;
    bool has_exit_code;
    int exit_code;
    struct duration duration;
    struct instant retry_at;
    char *error;
    char *detail;
    bool ended;
    bool settles; // its SUCCESS may be in the store already
    bool cancelled;
    char *cancelled_by;
};

struct engine_retry { // an attempt that waits for its time
    struct heap_node planned;
    struct engine_job *job;
    struct instant due_at;
    struct instant retry_at;
    int attempt;
    uint64_t serial;
    bool abandoned; // to be given up
};

struct engine_after { // a slot that waits for other jobs
    struct engine_after *next;
    struct engine_job *job;
    struct instant due_at;
    struct instant until;    // at most
    struct instant check_at; // it is looked at then, whatever happens
    enum run_trigger trigger;
    size_t index;         // of the job that it waits for now, among `after`
    struct instant since; // that job's slots before it are good; none = not asked yet
    uint64_t seen;        // that job's changes when it was asked for
    char *detail;         // for the audit: what stood in the way last
    bool dry;             // asked for while in dry-run: rehearsals were good enough
    bool answered;        // asked for at least once
    bool more;            // there is more to ask at once
    bool asking;          // in the store
    bool cleared;         // nothing to wait for any more but its place
    bool proposed;        // in the store
};

struct engine_backfill_run { // a slot of a backfill that is to be claimed; borrowed for the call
    struct engine_backfill *backfill;
    const char *actor;
    struct instant due_at;
    int attempt;
    struct uuid run_id;
    bool dry_run;
};

struct engine_manual {     // an intent to run a job, or to try a slot again, that is being claimed
    struct instant due_at; // of the slot to be tried again …
    int attempt;           // … for this time; 0 = a run without a slot
    struct uuid intent_id;
    char *actor;
    char *params; // JSON or NULL
    char *detail; // for the audit
};

struct proposal { // what one item of a decide operation is about
    struct engine_job *job;
    struct engine_retry *retry;       // or NULL
    struct engine_after *after;       // or NULL
    struct engine_manual *manual;     // or NULL
    struct engine_backfill *backfill; // or NULL
    bool for_claim;                   // counts against capacity
};

struct decide_batch {
    struct store_op_decide decide; // first: the store's callback gets &decide.op
    struct engine *engine;
    struct proposal *proposals;
    size_t capacity;
    bool doubtful; // an answer of it was lost
};

struct fleet_member { // a live node, as the store last told
    struct uuid node;
    uint64_t hash;
    json_t *labels; // object or NULL
    bool draining, full, is_overdue;
};

struct fleet { // of a node that is not alone
    struct fleet_member *members;
    size_t count;
    uint64_t digest;          // of what the preference depends on …
    uint64_t epoch;           // … rises when that changes
    struct instant store_now; // the store's clock …
    struct mono store_now_at; // … then, by ours
    struct duration store_now_error;
    bool pulsing;     // a beat or a look is under way
    bool beat_wanted; // something is to be told at once
    struct mono pulsed_at;
    struct mono trusted_from; // when the last beat was sent that was acknowledged
    struct mono heard_from;   // … or the last look
    struct mono silent_until; // this node heard nothing before then, and who is there may be news
    int64_t changes;
    int64_t version; // of the active definitions
    bool outdated;   // ours are not the active ones, the store says
    bool dry_run;    // a member is in dry-run
    bool told_full;  // in the last beat
    bool fenced;
    bool fence_due;       // a member is overdue, or dead ones left something …
    struct mono fence_at; // … and this is when it is our turn
    bool fence_wanted;    // something that waits here is not known yet
    bool fencing;
    struct uuid fencing_id;    // of a fencing of which nobody knows yet whether it was done; or nil
    struct marks_batch *marks; // being filled in this turn
    struct engine_job **watched;
    size_t watched_count, watched_capacity;
    struct mono watched_at;
    bool intents_pending; // some are nobody's yet
    struct intent_seen *seen;
    size_t seen_count, seen_capacity;
};

struct engine {
    struct engine_options options;
    struct map jobs; // name → engine_job
    struct engine_set *set;
    uint64_t serial;
    struct heap planner;
    struct heap retries;
    struct engine_backfill *backfills;
    struct engine_after *afters;
    struct instant after_at;        // when one of them is to be looked at
    bool after_dirty;               // or at once
    bool after_asking;              // the store is being asked for some
    struct engine_job *ready_first; // FIFO of jobs that wait for capacity
    struct engine_job *ready_last;
    struct decide_batch *batch; // being filled in this turn
    int claims;                 // runs STARTED here, and proposals that may become one
    int running;
    size_t operations;      // in the store, or held
    struct store_op **held; // to be submitted again, unchanged, once the store is asked again
    size_t held_count, held_capacity;
    struct mono held_until;              // somebody else's transaction is waited for
    struct engine_run_live *ended_later; // likewise, by these ends
    struct engine_run_live *ended_first; // ends to be written
    struct engine_run_live *ended_last;
    bool finishing;             // a finish operation is under way
    struct buf output;          // bytes that wait to be stored …
    struct store_chunk *chunks; // … and which run each piece is of
    size_t chunk_count, chunk_capacity;
    bool storing_output;
    struct pauses pauses;
    struct fleet fleet;
    struct drain drain;
    json_t *labels; // this node's; NULL = none
    struct instant joined_at;
    bool boot_known;      // @reboot: nothing is due of this boot …
    struct map boot_left; // … but, while a node starts, of these jobs
    char **controlled;    // jobs that a control in force names
    size_t controlled_count, controlled_capacity;
    bool all_paused;
    bool all_dry_run;
    int all_throttle;
    bool store_changed; // read controls and intents
    bool reading_intents;
    struct uuid *handling; // intents that were taken and are not answered yet
    size_t handling_count, handling_capacity;
    struct uuid *reload_intents; // the first of them are of the reload that goes on
    size_t reload_count, reload_capacity, reload_begun;
    struct publication *publication;  // of definitions that come into force
    size_t in_flight;                 // of all jobs: proposals, and looks, in the store
    bool store_down, store_told_down; // told: the watchers know of it …
    struct instant told_down_at;      // … since then
    struct mono told_down_mono;
    uint64_t failing; // kinds of operations that have not been done since they failed
    struct mono failed_at;
    struct mono store_retry_at;
    struct duration store_backoff;
    bool unsealed;
    bool sealing;
    struct mono sealed_at;
    struct mono prune_at;
    bool pruning;
    struct mono turned_at;
    struct mono fed_at;
    struct mono beaten_at;
    bool worked;                 // runs began or ended since the last beat
    struct engine_job **removed; // wait for publish_sweep
    size_t removed_count, removed_capacity;
    bool draining; // before its end
    bool live;
    bool busy; // something changed: another turn is worth its while
};

// Nothing new: it is about to end, or an operator wants that.
static inline bool engine_rests(const struct engine *engine)
{
    return engine->draining || engine->drain.on;
}

// planner.c
void planner_init(struct engine *engine);
void planner_plan(struct engine *engine, struct engine_job *job); // next slot after job->cursor
void planner_unplan(struct engine *engine, struct engine_job *job);
void planner_postpone(struct engine *engine, struct engine_job *job, struct instant wake);
void planner_look_again(struct engine *engine, struct instant now); // the members have changed
struct instant planner_due(const struct engine_job *job); // when its next slot is to start
void planner_turn(struct engine *engine, struct instant now);
struct instant planner_wake(const struct engine *engine);

// catchup.c
void catchup_plan(struct engine *engine, struct engine_job *job, struct instant now);
enum slot_reason catchup_miss_reason(const struct engine_job *job, struct instant due);
// The last slot after `after` and not after `until`; false when there is none.
bool catchup_last(const struct schedule *schedule, struct instant after, struct instant until,
                  struct instant *last_out);

// decide.c
void decide_due(struct engine *engine, struct engine_job *job, struct instant now);
void decide_waiting(struct engine *engine, struct engine_job *job); // its turn may have come
void decide_ready(struct engine *engine);                           // capacity may have become free
void decide_retry(struct engine *engine, struct engine_retry *retry, struct instant now);
void decide_manual(struct engine *engine, struct engine_job *job, struct engine_manual *manual,
                   bool dry_run);
void decide_backfill(struct engine *engine, struct engine_job *job,
                     const struct engine_backfill_run *run);
void decide_flush(struct engine *engine);
struct decide_batch *decide_batch_new(struct engine *engine);
void decide_wait(struct engine *engine, struct engine_job *job, struct instant due,
                 enum run_trigger trigger, enum engine_wait wait);
bool decide_has_capacity(const struct engine *engine);
bool decide_is_dry(const struct engine *engine, const struct engine_job *job);

// What is not decided by the mark any more but by the waiting slot itself.
void decide_awaited(struct engine *engine, struct engine_after *after, enum store_decision decision,
                    enum slot_reason reason);
bool decide_overlaps(const struct engine_job *job);
bool decide_is_ending(const struct engine_job *job); // only ends are still to be written
bool decide_is_paused(const struct engine *engine, const struct engine_job *job);
bool decide_is_backfilling(const struct engine_job *job);
void decide_replace(struct engine *engine, struct engine_job *job); // overlap: replace

// after.c
void after_add(struct engine *engine, struct engine_job *job, struct instant due_at,
               struct instant until, enum run_trigger trigger);
void after_free(struct engine *engine, struct engine_after *after);
void after_keep(struct engine *engine, struct engine_after *after); // was proposed in vain
void after_changed(struct engine *engine, struct engine_job *job);
void after_forget(struct engine *engine);
void after_turn(struct engine *engine, struct instant now);
struct instant after_wake(const struct engine *engine);

// backfill.c
// NULL, or why it is not begun. The intent is answered when the backfill ends.
const char *backfill_begin(struct engine *engine, struct engine_job *job,
                           const struct store_intent *intent);
#define BACKFILL_BEHIND_SIZE 200
// Why there is no other one while this one goes on.
void backfill_behind(struct uuid intent_id, char out[BACKFILL_BEHIND_SIZE]);
// Begins no more slots; of all jobs when `job` is NULL. How many backfills that were.
int backfill_stop(struct engine *engine, const struct engine_job *job, const char *why);
void backfill_verdict(struct engine_backfill *backfill, const struct store_slot *decided);
void backfill_run_ended(struct engine *engine, const struct engine_run *run, enum run_state state);
void backfill_turn(struct engine *engine);
void backfill_release(struct engine *engine);

// verdict.c
void verdict_on_done(struct store_op *op);                         // of a decide_batch
void verdict_go_on(struct engine *engine, struct engine_job *job); // its next slot, or the waiting

// run.c
struct engine_run_live *run_claimed(struct engine *engine, struct engine_job *job,
                                    const struct store_slot *slot);
void run_start(struct engine_run_live *run, const char *params); // JSON object given, or NULL
// How a run ended, in a sentence (end_text.c). `has_process`: what ran was a process of the job's
// own.
void end_text(const struct job *job, const char *cancelled_by, bool has_process,
              const struct runner_end *end, char *out, size_t size);
void run_cancel(struct engine_run_live *run, const char *by, bool at_once);
void run_free(struct engine_run_live *run);
void run_flush(struct engine *engine); // outputs and ends into the store
void run_connect(struct engine *engine);

// retry.c
void retry_init(struct engine *engine);
void retry_add(struct engine *engine, struct engine_job *job, struct instant due_at, int attempt,
               struct instant retry_at);
void retry_free(struct engine *engine, struct engine_retry *retry);
void retry_abandon(struct engine *engine, struct engine_job *job);
void retry_turn(struct engine *engine, struct instant now);
struct instant retry_when(const struct engine *engine, const struct engine_run_live *run);

// control.c
void control_turn(struct engine *engine);
void control_answer(struct engine *engine, struct uuid intent_id, enum store_intent_state state,
                    struct uuid run_id, const char *answer);
void control_release(struct engine *engine);
bool control_load(struct engine *engine, struct error *err); // what is in force
// Ends what runs here and is meant, and says so.
void control_cancel(struct engine *engine, const struct store_intent *intent, int *runs_out,
                    int *backfills_out);
void control_cancelled(struct engine *engine, const struct store_intent *intent, int runs,
                       int backfills);
void control_forget(struct engine *engine, struct uuid intent_id); // it is another node's now
void engine_manual_free(struct engine_manual *manual);

// engine.c
// It drains, and nothing is left but what is on its way: what is only asked now and then is not any
// more, or, where an answer takes as long as the time between two questions, there is no end.
bool engine_is_quiet(const struct engine *engine);

// fleet.c
struct instant engine_now(const struct engine *engine);                    // by the store's clock
struct instant engine_wall(const struct engine *engine, struct instant t); // by this host's
void fleet_joined(struct engine *engine, struct mono sent, struct instant store_now);
bool fleet_meet(struct engine *engine, struct error *err); // learns who is there; blocks
void fleet_beat(struct engine *engine);                    // if one is due; blocks
void fleet_release(struct fleet *fleet);
void fleet_turn(struct engine *engine, struct mono now);
struct instant fleet_wake(const struct engine *engine);
void fleet_tell(struct engine *engine); // beats at once: there is something to tell, or to learn
struct mono fleet_deadline(const struct engine *engine); // up to then this node trusts itself
bool fleet_is_trusted(const struct engine *engine);
bool fleet_is_outdated(const struct engine *engine);
bool fleet_may_act(const struct engine *engine);   // begin something new
void fleet_was_silent(struct engine *engine);      // or heard nothing
bool fleet_is_keeper(const struct engine *engine); // it keeps house for all
// How many live nodes go before this one; -1: it does not come into question.
int fleet_rank(const struct engine *engine, const struct job *job);
int fleet_rank_of(const struct engine *engine, const void *key, size_t size);
struct duration fleet_delay(int rank);
bool fleet_may_run(const struct engine *engine, const struct job *job); // by this node's labels
bool fleet_has_node(const struct engine *engine, const struct job *job);
bool fleet_has_other(const struct engine *engine); // that takes jobs
// All live nodes that could run it drain.
bool fleet_all_drain(const struct engine *engine, const struct job *job);
bool fleet_is_member(const struct engine *engine, struct uuid node);

// marks.c
// The job's wake has come: may its slot be decided now? If not, it comes again when it may.
bool marks_may_decide(struct engine *engine, struct engine_job *job, struct instant now);
void marks_watch(struct engine *engine, struct engine_job *job); // waits for another node's run
void marks_turn(struct engine *engine);

// intents.c
// Is a pending intent this node's to carry out now? If not now, it is looked at again.
bool intents_is_ours(struct engine *engine, const struct store_intent *intent);
// The node that a wish is directed to; nil = any.
struct uuid intents_named(const struct store_intent *intent);
void intents_begin(struct engine *engine); // of a reading of all that are pending
void intents_replace(struct engine *engine, struct engine_job *job);       // runs of other nodes
void intents_replace_again(struct engine *engine, struct engine_job *job); // until they have ended

// fence.c
void fence_consider(struct engine *engine, bool orphans); // after each answer
void fence_turn(struct engine *engine, struct mono now);
void fence_lost(struct engine *engine, const struct store_lost *lost, size_t count);
// What waits on this node, by the store; what is known already is passed over.
void fence_adopt(struct engine *engine, const struct store_retry *waiting, size_t waiting_count);
// When a LOST run is tried again; none = never. `job` NULL = it is not defined any more.
struct instant fence_lost_retry(const struct job *job, const struct store_lost *lost,
                                struct instant now);

// engine.c
bool engine_may_decide(const struct engine *engine); // what is due, by what operators want
void stop_runs(struct engine *engine, const char *why, bool at_once);

// start.c
bool start_node(struct engine *engine, struct job_set *set, struct error *err);

// boots.c
// Once joined: no earlier node of this boot is at work.
bool boots_look(struct engine *engine, struct error *err);
bool boots_is_over(const struct engine *engine, const char *job);

// publication.c
struct engine_set *engine_set_new(const struct job_set *set);
void engine_set_release(struct engine_set *set);
struct map job_set_by_name(const struct job_set *set); // name → struct job

// adopt.c
struct engine_job *engine_job_put(struct engine *engine, const struct job *definition);
void adopt_sweep(struct engine *engine); // frees removed jobs that nothing refers to any more

// housekeeping.c
void feed_runner(struct engine *engine);
void housekeeping_turn(struct engine *engine);
struct instant housekeeping_wake(const struct engine *engine);

// link.c
void link_answered(struct engine *engine, const struct store_op *op); // up or down, backoff
bool link_is_open(const struct engine *engine);                       // false while backing off
void link_hold(struct engine *engine, struct store_op *op); // submit it again, unchanged, later
void link_hold_back(struct engine *engine, struct store_op *op); // not at once: a stranger has it
// For what must get through, and may be done twice: true when it has ended, else it is held.
bool link_settled(struct engine *engine, struct store_op *op);
void link_resubmit(struct engine *engine);              // what is held, once it is asked again
void link_beat(struct engine *engine, struct mono now); // a sign of life, when one is due
