// SPDX-License-Identifier: MIT
// A node's life in the store, and what all nodes of a fleet share. Part of the store port
// (store/store.h), which its users include.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "job/run.h"
#include "store/rows.h"
#include "store/store_op.h"
#include "time/instant.h"

// ---- joining, and what a scheduler starts from --------------------------------------------------

// Registers this boot of a node. Where the caller proves that others are dead (`alone`, `dead`),
// each of those gets state 'lost'. Each STARTED run of a node that does not live becomes LOST
// (audited, in the order of the claims), its slot stays open when lost_retry says so, else becomes
// LOST. What waits on nodes that do not live (attempts to come, slots that wait for others,
// intents) becomes this node's when it is alone (intents nobody's); else STORE_FENCE takes it over.
// Where `dead` was told to drain, and has not left by itself, so is this one (STORE_REPORT).
// REFUSED when this node was declared dead meanwhile.
// Audit: NODE_STARTED with detail {"dry_run":…,"host":…,"version":…}.
struct store_lost {
    int64_t job_id;
    const char *job;
    struct uuid run_id;
    struct instant due_at;
    enum run_trigger trigger;
    int attempt;
};
struct store_drain { // what an operator wants of a node; none = nothing
    struct instant since;
    const char *by, *as, *reason;
};
struct store_op_join {
    struct store_op op;
    struct uuid node;
    const char *host;
    const char *version;
    const char *detail; // JSON
    // The caller holds what proves that every other node is dead: the file lock of a SQLite store.
    bool alone;
    // Or nil: a node that is proven dead, this host's last one, since its file lock is ours.
    struct uuid dead;
    struct duration lease; // a beat of this node is valid for so long …
    struct duration grace; // … and so long after that nobody may fence it
    bool dry_run;
    int max_running;
    const char *labels; // JSON object of strings; NULL = none
    // Asked inside the commit for each LOST run that has a slot: when its next attempt is due (the
    // slot stays open and store_op_load returns the retry), or INSTANT_NONE (the slot is LOST).
    // NULL: all LOST.
    struct instant (*lost_retry)(void *context, const struct store_lost *lost, struct instant now);
    void *lost_context;
    // out
    struct instant now;      // the store's clock
    struct store_lost *lost; // runs of the dead that became LOST
    size_t lost_count;
    struct uuid *left; // as in STORE_FENCE
    size_t left_count;
    struct store_drain drain;
};

// Everything a scheduler needs to go on where the last one stopped.
struct store_retry { // a slot whose last attempt ended and that waits for the next one
    int64_t job_id;
    struct instant due_at;
    int attempt;             // the one to come; 1: the slot waits for other jobs (DECIDE_WAIT)
    struct instant retry_at; // then: until when at most
};
struct store_op_load {
    struct store_op op;
    // out
    struct store_job *jobs;
    size_t job_count;
    struct store_retry *retries;
    size_t retry_count;
};

// Records which schedules are in force from `at` on. For each item: the spec in force before is
// closed at `at`, the new one opened; a new or changed job's high-water mark becomes max(old, at).
// spec NULL removes the job (its rows stay). Items whose spec is the one in force change nothing,
// and so a repeat answers changed = false. Where the mark lies after `at`, the change takes effect
// at the mark. REFUSED when `node` is given and not live.
// Audit: CONFIG_PUBLISHED with `detail`, only when something changed.
struct store_publish_item {
    const char *name;
    const char *spec;
    int64_t job_id; // out; 0 for an unknown removed one
};
struct store_op_publish {
    struct store_op op;
    struct uuid node;
    // Of the definitions that the items are from (STORE_VERSION); 0 = the store keeps none. Where
    // another one is active nothing is written, and `outdated` is set.
    int64_t version;
    const char *actor;
    const char *detail; // JSON: {"changed":…,"added":…,"removed":…,"hash":…}
    struct instant at;
    struct store_publish_item *items;
    size_t item_count;
    bool changed;  // out
    bool outdated; // out
};

// Job definitions by version, uninterpolated, so that all nodes of a fleet execute the same. A text
// whose hash was never seen becomes the newest version and the active one; one that was seen does
// so again only with `always`, under a new number, so that no node takes it for what it went by
// before. REFUSED when this node is not live.
// Audit: VERSION_ACTIVATED with detail {"hash":…,"version":…} when another one is active now.
struct store_op_version {
    struct store_op op;
    struct uuid node;
    const char *actor;
    const char *hash;
    const char *text; // whatever config makes of it; 512 MB at most
    bool always;
    // out
    int64_t version; // the active one now
    bool activated;  // by this operation
};

// Reads the definitions of a version.
struct store_op_definitions {
    struct store_op op;
    int64_t wanted;            // 0 = the active one
    struct store_version text; // out; all zero where there is no such version
};

// ---- who is there -------------------------------------------------------------------------------

// Who is there, and has anything changed? Each answer to a beat or a look says so. Ordered by id.
struct store_member {
    struct uuid node;
    const char *host;
    const char *labels; // JSON object or NULL
    bool dry_run;
    bool draining;
    bool full; // had no place for another run
    // Its lease and grace are over by the store's clock, and the store has been up (or, promoted,
    // has been the primary) for as long: STORE_FENCE would fence it.
    bool is_overdue;
};
// A sign of life, valid for the node's lease from the store's clock on; durable as a claim is. With
// `look` nothing is written: the same answer, but no sign of life. REFUSED: this node is not live.
struct store_op_beat {
    struct store_op op;
    struct uuid node;
    bool look;
    int running;
    bool full;
    bool draining;
    // out
    struct instant now;           // the store's clock
    int64_t changes;              // rises with each control and intent put, and each active version
    int64_t version;              // of the active definitions; 0 = the store keeps none
    struct store_member *members; // the live ones, this one among them
    size_t member_count;
    // Attempts, slots or intents wait on nodes that do not live, their runs are still STARTED, or
    // their sessions are nobody's to end: STORE_FENCE takes them over.
    bool orphans;
    bool unsealed; // audit rows wait for STORE_SEAL
};

// What a node says of itself, each time that changes. REFUSED: this node is not live. A repeat
// changes nothing more.
// While a node drains it is not preferred for anything, its pending BACKFILL intents are nobody's,
// and STORE_FENCE takes over what waits on it as on one that has left. Each report of one that
// drains, or does no more, makes `changes` rise.
// Audit: NODE_DRAINED, NODE_RESUMED, with actor and detail {"as":…,"reason":…} without the absent
// ones.
struct store_op_report {
    struct store_op op;
    struct uuid node;
    int64_t definitions;           // the version that it executes; 0 = the store keeps none
    const char *refused;           // why it cannot execute the active one; NULL = it can
    struct instant draining_since; // an operator wants nothing new begun here; none = they do not
    const char *actor;             // who said so, or the contrary
    const char *as;
    const char *reason;
};

// Fences each other member that is overdue, by id: the node is 'lost' (audit NODE_FENCED with
// detail {"host":…,"node":…}), its sessions in the store's server are ended. Then each STARTED run
// of a node that does not live becomes LOST as in JOIN, and what waits on such nodes becomes this
// one's, but for slots of the jobs in `except`, which stay for other nodes, and intents, which are
// nobody's again. A repeat under the same id names the same nodes and runs once more, and what has
// come since; `waiting` always is all that waits on this node, new or not.
// A node that dies may leave sessions at work in the databases of jobs. Whoever declared it dead
// has them to end (`left`) until it says that it has (`ended`); where that one dies as well, the
// next who fences has.
struct store_op_fence {
    struct store_op op;
    struct uuid node;
    struct uuid fencing_id; // chosen by the caller
    const int64_t *except;  // job ids
    size_t except_count;
    const struct uuid *ended; // nodes
    size_t ended_count;
    struct instant (*lost_retry)(void *context, const struct store_lost *lost, struct instant now);
    void *lost_context;
    // out
    struct instant now;
    struct uuid *left; // nodes, in the order in which they joined
    size_t left_count;
    struct uuid *fenced;
    size_t fenced_count;
    struct store_lost *lost;
    size_t lost_count;
    struct store_retry *waiting;
    size_t waiting_count;
};

struct store_op_leave { // clean stop: node state 'stopped', audit NODE_STOPPED
    struct store_op op;
    struct uuid node;
};

// Which database this is, and how far its audit is sealed: so that a host notices a store that is
// not the one that it has seen before, or went back in time.
struct store_op_identity {
    struct store_op op;
    int64_t asked; // a sequence of the audit; 0 = none
    // out
    const char *system; // of the server; "" = the store is a file: nothing more is told
    int64_t database;   // on that server
    int64_t timeline;   // rises when a standby is promoted, or a backup restored
    int64_t sealed;     // highest sequence of the audit, pruned or not
    // Hashes of the chain, hexadecimal: at `sealed`, and at `asked`. NULL = not there, or pruned
    const char *hash;
    const char *asked_hash;
    int64_t locks;      // entries in the server's lock table …
    int64_t locks_most; // … of about so many; 0 = it has none
};
