// SPDX-License-Identifier: MIT
// One `audit verify` under way: what its parts share. The parts run in this order, and the order
// matters on the store of a live node: rows that are written meanwhile must not look like faults.
//   chain    every audit row: hashes, sequence; how far the kept ledger reaches
//   runs     slots, then audit, then runs: what the first says must be found in the next
//   slots    each job's schedule against its slots
#pragma once

#include "audit/controls.h"
#include "audit/verify.h"

#define VERIFICATION_FINDINGS_MAX 1000

struct verification {
    struct store *store;
    const struct verify_options *options;
    struct verify_report *report;
    struct controls controls;
    struct map names;          // names of jobs that were met, owned; value = index + 1
    struct instant audit_from; // audit rows before it are not looked at: pruned, or before `since`
    struct instant kept_from;  // runs ended and slots due before it may have been pruned
    struct instant settled;    // what happened before it is in every table; none = everything is
    struct instant last_at;    // of the newest audit row; none = there is none
    struct uuid *live;         // the nodes that live
    size_t live_count;
    size_t live_capacity;
    size_t decided;                  // audit rows that decide a slot or start a run
    struct verification_node *nodes; // boots in the order of their start
    size_t node_count;
    size_t node_capacity;
    struct verification_dry *dry;
    size_t dry_count;
    size_t dry_capacity;
    struct verification_boot *boots;
    size_t boot_count;
    size_t boot_capacity;
    struct verification_fenced *fenced;
    size_t fenced_count;
    size_t fenced_capacity;
    struct verification_backfill *backfills; // slots that a person asked for
    size_t backfill_count;
    size_t backfill_capacity;
};

struct verification_node {
    struct uuid node;
    bool dry_run; // started so
};

// A node of a fleet that was in dry-run, and with it all others, as soon as they had learned of it.
struct verification_dry {
    struct uuid node;
    uint64_t host; // hash of its name
    bool lives;
    struct instant from;
    struct instant until; // last heard of
    struct instant gone;  // by then nobody counted with it any more
};

struct verification_boot { // of any node
    uint64_t host;
    struct instant at;
};

struct verification_fenced {
    struct uuid node;
    struct instant at;
};

struct verification_backfill {
    uint32_t job; // index of the name
    struct instant due_at;
};

// Counts a finding and keeps the first ones. `job` may be NULL, `at` none.
void verification_find(struct verification *v, enum verify_kind kind, const char *job,
                       struct instant at, const char *format, ...) PRINTF(5, 6);
uint32_t verification_name(struct verification *v,
                           const char *job); // its index; the same name, the same index
const char *verification_name_at(const struct verification *v, uint32_t index);

// Before `limit`, or so little after it that nobody can say. False when limit is none.
bool verification_is_old(struct instant t, struct instant limit);

bool verify_chain(struct verification *v, struct error *err) MUST_USE;
bool verify_runs(struct verification *v, struct error *err) MUST_USE;
bool verify_slots(struct verification *v, struct error *err) MUST_USE;

// What an audit row of a decision says about its slot.
struct decision {
    bool has_due_at;
    struct instant due_at;
    bool has_trigger;
    enum run_trigger trigger;
    bool has_reason;
    enum slot_reason reason;
};
struct decision decision_read(const char *detail);
// The text of a member of a detail, which is one flat JSON object: of those that hold no escape.
bool decision_member(const char *detail, const char *key, char *out, size_t size);
// Does the decision agree with the controls that were in force? Looks at rows in the order of the
// chain, since a node's start says in which mode it decides.
void verify_policy(struct verification *v, const struct store_audit_row *row,
                   const struct decision *decision);
