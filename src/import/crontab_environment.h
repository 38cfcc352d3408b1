// SPDX-License-Identifier: MIT
// The variables of a crontab: a line NAME=VALUE holds for the entries below it. Some names mean
// something to cron itself; those are kept apart from what only the jobs see.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define CRONTAB_VARIABLES_MAX 200 // different names in one crontab

struct crontab_variable {
    char *name;
    char *value;
};

struct crontab_environment {
    struct crontab_variable *variables; // what the jobs see
    size_t count, capacity;
    char *timezone;   // CRON_TZ; NULL
    int delay;        // RANDOM_DELAY, minutes
    const char *home; // HOME's value, or NULL; points into variables
    const char *shell;
};

void crontab_environment_init(struct crontab_environment *environment);
void crontab_environment_release(struct crontab_environment *environment);

// Is the line an assignment? *name_out and *value_out then are new strings, without the quotes and
// blanks around them; the caller frees them.
bool crontab_assignment_read(const char *line, char **name_out, char **value_out);
// Takes over what the assignment says. False: it is not carried over, and err says why. True with a
// text in *note_out: it is, with a difference.
bool crontab_environment_set(struct crontab_environment *environment, const char *name,
                             const char *value, const char **note_out, struct error *err) MUST_USE;
