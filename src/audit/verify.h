// SPDX-License-Identifier: MIT
// `audit verify`: checks the ledger by code that shares nothing with the scheduler but the rows of
// the store and the C library: the hashes of the chain; that each STARTED has exactly one end; that
// the slots recomputed from the schedules recorded as in force equal the slots in the ledger, up to
// each job's high-water mark, and that their outcomes agree with the controls that were in force.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "store/store.h"
#include "time/instant.h"

enum verify_kind {
    VERIFY_CHAIN_BROKEN, // a row's hash does not match, seq/prev_hash does not follow, or the chain
                         // is not the one that somebody has seen
    VERIFY_RUN_WITHOUT_START, // an end without STARTED
    VERIFY_RUN_TWO_ENDS,
    VERIFY_RUN_NOT_ENDED, // STARTED without end, and no live node runs it
    VERIFY_RUN_MISMATCH,  // audit, job_runs and slots disagree about a run or a decision
    VERIFY_SLOT_GAP,      // due by the schedule, not in the ledger; or a schedule nobody can read
    VERIFY_SLOT_EXTRA,    // in the ledger, not due by the schedule
    VERIFY_SLOT_OPEN,     // at or below the mark without outcome and without a live run or retry
    VERIFY_SLOT_POLICY,   // outcome contradicts a control in force (ran while paused …)
    VERIFY_KIND_COUNT
};
const char *verify_kind_name(enum verify_kind kind);

struct verify_finding {
    enum verify_kind kind;
    const char *job; // NULL
    struct instant at;
    const char *text; // one sentence: what, where, evidence
};

struct verify_job {
    const char *name;
    struct instant from;       // recomputed from here …
    struct instant high_water; // … up to here
    size_t due;                // recomputed slots
    size_t in_ledger;
};

struct verify_report {
    struct arena arena; // owns everything below
    size_t audit_rows;
    size_t unsealed_rows;
    size_t runs;
    size_t running; // open runs of a live node
    size_t slots;
    struct store_anchor anchor;
    int64_t head_seq;
    uint8_t head_hash[32];
    struct verify_job *jobs;
    size_t job_count;
    struct verify_finding *findings; // the first 1,000
    size_t finding_count;            // kept
    size_t finding_total;
};

// A row of the chain that somebody has seen: it must be there still, with the same hash.
struct verify_seen {
    const char *by;     // for findings: "--expect"
    int64_t seq;        // 0 = nothing was seen
    uint8_t hash[32];   //
    bool may_be_pruned; // else pruning it is a finding, since it cannot be compared any more
};
#define VERIFY_SEEN_MAX 4

struct verify_options {
    struct instant since;    // none = everything that is kept
    bool node_is_live;       // a node holds the store's lock: its open runs are "running"
    struct instant now;      // by the store's clock; zero or none = not known
    const char *cannot_seal; // why what waits could not be sealed; NULL = it was, or nobody tried
    struct verify_seen seen[VERIFY_SEEN_MAX];
    size_t seen_count;
};

// False only when the store could not be read; the report is empty then. Never writes; reads the
// store several times over, in bounded memory, all of it as it is at one moment; rows that are not
// sealed yet take part in everything but the chain. `since` leaves out audit rows, ended runs and
// slots before it, but no row that was seen. Where history was pruned, and within five
// seconds of a control's change, nothing is claimed that cannot be known any more.
bool verify_store(struct store *store, const struct verify_options *options,
                  struct verify_report *report_out, struct error *err) MUST_USE;
void verify_report_release(struct verify_report *report);

// The recomputation by itself, also the oracle of the schedule's tests: calls `each` for every slot
// of the spec (job_schedule_spec's JSON) with from < slot <= to, ascending; each returns false to
// stop. Walks the wall clock that the C library's localtime shows, stretch by stretch between its
// changes, and knows the syntax by itself. It may read texts that the scheduler refuses, but never
// the other way round. @reboot has no slots here. hash_name is the job's name; neither instant may
// be none. Fails on a spec that cannot be read and on a zone that this machine does not have. Not
// thread-safe: sets TZ, and puts it back.
typedef bool verify_slot_fn(void *context, struct instant slot);
bool verify_recompute(const char *spec, const char *hash_name, struct instant from,
                      struct instant to, verify_slot_fn *each, void *context,
                      struct error *err) MUST_USE;
