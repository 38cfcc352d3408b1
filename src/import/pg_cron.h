// SPDX-License-Identifier: MIT
// The jobs of pg_cron, as its tables in a database tell them, and as a configuration of ours.
// Nothing is dropped in silence: what is not carried over, or with a difference, is remarked upon.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "time/zone.h"

struct pg_cron_job {
    int64_t id;
    const char *name;     // NULL: it has none
    const char *schedule; // as written
    const char *command;
    const char *host, *port; // where it connects to
    const char *database, *user;
    bool is_active;
    bool may_be_user; // the connection's user may become this one
    // What cron.job_run_details has of it.
    int64_t runs, failed;
    const char *first, *last; // RFC 3339; NULL without any
    const char *last_status;
    int64_t longest; // seconds
};

struct pg_cron {
    struct arena arena;
    struct pg_cron_job *jobs;
    size_t count;
    const char *timezone;    // cron.timezone, or "UTC"
    const char *max_running; // cron.max_running_jobs
    bool sees_all;           // row security hides nothing from this user
    // The connection, to make the URLs of `databases` of.
    const char *user, *host, *port, *database;
    const char *options; // "?sslmode=require"; "" = none
    bool has_password;
};

// Connects, reads and disconnects. `url`: whatever libpq takes.
bool pg_cron_read(const char *url, struct pg_cron *out, struct error *err) MUST_USE;
void pg_cron_release(struct pg_cron *source);

enum pg_cron_remark {
    PG_CRON_LOST, // not carried over
    PG_CRON_NOTE, // carried over, with a difference that one should know
};
struct pg_cron_sink {
    void *context;
    // `job` NULL: about all of them. `text` may quote what stands in the database.
    void (*remark)(void *context, const char *job, enum pg_cron_remark remark, const char *text);
};
struct pg_cron_counts {
    size_t jobs, inactive, lost;
};
// As YAML: databases and jobs. An inactive job stands there as a comment.
void pg_cron_yaml(const struct pg_cron *source, struct zone_cache *zones,
                  const struct pg_cron_sink *sink, struct buf *out,
                  struct pg_cron_counts *counts_out);

// "30 seconds", "0 3 $ * *", "@daily" in our syntax. *note_out: a difference, or NULL.
bool pg_cron_schedule(const char *text, char *out, size_t size, const char **note_out,
                      struct error *err) MUST_USE;
// May the command run inside of a transaction, or does it want none, as VACUUM and CALL?
bool pg_cron_wants_transaction(const char *command);
