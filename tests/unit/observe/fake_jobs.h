// SPDX-License-Identifier: MIT
// Jobs, and views of them as the engine gives them, without an engine.
#pragma once

#include "observe/metrics.h"

struct fake_jobs {
    struct job *jobs;
    struct engine_job_view *views;
    size_t count;
};

// Named job-0 … or as given; schedule "* * * * *" in UTC.
void fake_jobs_init(struct fake_jobs *fake, const char *const *names, size_t count);
void fake_jobs_release(struct fake_jobs *fake);
// A metrics_each_job_fn; the source is the struct fake_jobs.
void fake_jobs_each(void *source, void (*each)(void *context, const struct engine_job_view *view),
                    void *context);
struct engine_run fake_run(const struct job *job);
