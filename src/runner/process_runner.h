// SPDX-License-Identifier: MIT
// The runner port on a real runner process: a small child forked at start, before anything heavy is
// loaded. It owns the process groups and outlives nobody: when its channel closes, or the trust
// deadline passes while anything runs, it kills everything and exits. See docs/architecture.md,
// "The runner".
#pragma once

#include "runner/runner.h"

struct process_runner_options {
    int lock_fd;          // the node's file lock, kept open by the runner as well; -1 = none
    int64_t output_max;   // bytes kept of each run's output: the first half and the last half
    struct mono deadline; // the first trust deadline
};

// Forks the runner process. Call early: no threads, little memory, no database connection open.
bool process_runner_new(const struct process_runner_options *options, struct runner **runner_out,
                        struct error *err) MUST_USE;
// The descriptor to poll for reading; call process_runner_read when it is readable (and whenever in
// doubt).
int process_runner_fd(const struct runner *runner);
// True when messages wait for the channel to become writable; call process_runner_write then.
bool process_runner_wants_write(const struct runner *runner);
void process_runner_write(struct runner *runner);
// Reads what came and calls the events. False: the runner process has died; every open run got its
// on_end with RUNNER_GONE after all its processes were killed.
bool process_runner_read(struct runner *runner);
// Looks whether the runner process still reads what it is told; to be called about each second.
// True when it has not done so for `limit`: it is stopped, or hangs, and keeps no deadline. It was
// killed then, and process_runner_read will say so.
bool process_runner_kill_if_hung(struct runner *runner, struct duration limit);

// What all processes of this runner's runs carry, unlike those of any other runner. To be noted
// before the first run is started, for process_runner_end_left.
uint64_t process_runner_mark(const struct runner *runner);
// For when a runner and its scheduler were killed together, and nobody ended what they ran: ends
// all that carries the mark. Returns how many processes could not be ended.
int process_runner_end_left(uint64_t mark);

int process_runner_pid(const struct runner *runner);
void process_runner_set_output_max(struct runner *runner, int64_t bytes);
// Closes the channel, waits until the runner process has ended everything and is gone.
void process_runner_free(struct runner *runner);
