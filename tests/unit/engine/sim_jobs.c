// SPDX-License-Identifier: MIT
// What the fleet is to do: jobs of all policies, whose schedules change with each version.
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

static const char *const schedules[] = {
    "* * * * *",  "*/2 * * * *", "@every 37s", "@every 50s", "@every 90s",
    "@every 10s", "*/5 * * * *", "@every 4m",  "* * * * *",  "@every 20s",
};

static const struct job_retries retries = {
    .max = 2, .backoff = {20000000}, .factor = 3, .max_backoff = {120000000}, .jitter = 0.3};
static const struct job_retries no_retries;
static const struct job_command no_command;

// What of a job is the same in all versions follows from its number and the seed.
void sim_jobs_draw(struct sim *sim)
{
    for (int i = 0; i < SIM_JOBS; i++) {
        bool canary = i < SIM_CANARIES;
        snprintf(sim->names[i], sizeof sim->names[i], "job-%d", i);
        sim->overlaps[i] = canary ? JOB_OVERLAP_ALLOW : (enum job_overlap)sim_dice(sim, 4);
        sim->takes_ms[i] = canary ? 200 : 100 + sim_dice(sim, 30000);
        if (!canary && i % 4 == 0) {
            sim->takes_ms[i] = 60000 + sim_dice(sim, 240000); // longer than a lease
        }
    }
}

static void job_fill(struct sim *sim, struct job *job, int i, int definitions)
{
    const struct zone *zone;
    struct error err = ERROR_INIT;
    bool canary = i < SIM_CANARIES;
    size_t choice = (size_t)(i * 7 + (i % 3 == 0 ? definitions : 0)) % ARRAY_LENGTH(schedules);
    const char *schedule = canary ? "* * * * *" : schedules[choice];
    *job = (struct job){.name = alloc_string(sim->names[i]),
                        .schedule_text = schedule,
                        .timezone = "UTC",
                        .overlap = sim->overlaps[i],
                        .kill_after = DURATION_S(10),
                        .missed_within = DURATION_S(86400),
                        .missed = canary ? JOB_MISSED_LAST : (enum job_missed)(i % 3),
                        .on_lost = i % 2 == 0 ? JOB_LOST_RETRY : JOB_LOST_FAIL,
                        .retries = !canary && i % 3 == 1 ? &retries : &no_retries,
                        .jitter = !canary && i % 5 == 0 ? DURATION_S(15) : DURATION_S(0),
                        .command = &no_command};
    assert_true(zone_cache_get(sim->zones, "UTC", &zone, &err));
    if (!schedule_parse(schedule, zone, SCHEDULE_DST_RUN, job->name, &job->schedule, &err)) {
        fail_msg("%s", err.text);
    }
}

struct definitions {
    struct job jobs[SIM_JOBS];
    size_t count;
    char hash[16];
};

static void definitions_release(void *owner)
{
    struct definitions *definitions = owner;
    for (size_t i = 0; i < definitions->count; i++) {
        free((char *)(uintptr_t)definitions->jobs[i].name);
    }
    free(definitions);
}

// Every third version lacks the last two jobs.
struct job_set sim_set(struct sim *sim, int number, int64_t version)
{
    struct definitions *definitions = alloc_zero(1, sizeof *definitions);
    definitions->count = number % 3 == 2 ? SIM_JOBS - 2 : SIM_JOBS;
    snprintf(definitions->hash, sizeof definitions->hash, "d%d", number);
    for (size_t i = 0; i < definitions->count; i++) {
        job_fill(sim, &definitions->jobs[i], (int)i, number);
    }
    return (struct job_set){.jobs = definitions->jobs,
                            .count = definitions->count,
                            .hash = definitions->hash,
                            .version = version,
                            .zones = sim->zones,
                            .owner = definitions,
                            .release = definitions_release};
}
