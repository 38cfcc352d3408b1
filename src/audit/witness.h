// SPDX-License-Identifier: MIT
// What the tables of the ledger say about the same thing: a run, by its id, or a slot that did not
// run, by its job and due time. One entry each, found by key in constant time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "job/run.h"
#include "time/instant.h"

#define WITNESS_NONE 0xff // this table says nothing about it

struct witness {
    struct uuid key;
    struct instant at;         // of the first that spoke, for messages
    struct instant started_at; // by the audit log; none = it does not say
    struct instant ended_at;   // when that was recorded
    uint32_t job;              // index of the name
    uint8_t starts;            // audit rows STARTED, up to 255
    uint8_t ends;              // audit rows that end it
    uint8_t audit_state;       // enum run_state of the last end; enum slot_outcome of a slot
    uint8_t run_state;         // enum run_state in job_runs
    uint8_t slot_outcome;      // enum slot_outcome in slots
    uint8_t audit_reason;      // enum slot_reason, of slots that did not run
    uint8_t slot_reason;
    bool is_slot;        // the key is a slot's
    bool job_differs;    // the tables name different jobs
    bool ended_old;      // audit's end is so old that job_runs may have forgotten it
    bool start_may_lack; // job_runs' start, end: too old or too new to be in what was read of audit
    bool end_may_lack;
    bool is_running;   // open, on the node that lives
    bool times_differ; // of job_runs, from those of the audit log
};

struct witnesses {
    struct witness *list;
    size_t count;
    size_t capacity;
    uint32_t *slots; // index + 1 into the list, 0 = empty
    size_t slot_count;
};

void witnesses_init(struct witnesses *witnesses);
void witnesses_release(struct witnesses *witnesses);
// The entry of the key, made when there is none. Good until the next call.
struct witness *witnesses_get(struct witnesses *witnesses, struct uuid key, uint32_t job,
                              struct instant at);
// The key of a slot that has no run; never that of a run.
struct uuid witness_slot_key(uint32_t job, struct instant due_at);
uint64_t witness_hash(struct uuid key);
