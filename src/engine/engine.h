// SPDX-License-Identifier: MIT
// The engine: the life of slots and runs. Pure: it is given time, a store, a runner and randomness
// through ports and does nothing by itself. The owner calls engine_turn when something happened or
// the instant has come that the last turn returned; all decisions are made there, in bounded
// batches. A run's life, in order: engine/planner.c (due) → engine/decide.c (policy, proposal) →
// engine/verdict.c (the store's answer) → engine/run.c (start, output, end) → engine/retry.c (the
// next attempt). Beside it: engine/after.c (slots that wait for other jobs), engine/backfill.c,
// engine/control.c (pause, throttle), engine/carry_out.c (intents), engine/drain.c (nothing new
// here, as an operator wants it), engine/start.c and engine/publish.c (definitions),
// engine/housekeeping.c (seal, prune), engine/link.c (the store is there or not).
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/events.h"
#include "job/job.h"
#include "runner/runner.h"
#include "store/store.h"
#include "time/clock.h"

struct engine;

// A set of job definitions with one lifetime. The engine holds a reference while runs of it are
// alive.
struct job_set {
    const struct job *jobs;
    size_t count;
    const char *hash;         // of the definitions, for the audit
    int64_t version;          // of the store's definitions (STORE_VERSION); 0 = it keeps none
    struct zone_cache *zones; // to read schedules that were in force before
    void *owner;
    void (*release)(void *owner); // called once, when the engine no longer needs it
};

struct engine_history { // 0 = keep for ever
    struct duration runs, output, audit;
};

struct engine_options {
    struct uuid node;
    const char *host;
    const char *version;
    const char *actor; // who started this process: user@host
    int max_running;
    struct duration lease; // how long what runs is trusted without a sign of life of the loop
    struct duration margin;
    bool dry_run;             // this node's own mode; the strictest wins
    struct instant booted_at; // when this host booted: the slot of @reboot jobs
    const char *boot_id;      // of this host's boot
    bool schedules;           // false: a short-lived node that only carries out intents
    bool alone;               // holds what proves that no other node lives: a SQLite store's lock
    struct uuid predecessor;  // or nil: this host's last node, proven dead by the lock it left
    struct duration grace;    // between the end of a node's lease and its fencing by others
    const char *labels;       // of this node: a JSON object of strings, or NULL
    struct engine_history history;
    struct clock *clock;
    struct store *store;
    struct runner *runner; // its events are set by the engine
    void (*random)(void *bytes, size_t size);
    const struct engine_events *events;
};

struct engine *engine_new(const struct engine_options *options);
void engine_free(struct engine *engine); // nothing may be running any more

// Joins the store, loads it, makes up or records what was missed, publishes the definitions and
// goes live. Takes the set over, also when it fails. Blocks for a few store calls.
bool engine_start(struct engine *engine, struct job_set *set, struct error *err) MUST_USE;
// The store knows this node, also where the rest of the start failed.
bool engine_has_joined(const struct engine *engine);
// Other definitions right after that, before the first turn. Blocks likewise.
bool engine_reload_at_start(struct engine *engine, struct job_set *set, struct error *err) MUST_USE;

// One turn. Returns the instant at which the next turn is wanted even if nothing happens
// (INSTANT_NONE = nothing planned). Call store_pump until it returns false, then engine_turn, until
// both are quiet.
struct instant engine_turn(struct engine *engine);
// The owner lives, though it does not turn the engine: before and within whatever takes long.
void engine_feed(struct engine *engine);
bool engine_is_busy(const struct engine *engine); // another turn at once would do something
// New definitions, one set at a time: they come into force in one of the next turns, as soon as the
// store has taken them, which is tried until it does. Until then the old ones stay in force, and
// running runs go on under them afterwards as well. Takes the set over.
void engine_reload(struct engine *engine, struct job_set *set);
enum engine_reloading {
    RELOADING_NOTHING,
    RELOADING_GOES_ON,
    RELOADING_WAITS, // for the store, which did not answer
    RELOADING_DONE,
    RELOADING_FAILED,
};
// Why it waits, or has failed, is set in `err`. DONE and FAILED are told once. To be asked whenever
// the store was pumped, before the next turn: that one goes by the new definitions.
enum engine_reloading engine_reloading(struct engine *engine, struct error *err);
// Somebody else wrote to the store: read controls and intents in the next turn.
void engine_store_changed(struct engine *engine);
// A backfill goes on, also when nothing of it runs right now, or the store has yet to answer.
bool engine_is_carrying_out(const struct engine *engine);
// Backfills begin no more slots, and are answered with what they did.
void engine_give_up(struct engine *engine, const char *why);
// A reload was asked for by an intent. The owner says when it begins one, which is the answer to
// what was asked for up to then, and how that went.
bool engine_wants_reload(const struct engine *engine);
void engine_reload_begins(struct engine *engine);
void engine_reload_done(struct engine *engine, const struct error *err_or_null);

// Another version of the definitions is active in the store: the owner loads it and reloads with
// it. 0 = none.
int64_t engine_wants_version(const struct engine *engine);
// The version that this node executes, and the one that is active as the store last told; 0 = the
// store keeps none.
int64_t engine_version(const struct engine *engine);
int64_t engine_active_version(const struct engine *engine);
// The owner cannot execute the active one, for this reason; NULL = it can. All nodes are told.
void engine_refuses(struct engine *engine, const char *why_or_null);
const char *engine_refused(const struct engine *engine); // NULL = nothing
// Others have declared this node dead: what it ran is being ended, nothing more is claimed. The
// owner closes it and starts a new one.
bool engine_is_fenced(const struct engine *engine);
// Dead nodes whose sessions in the databases of jobs the owner is to end: these, until it says that
// it has. Where this node dies before that they are another one's.
size_t engine_left(const struct engine *engine, const struct uuid **nodes_out);
void engine_left_ended(struct engine *engine);
// May what is started now run? Not past the trust deadline, as long as the store acknowledges
// nothing.
bool engine_is_trusted(const struct engine *engine);
// The live nodes as the store last told; 1 where this node is alone.
size_t engine_member_count(const struct engine *engine);
// This host's clock less the store's, by the last beat that was answered; 0 where they are one.
struct duration engine_clock_skew(const struct engine *engine);

// An operator wants nothing new begun on this node, until it is resumed, or stopped. All else goes
// on.
struct engine_drain_order {
    struct instant since;
    const char *by, *as, *reason; // each may be NULL
};
bool engine_told_to_drain(const struct engine *engine, struct engine_drain_order *order_out);

// Before the end: stops claiming; lets what runs finish.
void engine_drain(struct engine *engine);
// Ends what runs (TERM, then KILL), or at once (KILL).
void engine_stop_runs(struct engine *engine, bool at_once);
// Drained: nothing runs and every end is in the store.
bool engine_is_drained(const struct engine *engine);
// Writes that the node left. After engine_is_drained.
bool engine_leave(struct engine *engine, struct error *err) MUST_USE;

// Frees the engine and its runs without a word to the store, as a crash leaves it: for tests.
// Nothing may be under way in the store.
void engine_abandon(struct engine *engine);

// The runner process died and was replaced: every run of the old one has had its end.
void engine_replace_runner(struct engine *engine, struct runner *runner);

// For metrics, health and status.
struct engine_job_view {
    const struct job *job;
    struct instant next_due;     // INSTANT_NONE
    struct instant last_success; // INSTANT_NONE
    int running;
    bool paused;
    bool dry_run;
    int throttle; // 0 = none
};
void engine_each_job(struct engine *engine,
                     void (*each)(void *context, const struct engine_job_view *), void *context);
int engine_running(const struct engine *engine);
bool engine_store_is_up(const struct engine *engine);
// Nor has it been silent for long to what it was asked last: what blocks on it may begin.
bool engine_hears_store(const struct engine *engine);
bool engine_is_dry_run(const struct engine *engine); // the whole node
