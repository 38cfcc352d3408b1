// SPDX-License-Identifier: MIT
#include "base/buf.h"
#include "document/job_view.h"
#include "document/json.h"
#include "job/expect.h"

static json_t *json_optional_control(const struct store_control_row *row)
{
    return row != NULL ? json_control(row) : json_null();
}

json_t *json_job(const struct job_view *view)
{
    const struct job *job = view->job;
    json_t *document = json_pack("{s:s, s:s, s:b, s:b, s:i, s:i, s:b}", "job", job->name, "state",
                                 job_view_state(view), "paused", view->pause != NULL, "dry_run",
                                 view->dry_run != NULL, "throttle",
                                 view->throttle != NULL ? view->throttle->value : 0, "running",
                                 view->running, "failing", (int)job_view_is_failing(view));
    json_object_set_new(document, "kind",
                        view->is_recorded ? json_null() : json_string(job_kind_name(job->kind)));
    json_object_set_new(document, "schedule", json_text(job->schedule_text));
    json_object_set_new(document, "timezone", json_text(job->timezone));
    json_object_set_new(document, "description", json_text(job->description));
    json_object_set_new(document, "owner", json_text(job->owner));
    json_object_set_new(document, "runbook", json_text(job->runbook));
    json_object_set_new(document, "next_due_at", json_time(view->next_due));
    json_object_set_new(document, "late_since", json_time(view->late_since));
    json_object_set_new(document, "high_water", json_time(view->high_water));
    json_object_set_new(document, "last_run",
                        view->last != NULL ? json_run(view->last, NULL) : json_null());
    json_object_set_new(document, "pause", json_optional_control(view->pause));
    json_object_set_new(document, "dry_run_control", json_optional_control(view->dry_run));
    json_object_set_new(document, "throttle_control", json_optional_control(view->throttle));
    return document;
}

static json_t *json_strings(const char *const *list)
{
    json_t *array = json_array();
    for (; list != NULL && *list != NULL; list++) {
        json_array_append_new(array, json_text(*list));
    }
    return array;
}

// Without values of headers, body and secret.
static json_t *json_http(const struct job_http *http)
{
    if (http == NULL) {
        return json_null();
    }
    AUTO(buf_release) struct buf expect;
    buf_init(&expect, 1024);
    expect_describe(http, &expect);
    json_t *names = json_array();
    const struct job_variable *header = http->headers;
    for (; header != NULL && header->name != NULL; header++) {
        json_array_append_new(names, json_text(header->name));
    }
    return json_pack("{s:s, s:s, s:o, s:s, s:b, s:s}", "method", http->method, "url",
                     http->shown_url, "header_names", names, "expect", buf_string(&expect),
                     "signed", http->secret != NULL, "complete",
                     http->callback ? "callback" : "response");
}

static json_t *json_params(const struct job *job)
{
    json_t *params = json_array();
    const struct job_variable *param = job->params;
    for (; param != NULL && param->name != NULL; param++) {
        json_array_append_new(
            params, json_pack("{s:s, s:b}", "name", param->name, "required", param->value == NULL));
    }
    return params;
}

static json_t *json_sql(const struct job_sql *sql)
{
    if (sql == NULL) {
        return json_null();
    }
    return json_pack("{s:s, s:o, s:b, s:o}", "database", sql->database, "statement",
                     json_text(sql->statement), "transaction", sql->transaction, "role",
                     json_text(sql->role));
}

static json_t *json_labels(const struct job_variable *labels)
{
    json_t *object = json_object();
    for (; labels != NULL && labels->name != NULL; labels++) {
        json_object_set_new(object, labels->name, json_text(labels->value));
    }
    return object;
}

json_t *json_definition(const struct job *job)
{
    json_t *names = json_array();
    const struct job_variable *variable = job->command->env;
    for (; variable != NULL && variable->name != NULL; variable++) {
        json_array_append_new(names, json_text(variable->name));
    }
    json_t *retries = json_pack(
        "{s:i, s:o, s:f, s:o, s:f}", "max", job->retries->max, "backoff_ms",
        json_duration(job->retries->backoff), "factor", job->retries->factor, "max_backoff_ms",
        json_duration(job->retries->max_backoff), "jitter", job->retries->jitter);
    json_t *definition = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:s, s:s, s:o, s:s, s:o, s:o, s:o, "
        "s:i}",
        "http", json_http(job->http), "command", json_strings(job->command->argv), "user",
        json_text(job->command->user), "workdir", json_text(job->command->workdir), "env_names",
        names, "pass_env", json_strings(job->command->pass_env), "dst",
        job->schedule.dst == SCHEDULE_DST_RUN ? "run" : "skip", "jitter_ms",
        json_duration(job->jitter), "timeout_ms", json_duration(job->timeout), "kill_after_ms",
        json_duration(job->kill_after), "overlap", job_overlap_name(job->overlap), "missed",
        job_missed_name(job->missed), "missed_within_ms", json_duration(job->missed_within),
        "on_lost", job_on_lost_name(job->on_lost), "must_succeed_within_ms",
        json_duration(job->must_succeed_within), "retries", retries, "file",
        json_text(job->config_file), "line", (int)job->config_line);
    json_object_set_new(definition, "sql", json_sql(job->sql));
    json_object_set_new(definition, "params", json_params(job));
    json_object_set_new(definition, "after", json_strings(job->after));
    json_object_set_new(definition, "after_within_ms", json_duration(job->after_within));
    json_object_set_new(definition, "nodes", json_labels(job->nodes));
    return definition;
}
