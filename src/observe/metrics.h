// SPDX-License-Identifier: MIT
// Everything that /metrics shows: counted from the engine's events, kept for each configured job,
// and rendered as a stream. Counters are this process's; what must be equal on every node comes
// from the engine when a scrape begins. A job that has done nothing costs 20 bytes here.
#pragma once

#include <stddef.h>

#include "engine/engine.h"
#include "engine/events.h"
#include "http/request.h"
#include "job/job.h"
#include "observe/exposition.h"
#include "time/instant.h"

struct metrics;

struct metrics_options {
    const char *version;
    const char *revision; // NULL
};

struct metrics *metrics_new(const struct metrics_options *options); // strings are copied
void metrics_free(struct metrics *metrics); // no stream may be open any more

// The configured jobs, after start and after each reload: counters of jobs that remain go on, those
// of removed ones vanish. `jobs` must live until the next call; names are unique.
void metrics_set_jobs(struct metrics *metrics, const struct job *jobs, size_t count);

// What the engine is given (through a fanout) so that it is counted here.
const struct engine_events *metrics_events(struct metrics *metrics);

// Where next due, last success and running come from: called when a scrape begins. Has the form of
// engine_each_job, so that tests need no engine. Views in the order of metrics_set_jobs are
// quickest.
typedef void metrics_each_job_fn(void *source,
                                 void (*each)(void *context, const struct engine_job_view *view),
                                 void *context);
void metrics_set_source(struct metrics *metrics, metrics_each_job_fn *each_job, void *source);
void metrics_watch_engine(struct metrics *metrics, struct engine *engine); // NULL: no more

// What the owner sees besides the engine.
void metrics_store_statement(struct metrics *metrics, struct duration took);
void metrics_audit_row(struct metrics *metrics,
                       const char *event); // rows that are no run's, PAUSED …
void metrics_set_clock_skew(struct metrics *metrics, struct duration skew);
// Of the server's lock table, so many of about so many are taken; 0 of 0: it has none.
void metrics_set_locks(struct metrics *metrics, int64_t locks, int64_t most);
void metrics_set_nodes_live(struct metrics *metrics, int nodes);
void metrics_set_draining(struct metrics *metrics, bool is_draining);
void metrics_set_refuses(struct metrics *metrics, bool refuses); // the active definitions

// One scrape. It shows the gauges of this moment; counters may go on while a slow client reads.
// Several may be open at once, also across metrics_set_jobs.
struct http_stream metrics_stream(struct metrics *metrics, enum exposition_format format);
// The same in one piece, for tests and the command line.
void metrics_render(struct metrics *metrics, enum exposition_format format, struct buf *out);
