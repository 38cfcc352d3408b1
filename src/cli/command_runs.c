// SPDX-License-Identifier: MIT
// `runs`: the history, one run, its output, and ending it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/follow.h"
#include "cli/intent.h"
#include "cli/json.h"
#include "cli/node_list.h"
#include "cli/run.h"
#include "cli/run_more_text.h"
#include "cli/run_text.h"
#include "cli/session.h"
#include "cli/text_table.h"
#include "time/format.h"

#define LIMIT_DEFAULT  20
#define TAIL_BYTES     2048
#define CANCEL_SECONDS 15
#define ANSWER_MAX     ((size_t)1024 * 1024)

// ---- the list -----------------------------------------------------------------------------------

struct listing {
    const struct session *session;
    struct node_list fleet;
    struct text_table *table; // or
    json_t *array;
};

static void list_cells(const struct listing *listing, const struct store_run_row *row)
{
    char id[UUID_TEXT_SIZE];
    char started[FORMAT_TIME_SIZE];
    char took[80];
    char result[512];
    uuid_format(row->run_id, id);
    format_in_zone(row->started_at, listing->session->zone, started);
    bool is_cut_off = node_list_cut_off(&listing->fleet, row);
    run_duration(row, session_now(listing->session), is_cut_off, took, sizeof took);
    run_result(row, result, sizeof result);
    struct text_table *table = listing->table;
    text_table_cell(table, COLOUR_NONE, id);
    text_table_cell(table, COLOUR_NONE, row->job);
    text_table_cell(table, run_state_colour(row->state), run_state_name(row->state));
    text_table_cell(table, COLOUR_NONE, started);
    text_table_cell(table, COLOUR_NONE, took);
    if (row->attempt > 1) {
        text_table_cellf(table, COLOUR_NONE, "%s, attempt %d", run_trigger_name(row->trigger),
                         row->attempt);
    } else {
        text_table_cell(table, COLOUR_NONE, run_trigger_name(row->trigger));
    }
    text_table_cell(table, COLOUR_NONE, is_cut_off ? RUN_CUT_OFF : result);
}

static bool list_run(void *context, const struct store_run_row *row)
{
    struct listing *listing = context;
    if (listing->array != NULL) {
        json_array_append_new(listing->array, json_run(row, &listing->fleet.gone));
    } else {
        list_cells(listing, row);
    }
    return true;
}

static struct store_run_filter filter_of(const struct invocation *invocation)
{
    return (struct store_run_filter){
        .job = invocation_text(invocation, "job"),
        .by_state = invocation_has(invocation, "state"),
        .state = (enum run_state)invocation_number(invocation, "state", 0),
        .since = invocation_time(invocation, "since"),
        .until = invocation_time(invocation, "until"),
        .limit = (size_t)invocation_number(invocation, "limit", LIMIT_DEFAULT),
    };
}

static bool list_rows(struct listing *listing, const struct invocation *invocation,
                      struct error *err)
{
    struct store_run_filter filter = filter_of(invocation);
    struct store *store = listing->session->store;
    bool read = node_list_load(&listing->fleet, listing->session, err) &&
                (store == NULL || store->ops->read_runs(store, &filter, list_run, listing, err));
    node_list_release(&listing->fleet);
    return read;
}

static bool list_all(const struct invocation *invocation, const struct session *session,
                     struct error *err)
{
    AUTO_TEXT_TABLE table = text_table_new("RUN|JOB|STATE|STARTED|TOOK|TRIGGER|RESULT");
    struct listing listing = {.session = session, .table = table};
    listing.array = invocation->json ? json_array() : NULL;
    if (!list_rows(&listing, invocation, err)) {
        json_decref(listing.array);
        return false;
    }
    if (invocation->json) {
        json_print(listing.array);
    } else if (text_table_rows(table) == 0) {
        fputs(session->store == NULL
                  ? "nothing has run yet: there is no store; start: ironcron serve\n"
                  : "no runs match\n",
              stderr);
        session_doubt_job(session, invocation_text(invocation, "job"));
    } else {
        text_table_print(table, stdout, 0);
    }
    return true;
}

bool command_runs(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(session_release) struct session session = {0};
    if (!session_config_to_look(&session, invocation, err) || !session_read(&session, err)) {
        return false;
    }
    return list_all(invocation, &session, err);
}

// ---- one run ------------------------------------------------------------------------------------

static bool open_run(struct session *session, const struct invocation *invocation,
                     struct run_kept *kept, struct error *err)
{
    struct uuid id;
    const char *text = invocation->arguments[0];
    if (!session_open(session, invocation, err) || !session_run_id(session, text, &id, err) ||
        !run_kept_read(kept, session->store, id, err)) {
        return false;
    }
    return kept->is_there ||
           error_set(err, ERROR_NOT_FOUND,
                     "there is no run %s; it may have been pruned (history.runs)\n"
                     "All ids: ironcron runs",
                     text);
}

static void line(const char *name, const char *text, enum colour colour)
{
    printf("  %-10s ", name);
    terminal_put(stdout, colour, text);
    putchar('\n');
}

static void line_time(const char *name, struct instant t, const struct zone *zone)
{
    char text[FORMAT_TIME_SIZE] = "-";
    if (!instant_is_none(t)) {
        format_in_zone(t, zone, text);
    }
    line(name, text, COLOUR_NONE);
}

static void print_run(const struct session *session, const struct store_run_row *row,
                      bool is_cut_off)
{
    char id[UUID_TEXT_SIZE];
    char node[UUID_TEXT_SIZE];
    char text[128];
    uuid_format(row->run_id, id);
    uuid_format(row->node, node);
    printf("run %s\n", id);
    line("job", row->job, COLOUR_BOLD);
    line("state", run_state_name(row->state), run_state_colour(row->state));
    snprintf(text, sizeof text, "%s, attempt %d", run_trigger_name(row->trigger), row->attempt);
    line("trigger", text, COLOUR_NONE);
    line_time("due", row->due_at, session->zone);
    line_time("started", row->started_at, session->zone);
    line_time("ended", row->ended_at, session->zone);
    run_duration(row, session_now(session), is_cut_off, text, sizeof text);
    line("took", is_cut_off ? RUN_CUT_OFF : text, is_cut_off ? COLOUR_BAD : COLOUR_NONE);
    line("node", node, COLOUR_NONE);
    snprintf(text, sizeof text, "%lld", (long long)row->fence);
    line("fence", text, COLOUR_NONE);
    if (row->has_exit_code) {
        snprintf(text, sizeof text, "%d", row->exit_code);
        line("exit code", text, row->exit_code == 0 ? COLOUR_NONE : COLOUR_BAD);
    }
    if (row->error != NULL) {
        line("error", row->error, COLOUR_BAD);
    }
}

static bool read_tail(struct store *store, const struct run_more *more, char tail[TAIL_BYTES + 1],
                      struct error *err)
{
    size_t got = 0;
    int64_t offset = more->output_bytes > TAIL_BYTES ? more->output_bytes - TAIL_BYTES : 0;
    if (!store->ops->read_output(store, more->run->run_id, offset, tail, TAIL_BYTES, &got, err)) {
        return false;
    }
    tail[got] = '\0';
    // From the middle of a line on nobody can read it.
    char *newline = offset > 0 ? memchr(tail, '\n', got) : NULL;
    if (newline != NULL) {
        memmove(tail, newline + 1, got - (size_t)(newline + 1 - tail) + 1);
    }
    return true;
}

static void print_tail(const struct run_more *more, const char *tail)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(more->run->run_id, id);
    if (more->output_bytes == 0) {
        puts("\nno output");
        return;
    }
    size_t bytes = strlen(tail);
    char *clean = terminal_clean_lines(tail, bytes);
    printf("\nend of the output (%lld bytes; all of it: ironcron runs output %s)\n%s%s",
           (long long)more->output_bytes, id, clean,
           bytes > 0 && tail[bytes - 1] == '\n' ? "" : "\n");
    free(clean);
}

// What the node left undone is for another one.
static void add_next(const struct session *session, const struct run_more *more, bool is_cut_off,
                     struct buf *next)
{
    if (is_cut_off) {
        buf_add_string(next, session->has_node ? "ironcron nodes" : "ironcron serve");
    } else {
        run_more_next(more, session->zone, next);
    }
}

static bool show(const struct session *session, const struct run_more *more,
                 const struct node_list *fleet, struct error *err)
{
    char tail[TAIL_BYTES + 1];
    AUTO(buf_release) struct buf next;
    buf_init(&next, 1024);
    if (!read_tail(session->store, more, tail, err)) {
        return false;
    }
    bool is_cut_off = node_list_cut_off(fleet, more->run);
    print_run(session, more->run, is_cut_off);
    run_more_print_facts(more);
    run_more_print_attempts(more, fleet, session->zone, session_now(session));
    run_more_print_events(more, session->zone);
    print_tail(more, tail);
    add_next(session, more, is_cut_off, &next);
    printf("\nnext  ");
    terminal_put(stdout, COLOUR_BOLD, buf_string(&next));
    putchar('\n');
    return true;
}

bool command_runs_show(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(session_release) struct session session = {0};
    AUTO(node_list_release) struct node_list fleet = {0};
    AUTO(run_more_release) struct run_more more = {0};
    struct run_kept kept = {0};
    if (!open_run(&session, invocation, &kept, err) || !node_list_load(&fleet, &session, err) ||
        !run_more_load(&more, session.store, &kept.row, NULL, DURATION_US(0), err)) {
        return false;
    }
    if (!invocation->json) {
        return show(&session, &more, &fleet, err);
    }
    more.nodes = &fleet.gone;
    json_print(json_run_in_full(&more, session.zone));
    return true;
}

// ---- output -------------------------------------------------------------------------------------

bool command_runs_output(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(session_release) struct session session = {0};
    struct run_kept kept = {0};
    if (!open_run(&session, invocation, &kept, err)) {
        return false;
    }
    bool follows = invocation_has(invocation, "follow");
    struct follow follow = {.run_id = kept.row.run_id, .json = invocation->json};
    while (true) {
        // Asked before the output is read: what came before the end is printed.
        bool is_over = run_state_is_final(kept.row.state) || !follows;
        session_look_for_node(&session);
        if (!follow_print(&follow, session.store, err)) {
            return false;
        }
        if (is_over) {
            break;
        }
        if (!session.has_node) {
            follow_end(&follow);
            return error_set(err, ERROR_REFUSED,
                             "the node of this run is gone; the next one records it as LOST");
        }
        intent_pause();
        if (!run_kept_read(&kept, session.store, follow.run_id, err)) {
            return false;
        }
    }
    follow_end(&follow);
    return true;
}

// ---- cancel -------------------------------------------------------------------------------------

static bool check_cancel(struct session *session, const struct invocation *invocation,
                         struct store_intent *intent, struct error *err)
{
    if (intent->job != NULL) {
        // Where the configuration cannot be asked, the node knows.
        return session->config->is_faulty || session_job(session, intent->job, err) != NULL;
    }
    struct run_kept kept = {0};
    const char *text = invocation->arguments[0];
    if (!session_run_id(session, text, &intent->run_id, err) ||
        !run_kept_read(&kept, session->store, intent->run_id, err)) {
        return false;
    }
    if (!kept.is_there) {
        return error_set(err, ERROR_NOT_FOUND,
                         "there is no run %s\nRunning ones: ironcron runs "
                         "--state started",
                         text);
    }
    return kept.row.state == RUN_STARTED ||
           error_set(err, ERROR_REFUSED, "run %s of %s is over already: %s", text, kept.job,
                     run_state_name(kept.row.state));
}

static bool note_run(void *context, const struct store_run_row *row)
{
    *(struct uuid *)context = row->run_id;
    return false;
}

// What a node that is silent has begun is STARTED, and none that answers has it.
static bool was_not_cancelled(const struct session *session, const struct store_intent *intent,
                              const char *answer_or_null, struct error *err)
{
    struct uuid run = {{0}};
    const struct store_run_filter filter = {
        .job = intent->job, .by_state = true, .state = RUN_STARTED, .limit = 1};
    const char *answer = answer_or_null != NULL ? answer_or_null : "the node refused";
    if (intent->job == NULL ||
        !session->store->ops->read_runs(session->store, &filter, note_run, &run, err) ||
        uuid_is_nil(run)) {
        return error_set(err, ERROR_REFUSED, "nothing was cancelled: %s", answer);
    }
    char id[UUID_TEXT_SIZE];
    uuid_format(run, id);
    return error_set(err, ERROR_REFUSED,
                     "nothing was cancelled: run %s is STARTED, but its node does not answer; it "
                     "ends what it runs when its lease is over, and the run is LOST then: ironcron "
                     "nodes",
                     id);
}

bool command_runs_cancel(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(session_release) struct session session = {0};
    struct store_intent intent = {.kind = INTENT_CANCEL, .job = invocation_text(invocation, "job")};
    if (!session_open(&session, invocation, err) ||
        !check_cancel(&session, invocation, &intent, err)) {
        return false;
    }
    if (!session.has_node) {
        return error_set(err, ERROR_REFUSED,
                         "no node is live, so nothing is running; a run that is still shown as "
                         "STARTED becomes LOST at the next start: ironcron serve");
    }
    AUTO(arena_release) struct arena arena;
    arena_init(&arena, ANSWER_MAX);
    struct store_intent answer = {0};
    if (!session_write(&session, err) || !intent_put(&session, invocation, &intent, err) ||
        !intent_wait(&session, intent.intent_id, DURATION_S(CANCEL_SECONDS), &arena, &answer,
                     err)) {
        return false;
    }
    if (answer.state == INTENT_REFUSED) {
        return was_not_cancelled(&session, &intent, answer.answer, err);
    }
    if (invocation->json) {
        json_print(json_intent(&answer));
        return true;
    }
    const char *what = intent.job != NULL ? intent.job : invocation->arguments[0];
    printf("%s: ", what);
    terminal_put(stdout, COLOUR_NONE, answer.answer != NULL ? answer.answer : "cancelled");
    printf(". See: ironcron runs %s%s\n", intent.job != NULL ? "--job " : "show ", what);
    return true;
}
