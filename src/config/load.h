// SPDX-License-Identifier: MIT
// What a load has in hand between the bytes of the main file and the finished struct config.
// Internal to this room (and its fuzz target).
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "config/config.h"
#include "config/conform.h"
#include "config/digest.h"
#include "config/pool.h"

// What of a job is needed only until all jobs are known.
struct load_job {
    uint8_t digest[DIGEST_SIZE];
    int column; // where its definition begins
};

// A name under a job's "after", and where it stands.
struct load_after {
    size_t job; // its index
    const char *name;
    const char *file;
    int line, column;
};

struct load {
    struct config *config; // in the making
    struct config_problems *problems;
    struct substitution substitution;
    struct pool pool;
    struct job *jobs;
    struct load_job *extras; // one for each job
    size_t job_count, job_capacity, extra_capacity;
    struct buf digest_form;    // scratch
    struct load_after *afters; // in the order of the jobs
    size_t after_count, after_capacity;
    struct map names;               // of a job to its index + 1
    struct jobs_defaults *defaults; // what every job starts from
    const char **files;
    size_t file_count, file_capacity;
    struct json_t
        *shared; // the included files for the store (config/definitions.h); NULL = none yet
};

// The beginning and the end of a load. load_end gives the finished configuration, or frees it.
struct config *load_begin(struct load *load, const char *name, const char *folder,
                          const struct substitution *substitution,
                          struct config_problems *problems);
bool load_end(struct load *load, bool is_usable, struct config **config_out) MUST_USE;
// What follows from all jobs being known; `root` of the main file.
void load_finish(struct load *load, const struct yaml_tree_node *root);
// No jobs, for who only looks.
void load_finish_faulty(struct load *load);

// Parses bytes as a main file called `name`, whose folder is `folder` (absolute). `closed`: neither
// the environment nor the file system is touched, but for time zones; nothing is registered with
// the log.
bool config_load_bytes(const char *name, const char *folder, const char *bytes, size_t length,
                       bool closed, struct config **config_out,
                       struct config_problems *problems) MUST_USE;

// From here on messages and jobs come from this file.
void load_file_begins(struct load *load, const char *name);
// An included file's bytes: checked, its jobs added.
void load_included(struct load *load, const char *bytes, size_t length);
// A secret was found here. One that is written in the file itself is remembered, and refused where
// the store keeps the definitions.
void load_secret(struct load *load, const struct conform *conform,
                 const struct yaml_tree_node *node, bool is_written);
// An included file: read, checked, its jobs added. `name` as people would write it.
void load_include(struct load *load, const char *name);
// A path of the configuration, made absolute, in the config's arena.
const char *load_path(struct load *load, const char *path);
