// SPDX-License-Identifier: MIT
#include "observe/run_log.h"

#include <stdio.h>

#include "base/log.h"
#include "time/format.h"

// The texts that the fields of a run's record point to.
struct run_fields {
    char run_id[UUID_TEXT_SIZE];
    char due_at[FORMAT_TIME_SIZE];
    char attempt[16];
    char took[FORMAT_DURATION_SIZE];
    struct log_field list[9];
};

static void fill(struct run_fields *fields, const struct engine_run *run, struct duration took,
                 const char *took_name)
{
    uuid_format(run->run_id, fields->run_id);
    format_utc_ms(run->due_at, fields->due_at);
    snprintf(fields->attempt, sizeof fields->attempt, "%d", run->attempt);
    format_duration_human(took, fields->took);
    const struct log_field list[] = {
        {"job", run->job->name},
        {"run", fields->run_id},
        {"due_at", fields->due_at},
        {"attempt", fields->attempt},
        {"trigger", run_trigger_name(run->trigger)},
        {took_name, took_name == NULL ? NULL : fields->took},
        {NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(list); i++) {
        fields->list[i] = list[i];
    }
}

static void add_field(struct run_fields *fields, const char *name, const char *text)
{
    size_t count = 0;
    while (fields->list[count].text != NULL) {
        count++;
    }
    if (text != NULL && count + 1 < ARRAY_LENGTH(fields->list)) {
        fields->list[count] = (struct log_field){name, text};
        fields->list[count + 1] = (struct log_field){NULL, NULL};
    }
}

static void log_started(void *context, const struct engine_run *run, struct duration delay)
{
    (void)context;
    struct run_fields fields;
    fill(&fields, run, delay, "delay");
    log_record(LOG_DEBUG, "run_started", fields.list, "%s started", run->job->name);
}

static void log_handed_over(void *context, const struct engine_run *run, struct duration queue)
{
    (void)context;
    struct run_fields fields;
    fill(&fields, run, queue, "queue");
    log_record(LOG_DEBUG, "run_executing", fields.list, "%s is executing", run->job->name);
}

static void log_good_end(const struct engine_run *run, enum run_state state,
                         struct run_fields *fields)
{
    if (state == RUN_DRY_RUN) {
        log_record(LOG_INFO, "run_dry", fields->list,
                   "%s was due and, in dry-run, was not executed", run->job->name);
    } else if (state == RUN_CANCELLED) {
        log_record(LOG_INFO, "run_cancelled", fields->list, "%s was cancelled after %s",
                   run->job->name, fields->took);
    } else {
        log_record(LOG_INFO, "run_ended", fields->list, "%s succeeded in %s", run->job->name,
                   fields->took);
    }
}

static void log_ended(void *context, const struct engine_run *run, enum run_state state,
                      enum run_failure failure, struct duration duration, const char *error)
{
    (void)context;
    struct run_fields fields;
    fill(&fields, run, duration, "duration");
    add_field(&fields, "state", run_state_name(state));
    if (failure == FAILURE_NONE && state != RUN_LOST) {
        log_good_end(run, state, &fields);
        return;
    }
    add_field(&fields, "reason", run_failure_label(failure));
    bool says = error != NULL && error[0] != '\0';
    log_record(LOG_ERROR, "run_failed", fields.list,
               "%s %s after %s%s%s; see `ironcron runs show %s`", run->job->name,
               run_state_name(state), fields.took, says ? ": " : "", says ? error : "",
               fields.run_id);
}

static void log_passed_over(void *context, const struct job *job, struct instant due_at,
                            enum slot_outcome outcome, enum slot_reason reason)
{
    (void)context;
    char due[FORMAT_TIME_SIZE];
    format_utc_ms(due_at, due);
    const struct log_field fields[] = {
        {"job", job->name},
        {"due_at", due},
        {"reason", slot_reason_name(reason)},
        {NULL, NULL},
    };
    bool missed = outcome == SLOT_MISSED;
    log_record(LOG_WARN, missed ? "slot_missed" : "slot_skipped", fields,
               "the slot of %s at %s was %s (%s); see `ironcron jobs show %s`", job->name, due,
               missed ? "missed" : "skipped", slot_reason_name(reason), job->name);
}

static void log_lock(void *context, const struct job *job, enum engine_lock_result result)
{
    (void)context;
    static const char *const results[] = {"won", "taken", "overlap", "error"};
    const struct log_field fields[] = {
        {"job", job->name}, {"result", results[result]}, {NULL, NULL}};
    log_record(LOG_DEBUG, "claim", fields, "claim for %s: %s", job->name, results[result]);
}

static void log_stale(void *context, const struct engine_run *run)
{
    (void)context;
    struct run_fields fields;
    fill(&fields, run, DURATION_US(0), NULL);
    log_record(LOG_ERROR, "run_stale", fields.list,
               "%s was ended by somebody else while it ran here; its processes were killed; see "
               "`ironcron runs show %s`",
               run->job->name, fields.run_id);
}

static void log_store(void *context, const struct error *err, const struct engine_outage *outage)
{
    (void)context;
    if (err == NULL) {
        char since[FORMAT_TIME_SIZE];
        char lasted[FORMAT_DURATION_SIZE];
        format_utc_ms(outage->since, since);
        format_duration_human(outage->lasted, lasted);
        const struct log_field fields[] = {{"since", since}, {"lasted", lasted}, {NULL, NULL}};
        log_record(LOG_INFO, "store_up", fields, "the store answers again; it did not for %s",
                   lasted);
    } else {
        LOG(LOG_ERROR, "store_down",
            "the store does not answer, so nothing new is started: %s; `ironcron validate` tells "
            "more",
            err->text);
    }
}

static void log_fenced(void *context, struct uuid node)
{
    (void)context;
    char id[UUID_TEXT_SIZE];
    uuid_format(node, id);
    struct log_field fields[] = {{"fenced", id}, {NULL, NULL}};
    log_record(
        LOG_WARN, "node_fenced", fields,
        "node %s gave no sign of life and is declared dead: its runs are LOST, or tried again "
        "where the job allows it; see `ironcron nodes`",
        id);
}

static void log_kept_back(void *context, const struct job *job, const char *holder)
{
    (void)context;
    const struct log_field fields[] = {{"job", job->name}, {NULL, NULL}};
    if (holder == NULL) {
        log_record(LOG_INFO, "job_lock_free", fields,
                   "nobody else holds the lock of %s any more: it starts again", job->name);
    } else {
        log_record(LOG_ERROR, "job_lock_held", fields,
                   "%s does not start, since a session that is no node's holds its lock in the "
                   "store. End it: %s",
                   job->name, holder);
    }
}

const struct engine_events *run_log_events(void)
{
    static const struct engine_events events = {
        .on_started = log_started,
        .on_handed_over = log_handed_over,
        .on_ended = log_ended,
        .on_passed_over = log_passed_over,
        .on_lock = log_lock,
        .on_stale = log_stale,
        .on_store = log_store,
        .on_fenced = log_fenced,
        .on_kept_back = log_kept_back,
    };
    return &events;
}
