// SPDX-License-Identifier: MIT
// What the files of this room share. Nobody else includes it.
//
// Who changes what: planner.c the heap of due times; catchup.c what was missed; decide.c proposals;
// verdict.c what the store said to them; run.c runs from claim to end, end_text.c their last words;
// retry.c waiting attempts; after.c slots that wait for other jobs; replace.c what makes way for a
// newer slot; control.c controls; carry_out.c intents, answer.c their answers; drain.c what this
// node says of itself, and that it is to begin nothing; pauses.c when what was paused; start.c,
// boots.c, publish.c, publication.c, closing.c and adopt.c definitions; housekeeping.c sealing,
// pruning, the runner's deadline; link.c what is in the store, and whether it answers. Where a node
// is not alone: fleet.c the other nodes and the right to act, marks.c looks at slots that others
// decide, intents.c whose an intent is, fence.c what dead nodes left.
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/heap.h"
#include "base/map.h"
#include "engine/answer.h"
#include "engine/closing.h"
#include "engine/decide.h"
#include "engine/drain.h"
#include "engine/engine.h"
#include "engine/fleet.h"
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
// What somebody else's transaction has in hand is tried again.
#define LOCKED_AGAIN DURATION_S(1)

// One loaded set of definitions, shared by the engine and the runs that were started under it.
struct engine_set {
    struct job_set set;
    int references;
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
    struct instant until;      // at most
    struct instant check_at;   // it is looked at then, whatever happens
    struct instant not_before; // not proposed until then: something stood in its way
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
    bool controls_read; // in this turn, and what they were is no older than a message takes
    struct answers answers;
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
void run_connect(struct engine *engine);

// finish.c
void finish_add(struct engine_run_live *run); // it has ended
void finish_flush(struct engine *engine);     // outputs and ends into the store

// retry.c
void retry_init(struct engine *engine);
void retry_add(struct engine *engine, struct engine_job *job, struct instant due_at, int attempt,
               struct instant retry_at);
void retry_free(struct engine *engine, struct engine_retry *retry);
void retry_abandon(struct engine *engine, struct engine_job *job);
void retry_turn(struct engine *engine, struct instant now);
struct instant retry_when(const struct engine *engine, const struct engine_run_live *run);

// replace.c
// A newer slot takes the place of what runs, here and on other nodes, and of what would be tried
// again.
void replace_older(struct engine *engine, struct engine_job *job);
void replace_again(struct engine *engine, struct engine_job *job); // until others have made way
// What another node's newer slot takes the place of here. How many runs and attempts that are.
int replace_by_wish(struct engine *engine, struct engine_job *job, const char *params);

// control.c
void control_turn(struct engine *engine);
bool control_load(struct engine *engine, struct error *err); // what is in force
void control_release(struct engine *engine);

// carry_out.c
void carry_out(struct engine *engine, const struct store_intent *intent);
// Ends what runs here and is meant …
void carry_out_cancel(struct engine *engine, const struct store_intent *intent, int *runs_out,
                      int *backfills_out);
// … and says so.
void carry_out_cancelled(struct engine *engine, const struct store_intent *intent, int runs,
                         int backfills);
void engine_manual_free(struct engine_manual *manual);

// engine.c
// It drains, and nothing is left but what is on its way: what is only asked now and then is not any
// more, or, where an answer takes as long as the time between two questions, there is no end.
bool engine_is_quiet(const struct engine *engine);
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
// Each operation of the engine's goes out here; op->context is the engine then. When it is done,
// link_answered or link_settled comes first.
void link_submit(struct engine *engine, struct store_op *op);
void link_answered(struct store_op *op); // up or down, backoff
// For what must get through, and may be done twice: true when it has ended, else it is held.
bool link_settled(struct store_op *op);
void link_hold(struct store_op *op);       // answered, but to be submitted again, unchanged, later
void link_hold_back(struct store_op *op);  // not at once: a stranger has it in hand
void link_free(struct store_op *op);       // where it is the first part of what was allocated
void link_resubmit(struct engine *engine); // what is held, once it is asked again
bool link_is_open(const struct engine *engine);         // false while backing off
void link_beat(struct engine *engine, struct mono now); // a sign of life, when one is due
