// SPDX-License-Identifier: MIT
// `jobs`: what there is, how it goes, when it comes next.
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/overview.h"
#include "cli/run.h"
#include "cli/slot_strip_text.h"
#include "cli/text_table.h"
#include "cli/words.h"
#include "job/expect.h"
#include "time/format.h"

#define NEXT_SHOWN 3

// ---- the list -----------------------------------------------------------------------------------

static void list_view(struct text_table *table, const struct job_view *view, struct instant now)
{
    char text[128];
    char when[WORDS_TIME_SIZE];
    const struct job *job = view->job;
    job_view_states(view, text, sizeof text);
    text_table_cell(table, COLOUR_BOLD, job->name);
    text_table_cell(table, job_view_colour(view), text);
    text_table_cellf(table, COLOUR_NONE, "%s", job->schedule_text);
    if (instant_is_none(view->next_due)) {
        text_table_cell(table, COLOUR_DIM, "-");
    } else {
        format_in_zone(view->next_due, job->schedule.zone, text);
        text_table_cell(table, COLOUR_NONE, text);
    }
    if (view->last == NULL) {
        text_table_cell(table, COLOUR_DIM, "-");
        text_table_cell(table, COLOUR_DIM, "-");
        return;
    }
    const struct store_run_row *last = view->last;
    words_relative(last->ended_at, now, when);
    text_table_cell(table, run_state_colour(last->state), run_state_name(last->state));
    text_table_cell(table, COLOUR_NONE, when);
}

static bool open_overview(struct session *session, struct overview *overview,
                          const struct invocation *invocation, struct error *err)
{
    return session_config_to_look(session, invocation, err) && session_read(session, err) &&
           overview_load(overview, session, err);
}

// Which jobs are asked for.
struct selection {
    const char *pattern; // of their names, as a shell's; NULL = all
    const char *state;   // NULL = any
};

static bool is_selected(const struct selection *selection, const struct job_view *view)
{
    return (selection->pattern == NULL || fnmatch(selection->pattern, view->job->name, 0) == 0) &&
           (selection->state == NULL || job_view_has_state(view, selection->state));
}

static void list_json(const struct overview *overview, const struct selection *selection)
{
    json_t *array = json_array();
    for (size_t i = 0; i < overview->count; i++) {
        if (is_selected(selection, &overview->views[i])) {
            json_array_append_new(array, json_job(&overview->views[i]));
        }
    }
    json_print(array);
}

static void list(const struct overview *overview, const struct selection *selection)
{
    AUTO_TEXT_TABLE table = text_table_new("JOB|STATE|SCHEDULE|NEXT|LAST|WHEN");
    for (size_t i = 0; i < overview->count; i++) {
        if (is_selected(selection, &overview->views[i])) {
            list_view(table, &overview->views[i], overview->now);
        }
    }
    if (text_table_rows(table) > 0 || overview->count == 0) {
        text_table_print(table, stdout, 0);
    } else {
        fprintf(stderr, "none of %zu job%s is such a one\n", overview->count,
                words_plural(overview->count));
    }
}

bool command_jobs(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(session_release) struct session session = {0};
    AUTO(overview_release) struct overview overview = {0};
    struct selection selection = {invocation->arguments[0], invocation_text(invocation, "state")};
    if (!open_overview(&session, &overview, invocation, err)) {
        return false;
    }
    if (invocation->json) {
        list_json(&overview, &selection);
    } else {
        list(&overview, &selection);
    }
    return true;
}

// ---- one job ------------------------------------------------------------------------------------

static void line(const char *name, enum colour colour, const char *text)
{
    if (text != NULL) {
        printf("  %-14s ", name);
        terminal_put(stdout, colour, text);
        putchar('\n');
    }
}

static void line_duration(const char *name, struct duration d)
{
    char text[FORMAT_DURATION_SIZE];
    format_duration(d, text);
    line(name, COLOUR_NONE, d.us == 0 ? "none" : text);
}

// Names only: a value may be a secret.
static void print_environment(const struct job_command *command)
{
    AUTO(buf_release) struct buf names;
    buf_init(&names, 8192);
    const struct job_variable *variable = command->env;
    for (; variable != NULL && variable->name != NULL; variable++) {
        buf_printf(&names, "%s%s", names.length > 0 ? ", " : "", variable->name);
    }
    const char *const *passed = command->pass_env;
    for (; passed != NULL && *passed != NULL; passed++) {
        buf_printf(&names, "%s%s (passed on)", names.length > 0 ? ", " : "", *passed);
    }
    line("environment", COLOUR_NONE, names.length > 0 ? buf_string(&names) : NULL);
}

static void print_http(const struct job_http *http)
{
    AUTO(buf_release) struct buf names;
    AUTO(buf_release) struct buf expect;
    char request[512];
    buf_init(&names, 8192);
    buf_init(&expect, 1024);
    const struct job_variable *header = http->headers;
    for (; header != NULL && header->name != NULL; header++) {
        buf_printf(&names, "%s%s", names.length > 0 ? ", " : "", header->name);
    }
    expect_describe(http, &expect);
    snprintf(request, sizeof request, "%s %s", http->method, http->shown_url);
    line("request", COLOUR_NONE, request);
    line("headers", COLOUR_NONE, names.length > 0 ? buf_string(&names) : NULL);
    line("signed", COLOUR_NONE, http->secret != NULL ? "yes" : "no");
    line("expects", COLOUR_NONE, buf_string(&expect));
    line("ends by", COLOUR_NONE,
         http->callback ? "a callback to /api/v1/runs/ID/end" : "the response");
}

// Their defaults may be secrets, too.
static void print_params(const struct job *job)
{
    AUTO(buf_release) struct buf names;
    buf_init(&names, 8192);
    const struct job_variable *param = job->params;
    for (; param != NULL && param->name != NULL; param++) {
        buf_printf(&names, "%s%s%s", names.length > 0 ? ", " : "", param->name,
                   param->value == NULL ? " (must be given)" : "");
    }
    line("params", COLOUR_NONE, names.length > 0 ? buf_string(&names) : NULL);
}

static void print_sql(const struct job_sql *sql)
{
    line("database", COLOUR_NONE, sql->database);
    line("statement", COLOUR_NONE, sql->statement);
    line("transaction", COLOUR_NONE, sql->transaction ? NULL : "none");
    line("role", COLOUR_NONE, sql->role);
}

static void print_command(const struct job_command *command)
{
    printf("  %-14s", "command");
    for (size_t i = 0; command->argv[i] != NULL; i++) {
        putchar(' ');
        terminal_put(stdout, COLOUR_NONE, command->argv[i]);
    }
    putchar('\n');
    line("user", COLOUR_NONE, command->user);
    line("workdir", COLOUR_NONE, command->workdir);
    print_environment(command);
}

static void print_retries(const struct job_retries *retries)
{
    char text[FORMAT_DURATION_SIZE * 2 + 128] = "none";
    char backoff[FORMAT_DURATION_SIZE];
    char max_backoff[FORMAT_DURATION_SIZE];
    format_duration(retries->backoff, backoff);
    format_duration(retries->max_backoff, max_backoff);
    if (retries->max > 0) {
        snprintf(text, sizeof text, "%d, the first after %s, then times %g up to %s, jitter %g",
                 retries->max, backoff, retries->factor, max_backoff, retries->jitter);
    }
    line("retries", COLOUR_NONE, text);
}

static void print_limits(const struct job_limits *limits)
{
    AUTO(buf_release) struct buf text;
    buf_init(&text, 1024);
    if (limits->memory > 0) {
        buf_printf(&text, "; memory: %" PRId64 " bytes", limits->memory);
    }
    if (limits->cpu_time > 0) {
        buf_printf(&text, "; cpu time: %" PRId64 "s", limits->cpu_time);
    }
    if (limits->open_files > 0) {
        buf_printf(&text, "; open files: %" PRId64, limits->open_files);
    }
    if (limits->nice != 0) {
        buf_printf(&text, "; nice: %d", limits->nice);
    }
    line("limits", COLOUR_NONE, text.length > 0 ? buf_string(&text) + 2 : "none");
}

static void print_after(const struct job *job)
{
    AUTO(buf_release) struct buf names;
    char within[FORMAT_DURATION_SIZE];
    buf_init(&names, 16384);
    for (const char *const *name = job->after; name != NULL && *name != NULL; name++) {
        buf_printf(&names, "%s%s", names.length > 0 ? ", " : "", *name);
    }
    format_duration(job->after_within, within);
    buf_printf(&names, " (waits up to %s)", within);
    line("after", COLOUR_NONE, job->after == NULL ? NULL : buf_string(&names));
}

static void print_nodes(const struct job *job)
{
    AUTO(buf_release) struct buf labels;
    buf_init(&labels, (size_t)64 * 1024);
    job_labels_describe(job->nodes, &labels);
    line("only nodes", COLOUR_NONE, job->nodes == NULL ? NULL : buf_string(&labels));
}

static void print_policies(const struct job *job)
{
    char text[128];
    char within[FORMAT_DURATION_SIZE];
    print_after(job);
    print_nodes(job);
    print_retries(job->retries);
    line("overlap", COLOUR_NONE, job_overlap_name(job->overlap));
    format_duration(job->missed_within, within);
    snprintf(text, sizeof text, "%s, within %s", job_missed_name(job->missed), within);
    line("missed", COLOUR_NONE, text);
    line("on lost", COLOUR_NONE, job_on_lost_name(job->on_lost));
    line_duration("success within", job->must_succeed_within);
    print_limits(&job->command->limits);
}

static void print_definition(const struct job_view *view)
{
    const struct job *job = view->job;
    char text[512];
    line("description", COLOUR_NONE, job->description);
    line("owner", COLOUR_NONE, job->owner);
    line("runbook", COLOUR_NONE, job->runbook);
    snprintf(text, sizeof text, "%s (%s, dst: %s)", job->schedule_text, job->timezone,
             job->schedule.dst == SCHEDULE_DST_RUN ? "run" : "skip");
    line("schedule", COLOUR_NONE, text);
    if (view->is_recorded) {
        line("", COLOUR_WARN, "the rest is not known: the configuration has errors");
        return;
    }
    if (job->http != NULL) {
        print_http(job->http);
    }
    if (job->sql != NULL) {
        print_sql(job->sql);
    }
    if (job->command->argv != NULL) {
        print_command(job->command);
    }
    print_params(job);
    line_duration("timeout", job->timeout);
    line_duration("kill after", job->kill_after);
    line_duration("jitter", job->jitter);
    print_policies(job);
    snprintf(text, sizeof text, "%s:%u", job->config_file != NULL ? job->config_file : "",
             (unsigned)job->config_line);
    line("defined in", COLOUR_DIM, text);
}

static void print_control(const struct store_control_row *row, const struct session *session)
{
    if (row == NULL) {
        return;
    }
    AUTO(buf_release) struct buf text;
    char undo[256];
    buf_init(&text, 8192);
    control_set_undo(row->kind, row->job, undo, sizeof undo);
    buf_add_string(&text, row->job == NULL ? "all jobs " : "");
    control_set_describe(row, session->zone, &text);
    buf_printf(&text, "; lift it: %s", undo);
    line("", COLOUR_WARN, buf_string(&text));
}

static void print_next(const struct job_view *view, struct instant now)
{
    struct instant slot = schedule_next(&view->job->schedule, now);
    puts("next slots");
    for (int i = 0; i < NEXT_SHOWN && !instant_is_none(slot); i++) {
        char at[FORMAT_TIME_SIZE];
        char when[WORDS_TIME_SIZE];
        format_in_zone(slot, view->job->schedule.zone, at);
        words_relative(slot, now, when);
        printf("  %s  %s\n", at, when);
        slot = schedule_next(&view->job->schedule, slot);
    }
    if (instant_is_none(view->next_due)) {
        puts("  none");
    }
}

static bool show_job(const struct session *session, struct overview *overview,
                     const struct job_view *view, const struct slot_strip *strip, struct error *err)
{
    char states[128];
    job_view_states(view, states, sizeof states);
    terminal_print(stdout, COLOUR_BOLD, "%s", view->job->name);
    printf(": ");
    terminal_print(stdout, job_view_colour(view), "%s\n", states);
    print_control(view->pause, session);
    print_control(view->dry_run, session);
    print_control(view->throttle, session);
    print_definition(view);
    if (!slot_strip_print(strip, session, overview, view, err)) {
        return false;
    }
    print_next(view, overview->now);
    printf("All runs: ironcron runs --job %s\n", view->job->name);
    return true;
}

bool command_jobs_show(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(session_release) struct session session = {0};
    AUTO(overview_release) struct overview overview = {0};
    const char *name = invocation->arguments[0];
    if (!open_overview(&session, &overview, invocation, err)) {
        return false;
    }
    const struct job_view *view = overview_job(&overview, name);
    if (view == NULL) {
        return session_no_job(&session, name, err);
    }
    AUTO(slot_strip_release) struct slot_strip strip;
    if (!slot_strip_load(&strip, session.store, session.config->zones, view, overview.now, NULL,
                         DURATION_US(0), err)) {
        return false;
    }
    if (!invocation->json) {
        return show_job(&session, &overview, view, &strip, err);
    }
    json_print(json_job_in_full(view, &strip, overview.now, NEXT_SHOWN));
    return true;
}
