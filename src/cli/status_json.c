// SPDX-License-Identifier: MIT
// The document of `status --json`.
#include "cli/status_json.h"

#include "cli/node_list_text.h"
#include "document/json.h"

static json_t *json_node(const struct session *session)
{
    if (!session->has_node) {
        return json_null();
    }
    bool is_here = session->node_is_here;
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "node", json_text(session->node.node), "host",
                     json_text(session->node.host), "pid",
                     is_here ? json_integer(session->node.pid) : json_null(), "command",
                     json_text(session->node.command), "started_at",
                     json_time(session->node.started_at));
}

static json_t *json_failed(const struct status *status)
{
    json_t *array = json_array();
    for (size_t i = 0; i < status->overview.count; i++) {
        const struct job_view *view = &status->overview.views[i];
        if (view->last != NULL && status_is_trouble(status, i)) {
            json_array_append_new(array,
                                  json_pack("{s:s, s:b, s:I, s:I, s:o}", "job", view->job->name,
                                            "failing", (int)job_view_is_failing(view), "failed_24h",
                                            (json_int_t)status->tallies[i].failed, "ended_24h",
                                            (json_int_t)status->tallies[i].ended, "last_run",
                                            json_run(view->last, NULL)));
        }
    }
    return array;
}

static json_t *json_late_and_missed(const struct status *status, bool wants_late)
{
    json_t *array = json_array();
    for (size_t i = 0; i < status->overview.count; i++) {
        const struct job_view *view = &status->overview.views[i];
        const struct status_tally *tally = &status->tallies[i];
        if (wants_late && !instant_is_none(view->late_since)) {
            json_array_append_new(array, json_pack("{s:s, s:o}", "job", view->job->name, "due_at",
                                                   json_time(view->late_since)));
        } else if (!wants_late && tally->missed > 0) {
            json_array_append_new(array, json_pack("{s:s, s:I, s:s}", "job", view->job->name,
                                                   "missed_24h", (json_int_t)tally->missed,
                                                   "reason", tally->last_missed));
        }
    }
    return array;
}

static json_t *json_stale(const struct status *status)
{
    json_t *array = json_array();
    for (size_t i = 0; i < status->overview.count; i++) {
        const struct job_view *view = &status->overview.views[i];
        if (view->is_stale) {
            json_array_append_new(array, json_pack("{s:s, s:o, s:o}", "job", view->job->name,
                                                   "last_success_at", json_time(view->last_success),
                                                   "must_succeed_within_ms",
                                                   json_duration(view->job->must_succeed_within)));
        }
    }
    return array;
}

static json_t *json_runs(const struct run_kept *runs, size_t count, const struct cut_off *nodes)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(array, json_run(&runs[i].row, nodes));
    }
    return array;
}

static json_t *json_lists(const struct status *status, json_t *document)
{
    json_t *controls = json_array();
    json_t *soon = json_array();
    json_t *problems = json_array();
    const struct cut_off *nodes = &status->overview.fleet.gone;
    for (size_t i = 0; i < status->overview.controls.count; i++) {
        json_array_append_new(controls, json_control(&status->overview.controls.rows[i]));
    }
    for (size_t i = 0; i < status->soon_count; i++) {
        json_array_append_new(soon,
                              json_pack("{s:s, s:o, s:I}", "job", status->soon[i].view->job->name,
                                        "due_at", json_time(status->soon[i].due), "more",
                                        (json_int_t)status->soon[i].more));
    }
    for (size_t i = 0; i < status->problem_count; i++) {
        json_array_append_new(problems, json_text(status->problems[i]));
    }
    json_object_set_new(document, "running",
                        json_runs(status->running, status->running_count, nodes));
    json_object_set_new(document, "cut_off",
                        json_runs(status->cut_off, status->cut_off_count, nodes));
    json_object_set_new(document, "failed", json_failed(status));
    json_object_set_new(document, "late", json_late_and_missed(status, true));
    json_object_set_new(document, "no_success_in_time", json_stale(status));
    json_object_set_new(document, "missed", json_late_and_missed(status, false));
    json_object_set_new(document, "controls", controls);
    json_object_set_new(document, "nodes", node_list_json(&status->overview.fleet));
    json_object_set_new(document, "next_hour", soon);
    json_object_set_new(document, "problems", problems);
    return document;
}

json_t *status_json(const struct status *status)
{
    const struct config *config = status->session->config;
    bool by_node = status->overview.node_is_dry_run;
    bool dry_run = by_node || status_dry_run(status) != NULL;
    json_t *store = json_pack(
        "{s:o, s:o, s:o}", "path",
        json_text(config->store_url == NULL ? config->store_path : config->store), "bytes",
        status->store_bytes < 0 ? json_null() : json_integer(status->store_bytes), "outage",
        outage_json(&status->outage));
    json_t *document =
        json_pack("{s:b, s:o, s:o, s:s, s:b, s:o, s:o}", "ok", status->problem_count == 0, "at",
                  json_time(status->overview.now), "environment", json_text(config->environment),
                  "mode", dry_run ? "dry-run" : "live", "node_is_dry_run", (int)by_node, "store",
                  store, "node", json_node(status->session));
    const struct session *session = status->session;
    json_object_set_new(document, "definitions_version",
                        session->version == 0 ? json_null() : json_integer(session->version));
    json_object_set_new(document, "definitions_difference", json_text(session->difference));
    return json_lists(status, document);
}
