// SPDX-License-Identifier: MIT
// A job: a named piece of work with a schedule, as the configuration defines it. Plain data; owned
// by the config that made it (struct config), shared read-only by everybody else.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "schedule/schedule.h"
#include "time/instant.h"

#define JOB_NAME_MAX 128

enum job_kind { JOB_COMMAND, JOB_SHELL, JOB_SQL, JOB_HTTP, JOB_KIND_COUNT };
enum job_overlap { JOB_OVERLAP_SKIP, JOB_OVERLAP_QUEUE, JOB_OVERLAP_ALLOW, JOB_OVERLAP_REPLACE };
enum job_missed { JOB_MISSED_SKIP, JOB_MISSED_LAST, JOB_MISSED_ALL };
enum job_on_lost { JOB_LOST_FAIL, JOB_LOST_RETRY };

const char *job_kind_name(enum job_kind kind);
const char *job_overlap_name(enum job_overlap overlap);
const char *job_missed_name(enum job_missed missed);
const char *job_on_lost_name(enum job_on_lost on_lost);

struct job_variable {
    const char *name;
    const char *value;
};

struct job_limits {     // 0 (and nice 0) = not limited
    int64_t memory;     // bytes of address space, RLIMIT_AS
    int64_t cpu_time;   // seconds, RLIMIT_CPU
    int64_t open_files; // RLIMIT_NOFILE
    int nice;           // -20..19
};

struct job_retries {
    int max; // attempts after the first; 100 at most
    struct duration backoff;
    double factor;
    struct duration max_backoff;
    double jitter; // 0..1: share of the delay that is drawn
};

// PATH of a job that sets none: the runner gives it, validation looks there.
#define JOB_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// What a command or shell job executes. Strings are NULL when not configured.
struct job_command {
    const char *const *argv;        // NULL-terminated; shell jobs: {"/bin/sh", "-c", text, NULL}
    const char *user;               // NULL = ours
    const char *workdir;            // NULL = the user's home, or "/" where there is none
    const struct job_variable *env; // name NULL ends; NULL = none
    const char *const *pass_env;    // NULL-terminated; NULL = none
    struct job_limits limits;
    // NULL = nothing. What it finds on its standard input, a file in memory that nobody else sees;
    // what it leaves there instead is its report (struct runner_end). For our own workers.
    const char *input;
};

// What a sql job executes, on one of the configured databases.
struct job_sql {
    const char *database;
    const char *statement;
    const char *role; // NULL = the role of the connection
    bool transaction; // false: outside of a transaction, as VACUUM and CALL want it
};

#define JOB_EXPECT_MAX 16
struct job_status_range { // of HTTP statuses, both ends included
    int first, last;
};

// What an http job requests.
struct job_http {
    const char *method;
    const char *url;
    const char *shown_url; // for messages: without the query, and without what came from outside
    const struct job_variable *headers; // name NULL ends; NULL = none
    const char *body;                   // NULL = not configured: the run's facts as JSON
    const char *secret;                 // signs the request; NULL = not signed
    const char *ca;                     // path of certificates to trust; NULL = the system's
    struct job_status_range expect[JOB_EXPECT_MAX];
    int expect_count;
    bool callback; // complete: callback: its end comes by a request to us
};

struct job {
    const char *name;
    const char *description;   // NULL
    const char *owner;         // NULL
    const char *runbook;       // NULL
    const char *schedule_text; // as written
    const char *timezone;      // name
    struct schedule schedule;
    struct duration jitter;
    struct duration timeout;    // 0 = none
    struct duration kill_after; // from TERM to KILL
    struct duration missed_within;
    struct duration must_succeed_within; // 0 = none
    const char *const *after;            // names of jobs, NULL-terminated; NULL = none
    struct duration after_within;
    // Labels that a node must have to run it; name NULL ends; NULL = any node
    const struct job_variable *nodes;
    const struct job_retries *retries; // never NULL; max 0 = none
    const struct job_command *command; // never NULL; argv only of command and shell jobs
    const struct job_sql *sql;         // of sql jobs, else NULL
    const struct job_http *http;       // of http jobs, else NULL
    // What a run may be given; name NULL ends, value NULL = must be given; NULL = none declared
    const struct job_variable *params;
    enum job_kind kind : 8;
    enum job_overlap overlap : 8;
    enum job_missed missed : 8;
    enum job_on_lost on_lost : 8;
    uint32_t config_line; // where it was defined, for messages
    const char *config_file;
};

// The schedule as it is recorded as in force, in one line of JSON with sorted keys:
// {"dst":"run","schedule":"15 2 * * *","timezone":"Europe/Berlin"}. What the ledger is recomputed
// from later. The caller frees it.
char *job_schedule_spec(const struct job *job);
// May a node with these labels (name NULL ends; NULL = none) run the job?
bool job_fits(const struct job *job, const struct job_variable *labels);
// Labels as people write them: "disk=fast, region=eu".
void job_labels_describe(const struct job_variable *labels, struct buf *out);
// Jitter: how long after its due time this slot starts. Stable for (job, slot) on every node.
struct duration job_jitter(const struct job *job, struct instant due_at);
