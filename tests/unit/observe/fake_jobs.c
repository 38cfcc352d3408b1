// SPDX-License-Identifier: MIT
#include "fake_jobs.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

void fake_jobs_init(struct fake_jobs *fake, const char *const *names, size_t count)
{
    fake->jobs = alloc_zero(count + 1, sizeof *fake->jobs);
    fake->views = alloc_zero(count + 1, sizeof *fake->views);
    fake->count = count;
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "job-%zu", i);
        fake->jobs[i].name = alloc_string(names == NULL ? name : names[i]);
        fake->jobs[i].schedule_text = "* * * * *";
        fake->jobs[i].timezone = "UTC";
        fake->views[i] = (struct engine_job_view){
            .job = &fake->jobs[i], .next_due = INSTANT_NONE, .last_success = INSTANT_NONE};
    }
}

void fake_jobs_release(struct fake_jobs *fake)
{
    for (size_t i = 0; i < fake->count; i++) {
        free((char *)(uintptr_t)fake->jobs[i].name);
    }
    free(fake->jobs);
    free(fake->views);
}

void fake_jobs_each(void *source, void (*each)(void *context, const struct engine_job_view *view),
                    void *context)
{
    const struct fake_jobs *fake = source;
    for (size_t i = 0; i < fake->count; i++) {
        each(context, &fake->views[i]);
    }
}

struct engine_run fake_run(const struct job *job)
{
    return (struct engine_run){.job = job, .attempt = 1, .trigger = TRIGGER_SCHEDULE};
}
