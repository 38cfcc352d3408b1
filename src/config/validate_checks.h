// SPDX-License-Identifier: MIT
// The checks of startup validation, one file a subject. Internal to this room.
#pragma once

#include "config/validate.h"

// At most this many lines for one kind of fault: ten thousand jobs with one missing program are one
// problem.
#define VALIDATE_LINES_MAX 50

// The lines of one subject: beyond VALIDATE_LINES_MAX they are counted, and what has failed there
// still refuses the start.
struct validate_lines {
    struct validate_report *report;
    size_t count;
    size_t failed_unseen; // of those that are not shown
};

// One line about "KIND NAME". Remedy as above; the result is not OK.
void validate_line(struct validate_lines *lines, enum validate_result result, const char *kind,
                   const char *name, const char *detail, const char *remedy);
// At the end: says under `name` how many are not shown.
void validate_lines_end(const struct validate_lines *lines, const char *name);

void validate_files(const struct config *config, struct validate_report *report);
void validate_store(const struct config *config, const struct validate_options *options,
                    struct validate_report *report);
void validate_zones(const struct config *config, struct validate_report *report);
// Tells which jobs a clock change of the coming year touches; nothing is wrong with that.
void validate_clock_changes(const struct config *config, const struct validate_options *options,
                            struct validate_report *report);
// Tells of jobs that demand a node with other labels than this one's.
void validate_nodes(const struct config *config, struct validate_report *report);
void validate_jobs(const struct config *config, struct validate_report *report);
// The SQLite databases, and what jobs want of them.
void validate_sqlite(const struct config *config, struct validate_report *report);
void validate_postgresql(const struct config *config, const struct validate_options *options,
                         struct validate_report *report);
// What http jobs need: certificates, names that resolve. Sends no request.
void validate_http(const struct config *config, const struct validate_options *options,
                   struct validate_report *report);
void validate_disk(const struct config *config, struct validate_report *report);
void validate_port(const struct config *config, const struct validate_options *options,
                   struct validate_report *report);
void validate_clock(const struct validate_options *options, struct validate_report *report);
// Tells only what is wrong.
void validate_open_files(const struct config *config, struct validate_report *report);
