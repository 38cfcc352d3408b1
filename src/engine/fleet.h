// SPDX-License-Identifier: MIT
// Part of engine/engine_private.h: the other nodes, and what follows from there being some.
#pragma once

#include <jansson.h>

#include "engine/engine.h"

struct engine_job;

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
    struct uuid fencing_id; // of a fencing of which nobody knows yet whether it was done; or nil
    struct uuid *left; // dead nodes, whose sessions in the databases of jobs are ours to end …
    size_t left_count;
    bool left_ended;           // … which is done, and the store is to know
    struct marks_batch *marks; // being filled in this turn
    struct engine_job **watched;
    size_t watched_count, watched_capacity;
    struct mono watched_at;
    bool intents_pending; // some are nobody's yet
    struct intent_seen *seen;
    size_t seen_count, seen_capacity;
};

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
bool fleet_may_act(const struct engine *engine); // begin something new
void fleet_was_silent(struct engine *engine);    // or heard nothing

// members.c
void members_take(struct engine *engine, const struct store_op_beat *beat); // who lives now
void members_clear(struct fleet *fleet);
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
// This node cannot execute the definitions in force, and so begins nothing that is asked for.
bool intents_are_in_vain(const struct engine *engine, const struct store_intent *intent);
// The node that a wish is directed to; nil = any.
struct uuid intents_named(const struct store_intent *intent);
void intents_begin(struct engine *engine); // of a reading of all that are pending

// fence.c
void fence_consider(struct engine *engine, bool orphans); // after each answer
void fence_turn(struct engine *engine, struct mono now);
void fence_lost(struct engine *engine, const struct store_lost *lost, size_t count);
// Whose sessions in the databases of jobs are this node's to end: these from now on.
void fence_left(struct engine *engine, const struct uuid *nodes, size_t count);
// What waits on this node, by the store; what is known already is passed over.
void fence_adopt(struct engine *engine, const struct store_retry *waiting, size_t waiting_count);
// When a LOST run is tried again; none = never. `job` NULL = it is not defined any more.
struct instant fence_lost_retry(const struct job *job, const struct store_lost *lost,
                                struct instant now);
