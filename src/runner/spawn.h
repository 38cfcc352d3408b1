// SPDX-License-Identifier: MIT
// Starts a run's first process: session, limits, user, working directory, then the program, each
// step checked. Runs in the runner process, which has all signals blocked and at their defaults.
#pragma once

#include "base/error.h"
#include "runner/launch.h"

// What all starts of this runner share.
struct spawn_setting {
    pid_t runner;
    int null_fd;             // /dev/null: the standard input of what has none
    uint64_t open_files_own; // the soft RLIMIT_NOFILE before the runner raised it for itself
};

struct spawned {
    pid_t pid;
    int output_fd; // read end of standard output and error, non-blocking; the caller closes it
    int input_fd;  // what has an input leaves its report there; -1 = none; the caller closes it
    // -1: the program runs already. Otherwise it becomes readable once that is decided, and
    // spawn_status says how; the caller closes it.
    int status_fd;
};

// False: nothing was left behind and err says which step failed, why, and as which user.
bool spawn_start(const struct spawn_setting *setting, const struct launch *launch,
                 struct spawned *spawned_out, struct error *err) MUST_USE;

enum spawn_progress { SPAWN_PENDING, SPAWN_RUNNING, SPAWN_FAILED };
// `program` and `user` are for the text; they are the launch's argv[0] and user.
enum spawn_progress spawn_status(int status_fd, const char *program, const char *user,
                                 struct error *err) MUST_USE;
