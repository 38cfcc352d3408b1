// SPDX-License-Identifier: MIT
// The runner port: executes what the scheduler started. Real: runner/process_runner.c, which talks
// to the runner process, and those of sql and http jobs, one for each kind of job behind
// runner/router.c. Simulated: tests (scripted durations, hangs, failures).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "job/job.h"
#include "job/run.h"
#include "time/instant.h"

// What to execute and with which facts. Borrowed for the call; the job lives until the run's end is
// told.
struct runner_start {
    uint64_t run; // the caller's handle, unique for the life of the process
    const struct job *job;
    struct uuid run_id;
    struct instant due_at;
    int attempt;
    enum run_trigger trigger;
    int64_t fence;
    const struct job_variable *params; // name NULL ends; NULL = none
};

enum runner_end_kind {
    RUNNER_SUCCEEDED,    // what has no exit code did what it was to do
    RUNNER_FAILED,       // what has no exit code did not: failure, error
    RUNNER_EXITED,       // exit_code
    RUNNER_SIGNALLED,    // signal
    RUNNER_TIMED_OUT,    // we ended it: timeout
    RUNNER_CANCELLED,    // we ended it: runner_stop
    RUNNER_SPAWN_FAILED, // it never ran: error
    RUNNER_GONE,         // the runner process died, or killed it at the trust deadline
};

// Reported once, when no process of the run is left.
struct runner_end {
    enum runner_end_kind kind;
    int exit_code;
    int signal;
    int leftovers; // processes that outlived the first one and were ended
    struct duration
        duration; // by CLOCK_BOOTTIME, from the start of the process to the last one gone
    struct duration cpu;
    int64_t memory_peak;  // bytes, largest process
    int64_t output_bytes; // written by it; more than what was kept when cut
    bool output_cut;
    const char *error;        // NULL or one sentence
    enum run_failure failure; // of RUNNER_FAILED
    const char *report;       // NULL, or what a process with an input left there, "" at least
    // Its effect and its SUCCESS are committed together, and nobody knows whether they were: what
    // the store says to this end is the truth.
    bool settles;
    // NULL, or a JSON object of what is worth keeping in the record, such as {"rows":3}
    const char *facts;
};

// Called from the owner's loop, never from within start or stop.
struct runner_events {
    void *context;
    void (*on_started)(void *context, uint64_t run, int pid);
    void (*on_output)(void *context, uint64_t run, const char *bytes, size_t length);
    void (*on_end)(void *context, uint64_t run, const struct runner_end *end);
};

struct runner {
    const struct runner_ops *ops;
    struct runner_events events; // set by the owner before the first start
};

struct runner_ops {
    // Hands a run over. Every accepted start gets exactly one on_end. False: refused, nothing was
    // started.
    bool (*start)(struct runner *runner, const struct runner_start *start, struct error *err);
    // TERM now, KILL after the job's kill_after; `at_once` = KILL. Unknown runs are ignored.
    void (*stop)(struct runner *runner, uint64_t run, bool at_once);
    // Until when what runs may run without another word from us.
    void (*feed)(struct runner *runner, struct mono deadline);
};
