// SPDX-License-Identifier: MIT
// What is read out of a store: rows, and what selects them. Part of the store port (store/store.h),
// which its readers include.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "job/run.h"
#include "time/instant.h"

// A job as the store knows it: what a scheduler needs to go on where the last one stopped.
struct store_job {
    int64_t job_id;
    const char *name;
    const char *spec;            // job_schedule_spec in force; NULL: not in force (removed)
    struct instant high_water;   // all slots up to and including it are decided
    struct instant last_success; // end of the last SUCCESS run; INSTANT_NONE
    int throttle_count;          // slots passed over since the last one that ran under a throttle
};

enum store_control_kind { CONTROL_PAUSE, CONTROL_DRY_RUN, CONTROL_THROTTLE, CONTROL_KIND_COUNT };
const char *store_control_name(enum store_control_kind kind); // "pause", "dry-run", "throttle"

struct store_control_row {
    const char *job; // NULL = all
    enum store_control_kind kind;
    int value;
    struct instant from;
    struct instant to; // INSTANT_NONE = still in force
    const char *actor;
    const char *reason; // NULL
};

// Reading is synchronous, for the command line and for checks: each row is given to a callback,
// which returns false to stop. Texts live until it returns.

struct store_run_row {
    struct uuid run_id;
    const char *job;
    struct instant due_at;
    int attempt;
    enum run_trigger trigger;
    enum run_state state;
    struct uuid node;
    int64_t fence;
    struct instant started_at;
    struct instant ended_at; // none while it runs
    struct duration duration;
    bool has_exit_code;
    int exit_code;
    enum run_failure failure;
    const char *error; // NULL
};
// Optional instants here and in operations: INSTANT_NONE or zero = not given.
struct store_run_filter { // NULL, none, nil = any
    const char *job;
    struct uuid run_id;
    bool last_of_each_job; // only the run of each job that ended last, if it is kept
    bool by_state;
    enum run_state state;
    struct instant since; // started_at >= since
    struct instant until; // started_at < until
    int64_t fence_from;   // fence >= fence_from; 0 = any: with the next, a bounded piece of history
    int64_t fence_before; // fence < fence_before; 0 = any
    size_t limit;         // newest first; 0 = no limit
};
typedef bool store_run_fn(void *context, const struct store_run_row *row);

struct store_slot_row {
    const char *job;
    struct instant due_at;
    enum slot_outcome outcome;
    struct uuid run_id; // nil
    enum slot_reason reason;
};
// Slots are kept by due time: reading all jobs of a span costs what it yields, reading one job of a
// long span costs the whole span. So ask once for all jobs where you want several. One slot of one
// job (a span of one millisecond) costs one look-up.
struct store_slot_filter {
    const char *job;
    struct instant since; // due_at >= since
    struct instant until; // due_at < until
};
typedef bool store_slot_fn(void *context, const struct store_slot_row *row); // by job, due_at

struct store_audit_row {
    int64_t seq; // 0 = not sealed yet
    struct instant at;
    const char *event;
    const char *job;    // NULL
    struct uuid run_id; // nil
    struct uuid node;   // nil
    const char *actor;  // NULL
    const char *detail; // NULL
    uint8_t prev_hash[32];
    uint8_t hash[32];
};
struct store_audit_filter {
    const char *job;
    const char *event; // in any case
    struct instant since;
    struct instant until;
    int64_t seq_from;   // seq >= seq_from; 0 = any; rows that are not sealed come after all others
    int64_t seq_before; // seq < seq_before; 0 = any
    size_t limit;       // 0 = no limit
    bool newest_first;
};
typedef bool store_audit_fn(void *context, const struct store_audit_row *row);

struct store_force_row { // a schedule in force: from < slot <= to
    const char *job;
    const char *spec;
    struct instant from;
    struct instant to; // none = still
};
typedef bool store_force_fn(void *context, const struct store_force_row *row); // by job, from

typedef bool store_job_fn(void *context, const struct store_job *row);
typedef bool store_control_fn(void *context, const struct store_control_row *row);

struct store_node_row {
    struct uuid node;
    const char *host;
    const char *version;
    struct instant started_at;
    struct instant last_seen;
    const char *state; // live, stopped, lost
    int running;
    int max_running;
    bool dry_run;
    bool draining;
    const char *labels;         // JSON object or NULL
    struct instant valid_until; // of its last beat: its lease; none where nodes have none (SQLite)
    int64_t definitions;        // the version that it executes; 0 = the store keeps none
    const char *refused;        // why it cannot execute the active one; NULL = it can
    // Since when an operator wants nothing new begun there, who, and why; none = nobody does. Then
    // it is `draining`, as is one that stops, or came for somebody's wish only.
    struct instant draining_since;
    const char *draining_by, *draining_as, *draining_reason;
};
typedef bool store_node_fn(void *context, const struct store_node_row *row); // newest first

struct store_anchor {          // where the kept audit chain begins, and where it ends
    int64_t seq;               // of the last pruned row; 0 = nothing pruned
    uint8_t hash[32];          // of that row; zeros at the beginning
    struct instant slots_from; // slots due before it may have been pruned; none = nothing pruned
    int64_t head_seq;          // of the last sealed row, noted apart from it when it was sealed
    uint8_t head_hash[32];
};
// Something wrong with how the chain is kept that its rows do not show. `at` may be none.
typedef bool store_fault_fn(void *context, struct instant at, const char *fault);

struct store_version { // job definitions as one node published them
    int64_t version;   // 0 = there is none
    const char *hash;
    const char *text;
    const char *actor; // NULL
    struct instant published_at;
    bool active;
};
