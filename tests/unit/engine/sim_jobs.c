// SPDX-License-Identifier: MIT
// What the fleet is to do: jobs of all policies, whose schedules change with each version; some for
// nodes of one region only, some after others.
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

// ---- who waits for whom -------------------------------------------------------------------------

// Their schedules are the same in all versions: every ten minutes, those before each of them and
// what is after both five minutes later.
#define CHAIN_FIRST  7
#define CHAIN_SECOND 8
#define CHAIN_LAST   11

static bool is_of_chain(int job)
{
    return job == CHAIN_FIRST || job == CHAIN_SECOND || job == CHAIN_LAST;
}

const int *sim_after(int job)
{
    static const int first[] = {CHAIN_FIRST, -1};
    static const int both[] = {CHAIN_FIRST, CHAIN_SECOND, -1};
    return job == CHAIN_SECOND ? first : job == CHAIN_LAST ? both : NULL;
}

struct instant sim_last_due(int job, struct instant until)
{
    assert_true(job == CHAIN_FIRST || job == CHAIN_SECOND);
    return (struct instant){until.us / 600000000 * 600000000};
}

static void chain_fill(struct job *job, int i)
{
    static const char *const first[] = {"job-7", NULL};
    static const char *const both[] = {"job-7", "job-8", NULL};
    job->after = i == CHAIN_SECOND ? first : i == CHAIN_LAST ? both : NULL;
    job->after_within = DURATION_S(540);
    job->schedule_text = i == CHAIN_LAST ? "5-59/10 * * * *" : "*/10 * * * *";
    job->retries = &retries;
    job->on_lost = JOB_LOST_RETRY;
}

// ---- the definitions ----------------------------------------------------------------------------

static enum sim_region region_of(int job)
{
    switch (job) {
    case SIM_CANARIES - 1:
    case CHAIN_LAST:
    case 12:
    case 14:
        return SIM_EU;
    case 13:
    case 16:
        return SIM_US;
    default:
        return SIM_ANY;
    }
}

static const struct job_variable *labels_of(enum sim_region region)
{
    static const struct job_variable eu[] = {{"region", "eu"}, {NULL, NULL}};
    static const struct job_variable us[] = {{"region", "us"}, {NULL, NULL}};
    return region == SIM_EU ? eu : region == SIM_US ? us : NULL;
}

// What of a job is the same in all versions follows from its number and the seed.
void sim_jobs_draw(struct sim *sim)
{
    for (int i = 0; i < SIM_JOBS; i++) {
        bool canary = i < SIM_CANARIES;
        snprintf(sim->names[i], sizeof sim->names[i], "job-%d", i);
        sim->regions[i] = region_of(i);
        sim->overlaps[i] = canary ? JOB_OVERLAP_ALLOW : (enum job_overlap)sim_dice(sim, 4);
        sim->takes_ms[i] = canary ? 200 : 100 + sim_dice(sim, 30000);
        if (!canary && i % 4 == 0 && !is_of_chain(i)) {
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
    *job = (struct job){.name = alloc_string(sim->names[i]),
                        .schedule_text = canary ? "* * * * *" : schedules[choice],
                        .timezone = "UTC",
                        .overlap = sim->overlaps[i],
                        .kill_after = DURATION_S(10),
                        .missed_within = DURATION_S(86400),
                        .missed = canary ? JOB_MISSED_LAST : (enum job_missed)(i % 3),
                        .on_lost = i % 2 == 0 ? JOB_LOST_RETRY : JOB_LOST_FAIL,
                        .retries = !canary && i % 3 == 1 ? &retries : &no_retries,
                        .jitter = !canary && i % 5 == 0 ? DURATION_S(15) : DURATION_S(0),
                        .nodes = labels_of(sim->regions[i]),
                        .command = &no_command};
    if (is_of_chain(i)) {
        chain_fill(job, i);
    } else if (i == SIM_AT_BOOT) {
        job->schedule_text = "@reboot";
    }
    assert_true(zone_cache_get(sim->zones, "UTC", &zone, &err));
    if (!schedule_parse(job->schedule_text, zone, SCHEDULE_DST_RUN, job->name, &job->schedule,
                        &err)) {
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
