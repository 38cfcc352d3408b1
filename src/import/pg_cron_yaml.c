// SPDX-License-Identifier: MIT
// pg_cron's jobs as a configuration. What is written loads: schedules and statements are read as
// the loader will read them.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "import/crontab.h"
#include "import/pg_cron.h"
#include "import/yaml_text.h"
#include "job/job.h"
#include "schedule/schedule.h"
#include "statement/statement.h"

#define NAME_SIZE (JOB_NAME_MAX + 1)
#define TEXT_MAX  ((size_t)1024 * 1024)
#define PASSWORD  "PGPASSWORD" // the variable that the URLs refer to

struct writer {
    const struct pg_cron *source;
    const struct pg_cron_sink *sink;
    struct zone_cache *zones;
    const struct zone *zone;
    const char *timezone;
    struct map names;     // of jobs
    struct map databases; // "host port database" to its name
    struct buf database_lines, job_lines;
    struct arena arena;
    struct pg_cron_counts counts;
};

static void remark(struct writer *writer, const char *job, enum pg_cron_remark kind,
                   const char *text)
{
    writer->counts.lost += kind == PG_CRON_LOST;
    writer->sink->remark(writer->sink->context, job, kind, text);
}

// ---- names --------------------------------------------------------------------------------------

static void clean_name(const char *wanted, char out[NAME_SIZE])
{
    size_t length = 0;
    for (const char *c = wanted; *c != '\0' && length < NAME_SIZE - 24; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        bool good = letter || (*c >= '0' && *c <= '9') || (length > 0 && strchr("_.-", *c) != NULL);
        if (good || length > 0) {
            out[length++] = *c;
            out[length - 1] = good ? *c : '-';
        }
    }
    out[length] = '\0';
}

static const char *take_name(struct writer *writer, struct map *names, const char *wanted,
                             int64_t id)
{
    char name[NAME_SIZE + 24];
    clean_name(wanted, name);
    if (name[0] == '\0') {
        snprintf(name, sizeof name, "pg-cron-%" PRId64, id);
    }
    while (map_get(names, name) != NULL) {
        size_t length = strlen(name);
        snprintf(name + length, sizeof name - length, "-%" PRId64, id);
    }
    char *kept = arena_string(&writer->arena, name);
    map_put(names, kept, kept);
    return kept;
}

// ---- databases ----------------------------------------------------------------------------------

static bool is_this_server(const struct writer *writer, const struct pg_cron_job *job)
{
    static const char *const here[] = {"", "localhost", "127.0.0.1", "::1"};
    bool is_local = job->host == NULL || job->host[0] == '/';
    for (size_t i = 0; !is_local && i < ARRAY_LENGTH(here); i++) {
        is_local = strcmp(job->host, here[i]) == 0;
    }
    return is_local || strcmp(job->host, writer->source->host) == 0;
}

static void add_encoded(struct buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool plain = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~",
                            *c) != NULL;
        buf_printf(out, plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
}

// A socket in the file system stands among the options.
static void add_url(const struct writer *writer, const char *host, const char *port,
                    const char *database, struct buf *out)
{
    const struct pg_cron *source = writer->source;
    bool is_socket = host[0] == '/';
    buf_add_string(out, "\"postgresql://");
    add_encoded(out, source->user);
    buf_add_string(out, source->has_password ? ":${" PASSWORD "}@" : "@");
    if (!is_socket) {
        buf_printf(out, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
    }
    buf_add_char(out, '/');
    add_encoded(out, database);
    buf_add_string(out, source->options);
    if (is_socket) {
        buf_printf(out, "%chost=", source->options[0] == '\0' ? '?' : '&');
        add_encoded(out, host);
        buf_printf(out, "&port=%s", port);
    }
    buf_add_char(out, '"');
}

static const char *database_of(struct writer *writer, const struct pg_cron_job *job,
                               const char *shown)
{
    const struct pg_cron *source = writer->source;
    bool is_here = is_this_server(writer, job);
    const char *host = is_here ? source->host : job->host;
    const char *port = is_here ? source->port : job->port;
    char *key = arena_printf(&writer->arena, "%s %s %s", host, port, job->database);
    const char *name = map_get(&writer->databases, key);
    if (name != NULL) {
        return name;
    }
    name = take_name(writer, &writer->databases, job->database, job->id);
    map_put(&writer->databases, key, (void *)(uintptr_t)name);
    buf_add_string(&writer->database_lines, "  - name: ");
    yaml_text_add(&writer->database_lines, name);
    buf_add_string(&writer->database_lines, "\n    url: ");
    add_url(writer, host, port, job->database, &writer->database_lines);
    buf_add_char(&writer->database_lines, '\n');
    if (!is_here) {
        remark(writer, shown, PG_CRON_NOTE,
               "connects to another server: check the URL and the password of its database");
    }
    return name;
}

// ---- one job ------------------------------------------------------------------------------------

static void add_history(struct buf *out, const struct pg_cron_job *job)
{
    buf_printf(out, "  # cron.job %" PRId64 ": ", job->id);
    if (job->runs == 0) {
        buf_add_string(out, "no run is recorded\n");
        return;
    }
    buf_printf(out, "%" PRId64 " run%s", job->runs, job->runs == 1 ? "" : "s");
    if (job->first == NULL) { // no connection could be made for it
        buf_printf(out, ", %" PRId64 " failed; none ever began\n", job->failed);
        return;
    }
    buf_printf(out,
               " since %s, %" PRId64 " failed; the last %s %s, the longest took %" PRId64 "s\n",
               job->first, job->failed, job->last == NULL ? "?" : job->last,
               job->last_status == NULL ? "?" : job->last_status, job->longest);
}

static void add_key(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, "    %s: ", key);
    yaml_text_add(out, text);
    buf_add_char(out, '\n');
}

static bool is_role_needed(const struct writer *writer, const struct pg_cron_job *job)
{
    return strcmp(job->user, writer->source->user) != 0;
}

static void add_job(const struct writer *writer, const struct pg_cron_job *job, const char *name,
                    const char *schedule, const char *database, struct buf *out)
{
    bool is_interval = strncmp(schedule, "@every", 6) == 0;
    add_history(out, job);
    buf_add_string(out, "  - name: ");
    yaml_text_add(out, name);
    buf_add_char(out, '\n');
    add_key(out, "schedule", schedule);
    add_key(out, "timezone", writer->timezone);
    buf_add_string(out, "    sql:\n      database: ");
    yaml_text_add(out, database);
    buf_add_string(out, "\n      statement: ");
    yaml_text_add(out, job->command);
    buf_add_char(out, '\n');
    if (!pg_cron_wants_transaction(job->command)) {
        buf_add_string(out, "      transaction: false\n");
    }
    if (is_role_needed(writer, job)) {
        buf_add_string(out, "      role: ");
        yaml_text_add(out, job->user);
        buf_add_char(out, '\n');
    }
    // What pg_cron does: it makes nothing up, waits for the run before, and has no limit of time.
    buf_printf(out, "    missed: skip\n    overlap: %s\n    timeout: 0s\n",
               is_interval ? "skip" : "queue");
}

static void add_commented(struct buf *out, const char *lines)
{
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        buf_printf(out, "  #%.*s\n", (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

static bool check_job(struct writer *writer, const struct pg_cron_job *job, const char *name,
                      char schedule[CRONTAB_WORD_SIZE], const char **note_out, struct error *err)
{
    struct schedule parsed;
    struct statement statement;
    if (!pg_cron_schedule(job->schedule, schedule, CRONTAB_WORD_SIZE, note_out, err) ||
        !schedule_parse(schedule, writer->zone, SCHEDULE_DST_RUN, name, &parsed, err)) {
        return false;
    }
    if (!schedule_ever_fires(&parsed, instant_from_unix(0))) {
        return error_set(err, ERROR_CONFIG, "\"%.80s\" never fires; no date matches it",
                         job->schedule);
    }
    if (strlen(job->command) > 100000) {
        return error_set(err, ERROR_LIMIT,
                         "its command is longer than 100,000 bytes: make it a function");
    }
    if (!statement_parse(job->command, STATEMENT_POSTGRESQL, NULL, &statement, err)) {
        return error_wrap(err, "its command");
    }
    if (!statement.is_single) {
        *note_out = *note_out != NULL
                        ? *note_out
                        : "has several statements: they go out together, and one that fails takes "
                          "back those before it, as it mostly does under pg_cron";
    }
    statement_release(&statement);
    return true;
}

static void remark_user(struct writer *writer, const struct pg_cron_job *job, const char *name)
{
    char text[512];
    if (is_role_needed(writer, job) && !job->may_be_user) {
        snprintf(text, sizeof text,
                 "runs as %.63s, and %.63s may not become that role: grant it, or give the "
                 "database a URL of that user",
                 job->user, writer->source->user);
        remark(writer, name, PG_CRON_NOTE, text);
    }
}

static void take_job(struct writer *writer, const struct pg_cron_job *job)
{
    char schedule[CRONTAB_WORD_SIZE];
    struct error err = ERROR_INIT;
    const char *note = NULL;
    const char *name =
        take_name(writer, &writer->names, job->name == NULL ? "" : job->name, job->id);
    if (!check_job(writer, job, name, schedule, &note, &err)) {
        remark(writer, name, PG_CRON_LOST, err.text);
        return;
    }
    if (job->name != NULL && strcmp(job->name, name) != 0) {
        remark(writer, name, PG_CRON_NOTE, "has another name under pg_cron, which is none here");
    }
    if (note != NULL) {
        remark(writer, name, PG_CRON_NOTE, note);
    }
    remark_user(writer, job, name);
    const char *database = database_of(writer, job, name);
    AUTO(buf_release) struct buf lines;
    buf_init(&lines, TEXT_MAX);
    add_job(writer, job, name, schedule, database, &lines);
    if (job->is_active) {
        writer->counts.jobs++;
        buf_add(&writer->job_lines, lines.data, lines.length);
        return;
    }
    writer->counts.inactive++;
    add_commented(&writer->job_lines, buf_string(&lines));
    remark(writer, name, PG_CRON_NOTE,
           "is not active under pg_cron and stands there as a comment; a job that is in force can "
           "be paused: ironcron pause JOB");
}

// ---- all of them --------------------------------------------------------------------------------

static void remark_all(struct writer *writer)
{
    const struct pg_cron *source = writer->source;
    char text[512];
    if (!source->sees_all) {
        snprintf(text, sizeof text,
                 "%.63s sees only its own jobs (row security): for all, connect as a superuser",
                 source->user);
        remark(writer, NULL, PG_CRON_NOTE, text);
    }
    if (source->count == 0) {
        return;
    }
    if (source->has_password) {
        remark(writer, NULL, PG_CRON_NOTE,
               "set " PASSWORD " where ironcron is started: the URLs refer to it");
    }
    if (strcmp(writer->timezone, "UTC") != 0) {
        remark(writer, NULL, PG_CRON_NOTE,
               "at a clock change pg_cron leaves out what falls into the gap and runs twice what "
               "falls into the repeated hour; ironcron does neither: ironcron next JOB --explain");
    }
    remark(writer, NULL, PG_CRON_NOTE,
           "while a run goes on pg_cron queues every slot of its job; ironcron the newest "
           "(overlap: queue), and the others are SKIPPED");
    snprintf(text, sizeof text,
             "pg_cron runs %.20s jobs at the same time; here node.max_running and the "
             "databases' `connections` bound them",
             source->max_running == NULL ? "32" : source->max_running);
    remark(writer, NULL, PG_CRON_NOTE, text);
    remark(writer, NULL, PG_CRON_NOTE,
           "pg_cron has no timeout, so that each job has timeout: 0s; set one, with the longest "
           "run in the comments in mind");
    remark(writer, NULL, PG_CRON_NOTE,
           "pg_cron still runs them. When ironcron is to: select cron.alter_job(jobid, active := "
           "false) from cron.job");
}

static void set_zone(struct writer *writer)
{
    struct error err = ERROR_INIT;
    writer->timezone = writer->source->timezone;
    if (!zone_cache_get(writer->zones, writer->timezone, &writer->zone, &err)) {
        remark(writer, NULL, PG_CRON_LOST, err.text);
        writer->timezone = "UTC";
        if (!zone_cache_get(writer->zones, "UTC", &writer->zone, &err)) {
            remark(writer, NULL, PG_CRON_LOST, err.text);
        }
    }
}

void pg_cron_yaml(const struct pg_cron *source, struct zone_cache *zones,
                  const struct pg_cron_sink *sink, struct buf *out,
                  struct pg_cron_counts *counts_out)
{
    struct writer writer = {.source = source, .sink = sink, .zones = zones};
    map_init(&writer.names);
    map_init(&writer.databases);
    arena_init(&writer.arena, (size_t)256 * 1024 * 1024);
    buf_init(&writer.database_lines, out->maximum);
    buf_init(&writer.job_lines, out->maximum);
    set_zone(&writer);
    for (size_t i = 0; i < source->count; i++) {
        take_job(&writer, &source->jobs[i]);
    }
    remark_all(&writer);
    buf_printf(out, "databases:%s\n%s", writer.database_lines.length == 0 ? " []" : "",
               buf_string(&writer.database_lines));
    buf_printf(out, "jobs:%s\n%s", writer.counts.jobs == 0 ? " []" : "",
               buf_string(&writer.job_lines));
    *counts_out = writer.counts;
    buf_release(&writer.database_lines);
    buf_release(&writer.job_lines);
    map_release(&writer.names);
    map_release(&writer.databases);
    arena_release(&writer.arena);
}
