// SPDX-License-Identifier: MIT
// Why a slot did or did not run. Pure: the facts about one slot in, the cause, an answer in words
// and the next command to type out. Who gathers the facts: cli/why_case.h.
#pragma once

#include "base/buf.h"
#include "cli/why_clock.h"
#include "job/job.h"
#include "store/rows.h"

// In the order in which they are looked for.
enum why_cause {
    // The slot is over, or something of it runs: its row says so.
    WHY_SUCCESS,
    WHY_FAILED,
    WHY_TIMED_OUT,
    WHY_LOST,
    WHY_CANCELLED,
    WHY_REPLACED, // cancelled for a newer slot (overlap: replace)
    WHY_DRY_RUN,
    WHY_OVERLAP,
    WHY_SUPERSEDED,
    WHY_PAUSED,
    WHY_THROTTLED,
    WHY_CHANGED,
    WHY_DOWNTIME,
    WHY_TOO_OLD,
    WHY_LIMIT,
    WHY_BUSY,
    WHY_REMOVED,
    WHY_AFTER, // what it was to run after did not succeed in time
    WHY_RUNNING,
    WHY_CUT_OFF, // a run without its node
    WHY_RETRY,   // waits for its next attempt
    WHY_WAITS_AFTER,
    // No row, and none can be expected.
    WHY_PRUNED,
    WHY_NOT_PUBLISHED,  // no node has ever taken the job over
    WHY_NOT_CONFIGURED, // not in force then
    WHY_GAP,            // of the wall clock
    WHY_REPEAT,
    WHY_AT_BOOT, // @reboot
    WHY_NOT_DUE,
    WHY_FUTURE,
    WHY_CLOCK_BACK, // decided beyond it already: the clock was ahead then
    // Due and undecided.
    WHY_UNRECORDED, // below the high-water mark without a row: the ledger has a gap
    WHY_JITTER,
    WHY_NO_NODE,
    WHY_NODE_STOPPED,
    WHY_DRAINING,  // all live nodes that may run the job drain
    WHY_NO_LABELS, // no node that lives has the labels that the job demands
    WHY_WAITS_OVERLAP,
    WHY_WAITS_CAPACITY,
    WHY_STARTING,
    WHY_UNDECIDED, // late, and nothing says why
    WHY_CAUSE_COUNT
};
const char *why_cause_name(enum why_cause cause); // "waits_overlap"

// Everything borrowed. Optional instants: INSTANT_NONE.
struct why_facts {
    struct instant now;
    const char *name;
    const struct zone *zone; // of the times in the answer
    const struct job *job;   // as configured now; NULL = it left the configuration
    bool is_config_faulty;   // or that has a mistake, and then job is NULL too

    struct instant at;     // the slot, or the time that was asked for
    bool is_slot;          // the schedule in force then has a slot at it, or the ledger has
    struct instant before; // the slots around it
    struct instant after;
    struct why_clock clock;

    bool is_published;      // a schedule of the job was in force at some time
    bool is_in_force;       // at `at`
    bool is_reboot;         // the schedule is @reboot
    struct instant in_from; // of the schedule in force; where none was: the next one's beginning
    struct instant in_to;   // of the schedule in force; where none was: the last one's end
    struct instant high_water;
    struct instant pruned_before;

    bool has_row;
    enum slot_outcome outcome;
    enum slot_reason reason;
    const struct store_run_row *run;   // the slot's last run
    const struct store_run_row *other; // the one in its way: running then, or now while it waits
    int64_t output_bytes;              // of a run that goes on

    const char *upstream;         // of a slot that waits or waited by `after`: in whose way; NULL
    struct instant upstream_at;   // which slot of it
    const char *upstream_outcome; // "FAILED", "open", "not decided"

    // In force at `at`, or when it was decided.
    const struct store_control_row *pause, *dry_run, *throttle;

    const struct store_node_row *node_then;   // that lived at `at`
    const struct store_node_row *node_before; // of a downtime: the last to live, and the first
    const struct store_node_row *node_after;
    bool node_is_live; // now
    bool node_is_dry_run;
    bool node_is_stopped;  // by a signal; node_pid then goes on with CONT
    bool run_is_with_node; // the run's node is the live one
    int node_pid;
    int nodes_drain;        // that live, have the labels, and were told to drain
    struct uuid drain_node; // one of those
    int nodes_fit;          // that live, take jobs and have the labels that the job demands
    int running_fit;        // runs of all jobs there, as they last said
    int running_all;        // runs of all jobs everywhere, as the store says
    int max_running;        // of the nodes that fit, together
};

struct why {
    enum why_cause cause;
    struct buf text; // one or more sentences
    struct buf next; // a command line
};
void why_explain(const struct why_facts *facts, struct why *why_out);
void why_release(struct why *why);
// False where the cause is not known: the ledger or the node owes an answer.
bool why_is_known(enum why_cause cause);
// Of max_running, on the nodes that may run the job.
int why_places_taken(const struct why_facts *facts);

// When the attempt after this one starts at the latest, by the job's policy; none = no other.
struct instant why_retry_by(const struct job *job, const struct store_run_row *run);
