// SPDX-License-Identifier: MIT
// `backfill`: slots of a past range run again, by the live node or by a short-lived one of our own.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/intent.h"
#include "cli/json.h"
#include "cli/run.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "document/control_set.h"
#include "serve/serve.h"
#include "time/format.h"

#define ANSWER_MAX ((size_t)1024 * 1024)
#define TOLD_EVERY DURATION_S(1)

struct fill { // a backfill on its way
    struct session session;
    struct invocation *invocation;
    const struct job *job;
    struct store_intent intent; // as last read; texts in `arena`
    struct arena arena;
    char told[256]; // the last progress on the terminal
    struct mono told_at;
    bool is_pause_told;
    struct error failure;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static void fill_release(struct fill *fill)
{
    arena_release(&fill->arena);
    session_release(&fill->session);
}

// ---- asking -------------------------------------------------------------------------------------

static bool check_range(const struct invocation *invocation, struct error *err)
{
    struct instant from = invocation_time(invocation, "from");
    struct instant to = invocation_time(invocation, "to");
    if (instant_is_none(from) || instant_is_none(to)) {
        return error_set(err, ERROR_USAGE,
                         "a backfill needs its range: --from TIME --to TIME, both included");
    }
    if (instant_before(to, from)) {
        return error_set(err, ERROR_USAGE, "--from is after --to");
    }
    return true;
}

static bool ask(struct fill *fill, struct error *err)
{
    const struct invocation *invocation = fill->invocation;
    char from[FORMAT_TIME_SIZE];
    char to[FORMAT_TIME_SIZE];
    char parallel[32];
    format_utc_ms(invocation_time(invocation, "from"), from);
    format_utc_ms(invocation_time(invocation, "to"), to);
    snprintf(parallel, sizeof parallel, "%d",
             (int)invocation_number(invocation, "max-parallel", 1));
    json_t *wish = json_pack("{s:s, s:s, s:s, s:s*}", "from", from, "to", to, "max_parallel",
                             parallel, "force", invocation_has(invocation, "force") ? "yes" : NULL);
    char *params = json_dumps(wish, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(wish);
    struct store_intent intent = {.kind = INTENT_BACKFILL,
                                  .job = fill->job->name,
                                  .params = params,
                                  .dry_run = invocation_has(invocation, "dry-run")};
    bool asked = intent_put(&fill->session, invocation, &intent, err);
    fill->intent.intent_id = intent.intent_id;
    free(params);
    return asked;
}

// ---- on the way ---------------------------------------------------------------------------------

struct counts {
    json_int_t slots, succeeded, failed, passed_over, dry_run;
    const char *stopped; // NULL
};

// False when the answer is none (yet). What it points to lives as long as *document_out.
static bool read_counts(const struct store_intent *intent, json_t **document_out,
                        struct counts *counts)
{
    *counts = (struct counts){0};
    *document_out = intent->answer == NULL ? NULL : json_loads(intent->answer, 0, NULL);
    return *document_out != NULL &&
           json_unpack(*document_out, "{s:I, s:I, s:I, s:I, s?:I, s?:s}", "slots", &counts->slots,
                       "succeeded", &counts->succeeded, "failed", &counts->failed, "passed_over",
                       &counts->passed_over, "dry_run", &counts->dry_run, "stopped",
                       &counts->stopped) == 0;
}

static void tell_progress(struct fill *fill)
{
    json_t *document;
    struct counts counts;
    char text[sizeof fill->told];
    struct mono now = clock_mono(fill->session.clock);
    if (fill->intent.state != INTENT_PENDING || mono_since(now, fill->told_at).us < TOLD_EVERY.us) {
        return;
    }
    if (read_counts(&fill->intent, &document, &counts)) {
        snprintf(text, sizeof text, "%lld of %lld: %lld succeeded, %lld failed",
                 counts.succeeded + counts.failed + counts.passed_over + counts.dry_run,
                 counts.slots, counts.succeeded, counts.failed);
        if (strcmp(text, fill->told) != 0) {
            fprintf(stderr, "%s\n", text);
            memcpy(fill->told, text, sizeof text);
            fill->told_at = now;
        }
    }
    json_decref(document);
}

// A pause holds a backfill, which without a word would look like one that hangs.
static bool tell_pause(struct fill *fill, struct store *store, struct error *err)
{
    AUTO(control_set_release) struct control_set controls = {0};
    if (fill->is_pause_told || fill->intent.state != INTENT_PENDING) {
        return true;
    }
    if (!control_set_load(&controls, store, err)) {
        return false;
    }
    const struct store_control_row *pause =
        control_set_of(&controls, fill->job->name, CONTROL_PAUSE);
    if (pause != NULL) {
        char undo[256];
        control_set_undo(CONTROL_PAUSE, pause->job, undo, sizeof undo);
        fprintf(stderr, "%s is paused: the backfill waits for: %s\n", fill->job->name, undo);
        fill->is_pause_told = true;
    }
    return true;
}

static bool look(struct fill *fill, struct store *store, struct error *err)
{
    struct uuid id = fill->intent.intent_id;
    arena_release(&fill->arena);
    arena_init(&fill->arena, ANSWER_MAX);
    if (!store->ops->read_intent(store, id, &fill->arena, &fill->intent, err)) {
        return false;
    }
    tell_progress(fill);
    return tell_pause(fill, store, err);
}

static void on_turn(void *context, struct store *store)
{
    struct fill *fill = context;
    if (fill->failure.code == ERROR_NONE) {
        (void)look(fill, store, &fill->failure);
    }
}

static bool wait_for_node(struct fill *fill, struct error *err)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (true) {
        session_look_for_node(&fill->session);
        bool is_gone = !fill->session.has_node;
        if (!look(fill, fill->session.store, err)) {
            return false;
        }
        if (fill->intent.state != INTENT_PENDING || interrupted) {
            return true;
        }
        if (is_gone) {
            return error_set(err, ERROR_REFUSED,
                             "the node stopped on the way; the next one goes on where it was. "
                             "Start it: ironcron serve");
        }
        intent_pause();
    }
}

static bool be_the_node(struct fill *fill, struct error *err)
{
    struct serve_once_options options = {
        .config = fill->session.config, .context = fill, .on_turn = on_turn};
    if (!serve_dry_run_from_environment(&options.dry_run, err)) {
        intent_withdraw(&fill->session, fill->intent.intent_id, err);
        return false;
    }
    session_close_store(&fill->session);
    if (serve_once(&options, err)) {
        *err = fill->failure;
        return err->code == ERROR_NONE && session_read(&fill->session, err) &&
               look(fill, fill->session.store, err);
    }
    session_look_for_node(&fill->session);
    if (fill->session.has_node) { // one came up in between: it has the wish
        return session_read(&fill->session, err) && wait_for_node(fill, err);
    }
    intent_withdraw(&fill->session, fill->intent.intent_id, err);
    return false;
}

// ---- the end ------------------------------------------------------------------------------------

static void say(const struct fill *fill, const struct counts *counts)
{
    const char *name = fill->job->name;
    if (counts->slots == 0) {
        printf("%s: no slot of that range is without success\n", name);
        return;
    }
    printf("%s: %lld slot%s, %lld succeeded, %lld failed", name, counts->slots,
           counts->slots == 1 ? "" : "s", counts->succeeded, counts->failed);
    if (counts->dry_run > 0) {
        printf(", %lld in dry-run only", counts->dry_run);
    }
    if (counts->passed_over > 0) {
        printf(", %lld left to others", counts->passed_over);
    }
    if (counts->stopped != NULL) {
        printf(", then stopped by ");
        terminal_put(stdout, COLOUR_NONE, counts->stopped);
    }
    putchar('\n');
    if (counts->failed > 0) {
        printf("See: ironcron runs --job %s --state failed; the same command tries them again\n",
               name);
    }
}

static bool conclude(struct fill *fill, int *exit_out, struct error *err)
{
    const struct store_intent *intent = &fill->intent;
    json_t *document;
    struct counts counts;
    if (intent->state == INTENT_REFUSED) {
        return error_set(err, ERROR_REFUSED, "%s was not backfilled: %s", fill->job->name,
                         intent->answer != NULL ? intent->answer : "the node refused");
    }
    if (!read_counts(intent, &document, &counts)) {
        json_decref(document);
        return error_set(err, ERROR_REFUSED,
                         "the node has not said how it went; see: ironcron "
                         "audit --event BACKFILL_ENDED");
    }
    bool whole = counts.succeeded + counts.passed_over + counts.dry_run == counts.slots;
    *exit_out = whole && counts.stopped == NULL ? 0 : 1;
    if (fill->invocation->json) {
        json_object_set_new(document, "job", json_text(fill->job->name));
        json_print(json_incref(document));
    } else {
        say(fill, &counts);
    }
    json_decref(document);
    return true;
}

static bool leave(const struct fill *fill, int *exit_out)
{
    char node[SESSION_NODE_SIZE];
    session_node_words(&fill->session, node);
    fprintf(stderr,
            "\nThe backfill goes on at %s. How far it is: ironcron audit --job %s\n"
            "End it, with what it runs: ironcron runs cancel --job %s\n",
            node, fill->job->name, fill->job->name);
    *exit_out = 1;
    return true;
}

bool command_backfill(struct invocation *invocation, int *exit_out, struct error *err)
{
    AUTO(fill_release) struct fill fill = {.invocation = invocation};
    struct session *session = &fill.session;
    arena_init(&fill.arena, ANSWER_MAX);
    if (!check_range(invocation, err) || !session_config(session, invocation, err)) {
        return false;
    }
    session_look_for_node(session);
    if (!session->has_node &&
        (!session_config_whole(session, invocation, err) || !session_may_execute(session, err))) {
        return false; // we shall execute it ourselves
    }
    fill.job = session_definitions(session, err)
                   ? session_job(session, invocation->arguments[0], err)
                   : NULL;
    if (fill.job == NULL || !session_write(session, err) || !ask(&fill, err)) {
        return false;
    }
    bool there = session->has_node ? wait_for_node(&fill, err) : be_the_node(&fill, err);
    if (!there) {
        return false;
    }
    return fill.intent.state == INTENT_PENDING && interrupted ? leave(&fill, exit_out)
                                                              : conclude(&fill, exit_out, err);
}
