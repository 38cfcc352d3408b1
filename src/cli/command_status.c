// SPDX-License-Identifier: MIT
// `status`: one screen for three in the morning.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/node_list_text.h"
#include "cli/run.h"
#include "cli/status_json.h"
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
        puts(status->session->has_node ? ", not there" : ", not there yet: ironcron serve");
    } else {
        bool is_small = status->store_bytes < 1000000;
        printf(is_small ? ", %.0f KB: ironcron doctor\n" : ", %.1f MB: ironcron doctor\n",
               (double)status->store_bytes / (is_small ? 1e3 : 1e6));
    }
}

static void print_outage(const struct status *status)
{
    if (status->outage.nodes > 0) {
        AUTO(buf_release) struct buf words;
        buf_init(&words, 1024);
        outage_words(&status->outage, status->session->zone, &words);
        printf("         ");
        terminal_put(stdout, COLOUR_WARN, buf_string(&words));
        puts(": ironcron audit --event STORE_BACK");
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
    printf(", pid %d (%s), since %s", session->node.pid, session->node.command, since);
    if (status->overview.fleet.told_to_drain > 0) {
        terminal_print(stdout, COLOUR_WARN, ", draining");
    }
    puts(": ironcron nodes");
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
    print_outage(status);
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
        run_duration(row, status->overview.now, false, took, sizeof took);
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

static void print_cut_off(const struct status *status)
{
    AUTO_TEXT_TABLE table = text_table_new("JOB|STARTED|GO ON");
    for (size_t i = 0; i < status->cut_off_count && i < LINES_MAX; i++) {
        const struct store_run_row *row = &status->cut_off[i].row;
        char started[WORDS_TIME_SIZE];
        char id[UUID_TEXT_SIZE];
        words_relative(row->started_at, status->overview.now, started);
        uuid_format(row->run_id, id);
        text_table_cell(table, COLOUR_BAD, row->job);
        text_table_cell(table, COLOUR_NONE, started);
        text_table_cellf(table, COLOUR_DIM, "ironcron runs show %s", id);
    }
    if (status->cut_off_count > 0) {
        heading("cut off", status->cut_off_count);
        text_table_print(table, stdout, 2);
        more(LINES_MAX, status->cut_off_count, "ironcron runs --state started");
    }
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
            if (view->last == NULL || !status_is_trouble(status, i) ||
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
    print_cut_off(status);
    print_trouble(status);
    print_late(status);
    print_stale(status);
    print_missed(status);
    print_controls(status);
    print_soon(status);
    print_verdict(status);
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
        json_print(status_json(&status));
    } else {
        print_status(&status);
    }
    *exit_out = status.problem_count == 0 ? 0 : 1;
    return true;
}
