// SPDX-License-Identifier: MIT
// Crontabs as they lie about on a machine: files, folders of them, and folders for run-parts, read
// into one YAML. What is not carried over is said on stderr, or kept for --json.
#pragma once

#include <jansson.h>

#include "cli/command.h"
#include "import/crontab_yaml.h"
#include "import/run_parts.h"

struct crontab_files {
    const struct invocation *invocation;
    struct crontab_yaml yaml;
    struct crontab_source source; // of what is being read
    const char *root;             // the folder whose folders for run-parts belong to its crontab
    bool done[RUN_PARTS_FOLDERS]; // those that its crontab has said the time of
    json_t *remarks;              // NULL: they go to stderr at once
    size_t lost, notes, files;
};

// `timezone` is borrowed: the zone that cron followed.
void crontab_files_init(struct crontab_files *import, const struct invocation *invocation,
                        const char *timezone);
void crontab_files_release(struct crontab_files *import);
// A file, a folder, or "-" for standard input. What cannot be read is remarked upon.
void crontab_files_read(struct crontab_files *import, const char *path);
