// SPDX-License-Identifier: MIT
// The table of metric families (families.def) and how each is rendered from the numbers.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "observe/exposition.h"
#include "observe/process.h"
#include "observe/registry.h"

// What the engine said of a job when the scrape began.
struct job_gauges {
    struct instant next_due;
    struct instant last_success;
    int running;
};

struct family_input {
    const struct metrics *metrics;
    const struct process_stats *process;
    const struct registry_job *job;  // NULL for families of the node
    const struct job_gauges *gauges; // of that job
};

struct family {
    const char *name; // of the samples, without a histogram's suffixes
    enum exposition_type type;
    const char *unit; // NULL
    const char *help;
    bool is_per_job; // render is called for each job, else once
    void (*render)(struct exposition *out, const char *name, const struct family_input *input);
};

// A render writes at most this much.
#define FAMILY_RENDER_MAX ((size_t)24 * 1024)

extern const struct family family_table[];
extern const size_t family_count;
