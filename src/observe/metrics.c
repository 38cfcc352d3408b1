// SPDX-License-Identifier: MIT
#include "observe/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "observe/registry.h"
#include "observe/scrape.h"

// ---- counting -----------------------------------------------------------------------------------

// NULL: the job left the configuration while it ran; its series are gone.
static struct job_numbers *numbers_of(struct metrics *metrics, const struct job *job)
{
    struct registry_job *found = registry_find(&metrics->registry, job->name);
    return found == NULL ? NULL : registry_numbers(found);
}

// A retry, a manual run and a backfill are not late: nothing was due at the moment they began.
static bool is_due_start(enum run_trigger trigger)
{
    return trigger == TRIGGER_SCHEDULE || trigger == TRIGGER_CATCHUP;
}

static void count_started(void *context, const struct engine_run *run, struct duration delay)
{
    struct metrics *metrics = context;
    metrics_audit_row(metrics, run_state_name(RUN_STARTED));
    struct job_numbers *numbers = numbers_of(metrics, run->job);
    if (numbers != NULL && is_due_start(run->trigger)) {
        histogram_observe(&numbers->delay, &histogram_of_delays, delay);
    }
}

static void count_handed_over(void *context, const struct engine_run *run, struct duration queue)
{
    struct job_numbers *numbers = numbers_of(context, run->job);
    if (numbers != NULL) {
        histogram_observe(&numbers->queue, &histogram_of_delays, queue);
    }
}

// A lost run's end is unknown, and a dry-run or a failed spawn never had a process: no duration.
static bool has_duration(enum run_state state, enum run_failure failure)
{
    return state != RUN_LOST && state != RUN_DRY_RUN && failure != FAILURE_SPAWN;
}

static void count_ended(void *context, const struct engine_run *run, enum run_state state,
                        enum run_failure failure, struct duration duration, const char *error)
{
    (void)error;
    struct metrics *metrics = context;
    CHECK(run_state_is_final(state) && failure < FAILURE_COUNT);
    metrics_audit_row(metrics, run_state_name(state));
    struct job_numbers *numbers = numbers_of(metrics, run->job);
    if (numbers == NULL) {
        return;
    }
    numbers->runs[state]++;
    if (failure != FAILURE_NONE) {
        numbers->failures[failure]++;
    }
    if (has_duration(state, failure)) {
        histogram_observe(&numbers->duration, &histogram_of_durations, duration);
    }
}

static void count_passed_over(void *context, const struct job *job, struct instant due_at,
                              enum slot_outcome outcome, enum slot_reason reason)
{
    (void)due_at;
    struct metrics *metrics = context;
    CHECK(outcome == SLOT_SKIPPED || outcome == SLOT_MISSED);
    CHECK(reason < SLOT_REASON_COUNT);
    metrics_audit_row(metrics, slot_outcome_name(outcome));
    struct job_numbers *numbers = numbers_of(metrics, job);
    if (numbers != NULL) {
        uint32_t *counts = outcome == SLOT_MISSED ? numbers->missed : numbers->skipped;
        counts[reason]++;
    }
}

static void count_lock(void *context, const struct job *job, enum engine_lock_result result)
{
    CHECK(result < LOCK_RESULT_COUNT);
    struct job_numbers *numbers = numbers_of(context, job);
    if (numbers != NULL) {
        numbers->locks[result]++;
    }
}

static void count_stale(void *context, const struct engine_run *run)
{
    (void)run;
    metrics_audit_row(context, "STALE");
}

static void count_fenced(void *context, struct uuid node)
{
    (void)node;
    struct metrics *metrics = context;
    metrics->fenced++;
}

static void count_store(void *context, const struct error *err, const struct engine_outage *outage)
{
    (void)outage;
    struct metrics *metrics = context;
    if (err == NULL && !metrics->store_is_up) {
        metrics->reconnects++;
    }
    metrics->store_is_up = err == NULL;
}

void metrics_audit_row(struct metrics *metrics, const char *event)
{
    for (size_t i = 0; i < metrics->audit_count; i++) {
        if (strcmp(metrics->audit[i].event, event) == 0) {
            metrics->audit[i].rows++;
            return;
        }
    }
    // The events are a fixed set of words; the bound only keeps a mistake from growing.
    if (metrics->audit_count < AUDIT_EVENTS_MAX) {
        struct audit_count *fresh = &metrics->audit[metrics->audit_count++];
        snprintf(fresh->event, sizeof fresh->event, "%s", event);
        fresh->rows = 1;
    }
}

// ---- life ---------------------------------------------------------------------------------------

// Those of runs and slots are there from the start, so that a rate over the first one is right.
static void add_known_events(struct metrics *metrics)
{
    static const char *const known[] = {"STARTED",   "SUCCESS", "FAILED", "TIMED_OUT", "LOST",
                                        "CANCELLED", "SKIPPED", "MISSED", "DRY_RUN",   "STALE"};
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        metrics_audit_row(metrics, known[i]);
        metrics->audit[i].rows = 0;
    }
}

struct metrics *metrics_new(const struct metrics_options *options)
{
    struct metrics *metrics = alloc_zero(1, sizeof *metrics);
    const char *revision = options->revision == NULL ? "" : options->revision;
    snprintf(metrics->version, sizeof metrics->version, "%s", options->version);
    snprintf(metrics->revision, sizeof metrics->revision, "%s", revision);
    metrics->nodes_live = 1; // ourselves
    metrics->store_is_up = true;
    add_known_events(metrics);
    metrics->events = (struct engine_events){
        .context = metrics,
        .on_started = count_started,
        .on_handed_over = count_handed_over,
        .on_ended = count_ended,
        .on_passed_over = count_passed_over,
        .on_lock = count_lock,
        .on_stale = count_stale,
        .on_store = count_store,
        .on_fenced = count_fenced,
    };
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (metrics != NULL) {
        CHECK(metrics->scrapes == NULL);
        registry_release(&metrics->registry);
        free(metrics);
    }
}

const struct engine_events *metrics_events(struct metrics *metrics)
{
    return &metrics->events;
}

void metrics_set_jobs(struct metrics *metrics, const struct job *jobs, size_t count)
{
    scrape_finish_all(metrics);
    registry_set(&metrics->registry, jobs, count);
}

void metrics_set_source(struct metrics *metrics, metrics_each_job_fn *each_job, void *source)
{
    metrics->each_job = each_job;
    metrics->source = source;
}

void metrics_store_statement(struct metrics *metrics, struct duration took)
{
    histogram_observe(&metrics->statements, &histogram_of_statements, took);
}

void metrics_set_clock_skew(struct metrics *metrics, struct duration skew)
{
    metrics->clock_skew = skew;
}

void metrics_set_locks(struct metrics *metrics, int64_t locks, int64_t most)
{
    metrics->locks_share_us = most > 0 ? locks * 1000000 / most : 0;
}

void metrics_set_draining(struct metrics *metrics, bool is_draining)
{
    metrics->is_draining = is_draining;
}

void metrics_set_refuses(struct metrics *metrics, bool refuses)
{
    metrics->refuses = refuses;
}

void metrics_set_nodes_live(struct metrics *metrics, int nodes)
{
    metrics->nodes_live = nodes;
}

struct http_stream metrics_stream(struct metrics *metrics, enum exposition_format format)
{
    return (struct http_stream){
        .read = scrape_read, .free = scrape_free, .context = scrape_new(metrics, format)};
}

void metrics_render(struct metrics *metrics, enum exposition_format format, struct buf *out)
{
    struct scrape *scrape = scrape_new(metrics, format);
    char piece[16 * 1024];
    size_t length;
    while ((length = scrape_read(scrape, piece, sizeof piece)) > 0) {
        buf_add(out, piece, length);
    }
    scrape_free(scrape);
}
