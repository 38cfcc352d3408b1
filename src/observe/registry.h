// SPDX-License-Identifier: MIT
// The numbers behind metrics.h: one entry for each configured job, and those of the node. Private
// to this folder's metrics, families and scrape.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "observe/histogram.h"
#include "observe/metrics.h"

#define LOCK_RESULT_COUNT 4
#define AUDIT_EVENTS_MAX  64

// Made when something first happens to a job.
struct job_numbers {
    uint32_t runs[RUN_STATE_COUNT];
    uint32_t failures[FAILURE_COUNT];
    uint32_t missed[SLOT_REASON_COUNT];
    uint32_t skipped[SLOT_REASON_COUNT];
    uint32_t locks[LOCK_RESULT_COUNT];
    struct histogram duration;
    struct histogram delay;
    struct histogram queue;
};

struct registry_job {
    const struct job *job;
    struct job_numbers *numbers; // NULL = all zero
};

struct registry {
    struct registry_job *jobs; // in the order given
    uint32_t *by_name;         // indexes into jobs, sorted by name
    size_t count;
};

void registry_set(struct registry *registry, const struct job *jobs, size_t count);
void registry_release(struct registry *registry);
// NULL when no such job is configured.
struct registry_job *registry_find(const struct registry *registry, const char *name);
// Makes the numbers where there are none.
struct job_numbers *registry_numbers(struct registry_job *job);

struct audit_count {
    char event[48];
    uint64_t rows;
};

struct metrics {
    struct engine_events events;
    struct registry registry;
    metrics_each_job_fn *each_job;
    void *source;
    struct scrape *scrapes; // those that are open
    char version[64];
    char revision[EXPOSITION_LABEL_MAX + 1];
    struct audit_count audit[AUDIT_EVENTS_MAX];
    size_t audit_count;
    struct histogram statements;
    struct duration clock_skew;
    int64_t locks_share_us; // millionths of the server's lock table that are taken
    uint64_t fenced;
    uint64_t reconnects;
    int nodes_live;
    bool store_is_up;
    bool is_draining;
    bool refuses; // the active definitions
};
