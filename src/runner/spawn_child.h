// SPDX-License-Identifier: MIT
// What happens between the fork and the program. The child may share our memory (vfork), so nothing
// here allocates, and nothing but `failure` is written.
#pragma once

#include "runner/spawn.h"

#define SPAWN_PROGRAMS_MAX 64

enum spawn_step {
    SPAWN_STEP_PIPE,
    SPAWN_STEP_FORK,
    SPAWN_STEP_SESSION,
    SPAWN_STEP_OPEN_FILES,
    SPAWN_STEP_CPU_TIME,
    SPAWN_STEP_NICE,
    SPAWN_STEP_STREAMS,
    SPAWN_STEP_GROUPS,
    SPAWN_STEP_GID,
    SPAWN_STEP_UID,
    SPAWN_STEP_REGAIN,
    SPAWN_STEP_PARENT,
    SPAWN_STEP_PRIVILEGES,
    SPAWN_STEP_DIRECTORY,
    SPAWN_STEP_DESCRIPTORS,
    SPAWN_STEP_MEMORY,
    SPAWN_STEP_EXEC,
};

struct spawn_failure {
    enum spawn_step step;
    int error; // errno
};

struct spawn_plan {
    const struct spawn_setting *setting;
    const struct launch *launch;
    int output_fd;    // write end
    int input_fd;     // standard input: /dev/null, or own_input_fd
    int own_input_fd; // -1 = none
    // The paths to try in this order, from PATH or the one that was given; NULL ends.
    const char *programs[SPAWN_PROGRAMS_MAX + 1];
};

// Becomes the program, or returns why not.
struct spawn_failure spawn_child(const struct spawn_plan *plan);
