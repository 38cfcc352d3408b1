// SPDX-License-Identifier: MIT
// One run of an http job. Private to this room.
#pragma once

#include "base/buf.h"
#include "base/heap.h"
#include "call/request.h"
#include "call/transfer.h"
#include "runner/output.h"
#include "runner/runner.h"

enum call_phase {
    CALL_WAITING,    // for one of the places
    CALL_REQUESTING, // its transfer is under way
    CALL_AWAITING,   // answered; the callback is to come
    CALL_ENDED,      // its end is to be told
};

struct call {
    struct call *previous, *next; // in the queue that `phase` says
    struct call_runner *runner;
    uint64_t run;          // the caller's handle
    const struct job *job; // lives until the end is told
    struct uuid run_id;
    char id[UUID_TEXT_SIZE];
    int64_t fence;
    enum call_phase phase;
    struct mono started;
    struct mono deadline; // its timeout; MONO_NEVER
    struct heap_node timer;
    struct request request;
    struct transfer transfer;
    struct output output;
    int status;           // of the answer; 0 = none
    const char *ended_by; // who told the callback; NULL: none came
    // The end, once known.
    enum runner_end_kind end;
    struct buf error;
};

struct call *call_new(const struct runner_start *start, struct mono now, int64_t output_max);
// Drops the transfer, if there is one; it must be out of the transport.
void call_free(struct call *call);
// The facts for the record: {"bytes":…,"status":…,"time_ms":…}. The caller frees it.
char *call_facts(const struct call *call, struct duration took);
