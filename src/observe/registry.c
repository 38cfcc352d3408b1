// SPDX-License-Identifier: MIT
#include "observe/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

static int compare_names(const void *a, const void *b, void *context)
{
    const struct registry_job *jobs = context;
    return strcmp(jobs[*(const uint32_t *)a].job->name, jobs[*(const uint32_t *)b].job->name);
}

static struct job_numbers *take_numbers(const struct registry *old, const char *name)
{
    struct registry_job *job = registry_find(old, name);
    if (job == NULL) {
        return NULL;
    }
    struct job_numbers *numbers = job->numbers;
    job->numbers = NULL;
    return numbers;
}

void registry_set(struct registry *registry, const struct job *jobs, size_t count)
{
    CHECK(count < UINT32_MAX);
    struct registry fresh = {
        .jobs = alloc_zero(count + 1, sizeof *fresh.jobs),
        .by_name = alloc_zero(count + 1, sizeof *fresh.by_name),
        .count = count,
    };
    for (size_t i = 0; i < count; i++) {
        fresh.jobs[i].job = &jobs[i];
        fresh.jobs[i].numbers = take_numbers(registry, jobs[i].name);
        fresh.by_name[i] = (uint32_t)i;
    }
    qsort_r(fresh.by_name, count, sizeof *fresh.by_name, compare_names, fresh.jobs);
    registry_release(registry);
    *registry = fresh;
}

void registry_release(struct registry *registry)
{
    for (size_t i = 0; i < registry->count; i++) {
        free(registry->jobs[i].numbers);
    }
    free(registry->jobs);
    free(registry->by_name);
    *registry = (struct registry){0};
}

struct registry_job *registry_find(const struct registry *registry, const char *name)
{
    size_t low = 0;
    size_t high = registry->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct registry_job *job = &registry->jobs[registry->by_name[middle]];
        int order = strcmp(name, job->job->name);
        if (order == 0) {
            return job;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

struct job_numbers *registry_numbers(struct registry_job *job)
{
    if (job->numbers == NULL) {
        job->numbers = alloc_zero(1, sizeof *job->numbers);
    }
    return job->numbers;
}
