// SPDX-License-Identifier: MIT
// The folders cron.hourly, cron.daily, cron.weekly and cron.monthly, whose programs run-parts
// executes.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct run_parts_folder {
    const char *name;     // "cron.daily"
    const char *label;    // "daily", for the names of its jobs
    const char *schedule; // where no crontab says when
};

#define RUN_PARTS_FOLDERS 4
extern const struct run_parts_folder run_parts_folders[RUN_PARTS_FOLDERS];

// Does run-parts (and Debian's cron in cron.d) take a file of this name?
bool run_parts_takes(const char *name);
// The folder that the command of a crontab hands to run-parts; NULL = it is another command.
const struct run_parts_folder *run_parts_called(const char *command);
const struct run_parts_folder *run_parts_by_name(const char *name); // NULL
