// SPDX-License-Identifier: MIT
// `status`: one screen for three in the morning.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/node_list_text.h"
#include "cli/run.h"
#include "cli/status.h"
#include "cli/text_table.h"
#include "cli/words.h"
#include "time/format.h"

#define LINES_MAX 10 // of a section: one screen

static void heading(const char *name, size_t count)
{
    if (count == 0) {
        printf("%-14s none\n", name);
        return;
    }
    terminal_print(stdout, COLOUR_BOLD, "%s", name);
    printf("  %zu\n", count);
}

static void more(size_t shown, size_t all, const char *command)
{
    if (all > shown) {
        printf("  and %zu more: %s\n", all - shown, command);
    }
}

// ---- the top ------------------------------------------------------------------------------------

static void print_mode(const struct status *status)
{
    const struct store_control_row *control = status_dry_run(status);
    printf("mode     ");
    if (status->overview.node_is_dry_run) {
        terminal_print(stdout, COLOUR_WARN, "dry-run");
        puts(", nothing is executed: the node was started so (--dry-run or JOB_DRY_RUN)");
    } else if (control != NULL) {
        AUTO(buf_release) struct buf text;
        buf_init(&text, 8192);
        control_set_describe(control, status->session->zone, &text);
        terminal_put(stdout, COLOUR_WARN, buf_string(&text));
        puts("; go live: ironcron dry-run off");
    } else {
        puts("live; hold everything back: ironcron pause --all");
    }
}

static void print_store(const struct status *status)
{
    const struct config *config = status->session->config;
    bool is_remote = config->store_url != NULL;
    printf("store    ");
    terminal_put(stdout, COLOUR_NONE, is_remote ? config->store : config->store_path);
    if (is_remote) {
        puts(": ironcron doctor");
    } else if (status->store_bytes < 0) {
        puts(", not there yet: ironcron serve");
    } else {
        bool is_small = status->store_bytes < 1000000;
        printf(is_small ? ", %.0f KB: ironcron doctor\n" : ", %.1f MB: ironcron doctor\n",
               (double)status->store_bytes / (is_small ? 1e3 : 1e6));
    }
}

static void print_node(const struct status *status)
{
    const struct session *session = status->session;
    printf("node     ");
    if (!session->has_node) {
        terminal_print(stdout, COLOUR_BAD, "none");
        if (!instant_is_none(status->last_seen)) {
            char seen[FORMAT_TIME_SIZE];
            format_in_zone(status->last_seen, session->zone, seen);
            printf("; the last one was seen at %s", seen);
        }
        puts(": nothing runs; start one: ironcron serve");
        return;
    }
    if (session->config->store_url != NULL) {
        node_list_print(&status->overview.fleet);
        return;
    }
    char since[FORMAT_TIME_SIZE];
    format_in_zone(session->node.started_at, session->zone, since);
    terminal_put(stdout, COLOUR_GOOD, session->node.host);
    printf(", pid %d (%s), since %s: ironcron nodes\n", session->node.pid, session->node.command,
           since);
}

static void print_definitions(const struct session *session)
{
    AUTO(buf_release) struct buf words;
    buf_init(&words, 16384);
    session_definitions_words(session, &words);
    if (words.length > 0) {
        printf("jobs     ");
        terminal_put(stdout, session->difference != NULL ? COLOUR_WARN : COLOUR_NONE,
                     buf_string(&words));
        putchar('\n');
    }
}

static void print_top(const struct status *status)
{
    char now[FORMAT_TIME_SIZE];
    const struct config *config = status->session->config;
    format_in_zone(status->overview.now, status->session->zone, now);
    printf("ironcron at %s", now);
    if (config->environment != NULL) {
        printf(", ");
        terminal_put(stdout, COLOUR_BOLD, config->environment);
    }
    putchar('\n');
    print_mode(status);
    print_store(status);
    print_definitions(status->session);
    print_node(status);
}

// ---- sections -----------------------------------------------------------------------------------

static void print_running(const struct status *status)
{
    heading("running", status->running_count);
    AUTO_TEXT_TABLE table = text_table_new("JOB|TOOK|GO ON");
    for (size_t i = 0; i < status->running_count && i < LINES_MAX; i++) {
        const struct store_run_row *row = &status->running[i].row;
        char took[80];
        char id[UUID_TEXT_SIZE];
        run_duration(row, status->overview.now, took, sizeof took);
        uuid_format(row->run_id, id);
        text_table_cell(table, COLOUR_BOLD, row->job);
        text_table_cell(table, COLOUR_NONE, took);
        text_table_cellf(table, COLOUR_DIM, "ironcron runs output %s -f", id);
    }
    if (status->running_count > 0) {
        text_table_print(table, stdout, 2);
    }
    more(LINES_MAX, status->running_count, "ironcron runs --state started");
}

static bool is_trouble(const struct status *status, size_t i)
{
    return status->tallies[i].failed > 0 || job_view_is_failing(&status->overview.views[i]);
}

static void trouble_cells(struct text_table *table, const struct status *status, size_t i)
{
    const struct job_view *view = &status->overview.views[i];
    const struct status_tally *tally = &status->tallies[i];
    const struct store_run_row *row = view->last;
    char id[UUID_TEXT_SIZE];
    char when[WORDS_TIME_SIZE];
    char result[200];
    bool fails = job_view_is_failing(view);
    uuid_format(row->run_id, id);
    words_relative(row->ended_at, status->overview.now, when);
    run_result(row, result, sizeof result);
    text_table_cell(table, fails ? COLOUR_BAD : COLOUR_NONE, view->job->name);
    text_table_cell(table, run_state_colour(row->state), run_state_name(row->state));
    text_table_cell(table, COLOUR_NONE, when);
    text_table_cellf(table, COLOUR_NONE, "%zu of %zu", tally->failed, tally->ended);
    text_table_cell(table, COLOUR_NONE, fails ? result : "recovered");
    if (fails) {
        text_table_cellf(table, COLOUR_DIM, "ironcron runs show %s", id);
    } else {
        text_table_cellf(table, COLOUR_DIM, "ironcron runs --job %s", view->job->name);
    }
}

static void print_trouble(const struct status *status)
{
    AUTO_TEXT_TABLE table = text_table_new("JOB|LAST|WHEN|FAILED IN 24 H|RESULT|GO ON");
    size_t count = 0;
    // What fails now comes before what has recovered.
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < status->overview.count; i++) {
            const struct job_view *view = &status->overview.views[i];
            if (view->last == NULL || !is_trouble(status, i) ||
                job_view_is_failing(view) != (pass == 0)) {
                continue;
            }
            count++;
            if (count <= LINES_MAX) {
                trouble_cells(table, status, i);
            }
        }
    }
    heading("failed", count);
    if (count > 0) {
        text_table_print(table, stdout, 2);
    }
    more(LINES_MAX, count, "ironcron runs --state failed --since -24h");
}

static void print_late(const struct status *status)
{
    size_t count = 0;
    AUTO_TEXT_TABLE table = text_table_new("JOB|DUE|LATE|GO ON");
    for (size_t i = 0; i < status->overview.count; i++) {
        const struct job_view *view = &status->overview.views[i];
        if (instant_is_none(view->late_since) || ++count > LINES_MAX) {
            continue;
        }
        char due[FORMAT_TIME_SIZE];
        char late[WORDS_TIME_SIZE];
        format_in_zone(view->late_since, view->job->schedule.zone, due);
        words_relative(view->late_since, status->overview.now, late);
        text_table_cell(table, COLOUR_BAD, view->job->name);
        text_table_cell(table, COLOUR_NONE, due);
        text_table_cell(table, COLOUR_NONE, late);
        text_table_cellf(table, COLOUR_DIM, "ironcron why %s", view->job->name);
    }
    heading("late", count);
    if (count > 0) {
        text_table_print(table, stdout, 2);
    }
    more(LINES_MAX, count, "ironcron jobs");
}

// Jobs that ask for it only: most have no deadline, and then this says nothing.
static void print_stale(const struct status *status)
{
    size_t count = 0;
    AUTO_TEXT_TABLE table = text_table_new("JOB|LAST SUCCESS|WANTED WITHIN|GO ON");
    for (size_t i = 0; i < status->overview.count; i++) {
        const struct job_view *view = &status->overview.views[i];
        if (!view->is_stale || ++count > LINES_MAX) {
            continue;
        }
        char success[WORDS_TIME_SIZE] = "never";
        char within[FORMAT_DURATION_SIZE];
        if (!instant_is_none(view->last_success)) {
            words_relative(view->last_success, status->overview.now, success);
        }
        format_duration(view->job->must_succeed_within, within);
        text_table_cell(table, COLOUR_BAD, view->job->name);
        text_table_cell(table, COLOUR_NONE, success);
        text_table_cell(table, COLOUR_NONE, within);
        text_table_cellf(table, COLOUR_DIM, "ironcron runs --job %s", view->job->name);
    }
    if (count > 0) {
        heading("no success in time", count);
        text_table_print(table, stdout, 2);
        more(LINES_MAX, count, "ironcron jobs");
    }
}

static void print_missed(const struct status *status)
{
    size_t count = 0;
    AUTO_TEXT_TABLE table = text_table_new("JOB|>MISSED IN 24 H|REASON|GO ON");
    for (size_t i = 0; i < status->overview.count; i++) {
        const struct status_tally *tally = &status->tallies[i];
        if (tally->missed == 0 || ++count > LINES_MAX) {
            continue;
        }
        text_table_cell(table, COLOUR_WARN, status->overview.views[i].job->name);
        text_table_cellf(table, COLOUR_NONE, "%zu", tally->missed);
        text_table_cell(table, COLOUR_NONE, tally->last_missed);
        text_table_cellf(table, COLOUR_DIM, "ironcron audit --event MISSED --job %s",
                         status->overview.views[i].job->name);
    }
    if (count > 0) {
        heading("missed", count);
        text_table_print(table, stdout, 2);
        more(LINES_MAX, count, "ironcron audit --event MISSED");
    }
}

static void print_controls(const struct status *status)
{
    const struct control_set *controls = &status->overview.controls;
    heading("held back", controls->count);
    for (size_t i = 0; i < controls->count && i < LINES_MAX; i++) {
        const struct store_control_row *row = &controls->rows[i];
        AUTO(buf_release) struct buf text;
        char undo[256];
        buf_init(&text, 8192);
        control_set_describe(row, status->session->zone, &text);
        control_set_undo(row->kind, row->job, undo, sizeof undo);
        printf("  ");
        terminal_put(stdout, COLOUR_WARN, row->job != NULL ? row->job : "all jobs");
        printf(" ");
        terminal_put(stdout, COLOUR_NONE, buf_string(&text));
        terminal_print(stdout, COLOUR_DIM, ": %s\n", undo);
    }
    more(LINES_MAX, controls->count, "ironcron jobs");
}

static void print_soon(const struct status *status)
{
    heading("the next hour", status->soon_count);
    AUTO_TEXT_TABLE table = text_table_new("DUE||JOB||GO ON");
    for (size_t i = 0; i < status->soon_count && i < LINES_MAX; i++) {
        const struct status_soon *soon = &status->soon[i];
        char due[FORMAT_TIME_SIZE];
        char when[WORDS_TIME_SIZE];
        format_in_zone(soon->due, status->session->zone, due);
        words_relative(soon->due, status->overview.now, when);
        text_table_cell(table, COLOUR_NONE, due);
        text_table_cell(table, COLOUR_NONE, when);
        text_table_cell(table, COLOUR_BOLD, soon->view->job->name);
        if (soon->view->pause != NULL) {
            text_table_cell(table, COLOUR_WARN, "paused, will be skipped");
        } else if (soon->more > 0) {
            text_table_cellf(table, COLOUR_NONE, "and %zu more times", soon->more);
        } else {
            text_table_cell(table, COLOUR_NONE, "");
        }
        text_table_cellf(table, COLOUR_DIM, "ironcron jobs show %s", soon->view->job->name);
    }
    if (status->soon_count > 0) {
        text_table_print(table, stdout, 2);
    }
    more(LINES_MAX, status->soon_count, "ironcron jobs");
}

static void print_verdict(const struct status *status)
{
    putchar('\n');
    if (status->problem_count == 0) {
        terminal_print(stdout, COLOUR_GOOD, "All is well.");
        putchar('\n');
        return;
    }
    for (size_t i = 0; i < status->problem_count; i++) {
        terminal_print(stdout, COLOUR_BAD, "Wrong");
        printf(": ");
        terminal_put(stdout, COLOUR_NONE, status->problems[i]);
        putchar('\n');
    }
}

static void print_status(const struct status *status)
{
    print_top(status);
    putchar('\n');
    print_running(status);
    print_trouble(status);
    print_late(status);
    print_stale(status);
    print_missed(status);
    print_controls(status);
    print_soon(status);
    print_verdict(status);
}

// ---- JSON ---------------------------------------------------------------------------------------

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
        if (view->last != NULL && is_trouble(status, i)) {
            json_array_append_new(array,
                                  json_pack("{s:s, s:b, s:I, s:I, s:o}", "job", view->job->name,
                                            "failing", (int)job_view_is_failing(view), "failed_24h",
                                            (json_int_t)status->tallies[i].failed, "ended_24h",
                                            (json_int_t)status->tallies[i].ended, "last_run",
                                            json_run(view->last)));
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

static json_t *json_lists(const struct status *status, json_t *document)
{
    json_t *running = json_array();
    json_t *controls = json_array();
    json_t *soon = json_array();
    json_t *problems = json_array();
    for (size_t i = 0; i < status->running_count; i++) {
        json_array_append_new(running, json_run(&status->running[i].row));
    }
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
    json_object_set_new(document, "running", running);
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

static json_t *json_status(const struct status *status)
{
    const struct config *config = status->session->config;
    bool by_node = status->overview.node_is_dry_run;
    bool dry_run = by_node || status_dry_run(status) != NULL;
    json_t *store = json_pack(
        "{s:o, s:o}", "path",
        json_text(config->store_url == NULL ? config->store_path : config->store), "bytes",
        status->store_bytes < 0 ? json_null() : json_integer(status->store_bytes));
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

bool command_status(struct invocation *invocation, int *exit_out, struct error *err)
{
    AUTO(session_release) struct session session = {0};
    AUTO(status_release) struct status status = {0};
    if (!session_config_to_look(&session, invocation, err) || !session_read(&session, err) ||
        !status_load(&status, &session, err)) {
        return false;
    }
    if (invocation->json) {
        json_print(json_status(&status));
    } else {
        print_status(&status);
    }
    *exit_out = status.problem_count == 0 ? 0 : 1;
    return true;
}
