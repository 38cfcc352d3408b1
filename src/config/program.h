// SPDX-License-Identifier: MIT
// Will a command start? Finds its program as the runner will, and judges it for the user it runs
// as.
#pragma once

#include "config/access.h"
#include "job/job.h"

enum program_result {
    PROGRAM_FINE,
    PROGRAM_MISSING,
    PROGRAM_NOT_A_FILE,
    PROGRAM_DENIED,
    PROGRAM_NOEXEC,
    PROGRAM_NO_INTERPRETER, // the program after "#!" is not there or not ours
    PROGRAM_NO_FORMAT,      // neither a binary nor a script with "#!"
};

struct program {
    enum program_result result;
    char path[4096];       // what was found, or looked for
    char interpreter[256]; // of a script
};

// The PATH the job will have.
const char *program_search_path(const struct job_command *command);
void program_find(const struct access_user *user, const struct job_command *command,
                  struct program *program_out);
