// SPDX-License-Identifier: MIT
// What a worker process is to do, as it travels from `serve` through the runner process: one line
// of JSON on the worker's standard input, a file in memory. So nothing of it (params may be secret)
// shows in arguments, environments or logs.
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "base/error.h"
#include "job/database.h"
#include "job/params.h"
#include "runner/runner.h"

// ironcron's own store, which is no job's to write; inode 0 = nothing.
struct order_store {
    dev_t device;
    ino_t inode;
};

// A SQL job's run on a SQLite database. As decoded: texts are borrowed from `root`.
struct order {
    json_t *root;
    const char *job;
    const char *database; // its name
    const char *path;
    const char *statement;
    const char *timeout; // for people; NULL = none
    bool transaction;
    const char *due_at; // as the contract writes it on SQLite
    const char *run_id;
    int64_t fence;
    struct job_variable params[JOB_PARAMS_MAX + 1]; // name NULL ends
    struct order_store store;
};

// The caller frees the text.
bool order_encode(const struct runner_start *start, const struct database *database,
                  const struct order_store *store, char **text_out, struct error *err) MUST_USE;
bool order_decode(const char *text, size_t length, struct order *order_out,
                  struct error *err) MUST_USE;
void order_release(struct order *order);
