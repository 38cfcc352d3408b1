// SPDX-License-Identifier: MIT
// `run` and `runs retry`: one run, by the live node or by a short-lived one of our own.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/nearest.h"
#include "cli/follow.h"
#include "cli/intent.h"
#include "cli/json.h"
#include "cli/retry_wish.h"
#include "cli/run.h"
#include "cli/run_text.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "job/params.h"
#include "serve/serve.h"

#define ANSWER_MAX ((size_t)1024 * 1024)
#define PATIENCE   DURATION_S(5) // then it is said that the node does not answer
#define GLIMPSE    DURATION_S(2) // so long one who does not wait looks whether it is refused

// A manual run on its way.
struct trip {
    struct session session;
    struct invocation *invocation;
    const struct job *job;
    char name[JOB_NAME_MAX + 1]; // of the job
    struct store_intent wish;    // what is asked for
    char *params;                // of the wish; owned
    struct uuid intent_id;
    struct store_intent intent; // as last read; texts in `arena`
    struct arena arena;
    bool is_announced;
    bool is_left; // Ctrl-C: the run goes on without us
    struct follow follow;
    struct run_kept run; // as last read
    struct error failure;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static void trip_release(struct trip *trip)
{
    arena_release(&trip->arena);
    session_release(&trip->session);
    free(trip->params);
}

static char *params_json(const struct invocation *invocation)
{
    json_t *params = json_object();
    for (size_t i = 0; i < invocation->use_count; i++) {
        const struct option_use *use = &invocation->uses[i];
        if (strcmp(use->option->name, "param") == 0) {
            size_t length = strcspn(use->text, "=");
            char *key = alloc_bytes(use->text, length);
            json_object_set_new(params, key, json_text(use->text + length + 1));
            free(key);
        }
    }
    char *text = json_object_size(params) > 0 ? json_dumps(params, JSON_COMPACT) : NULL;
    json_decref(params);
    return text;
}

// Wrong words are told at once, and with the nearest right one.
static bool check_params(const struct trip *trip, struct error *err)
{
    bool fine = job_params_check(trip->job, trip->params, err);
    for (size_t i = 0; !fine && i < trip->invocation->use_count; i++) {
        const struct option_use *use = &trip->invocation->uses[i];
        char name[JOB_PARAM_NAME_MAX + 1];
        if (strcmp(use->option->name, "param") != 0) {
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)strcspn(use->text, "="), use->text);
        struct nearest nearest;
        nearest_init(&nearest, name);
        for (const struct job_variable *param = trip->job->params;
             param != NULL && param->name != NULL; param++) {
            nearest_offer(&nearest, param->name);
        }
        if (nearest.best != NULL && strcmp(nearest.best, name) != 0) {
            size_t length = strlen(err->text);
            snprintf(err->text + length, sizeof err->text - length, "; did you mean \"%s\"?",
                     nearest.best);
            break;
        }
    }
    return fine;
}

static bool ask(struct trip *trip, struct error *err)
{
    struct store_intent intent = trip->wish;
    intent.job = trip->name;
    intent.params = trip->params;
    bool asked = intent_put(&trip->session, trip->invocation, &intent, err);
    trip->intent_id = intent.intent_id;
    return asked;
}

// ---- on the way ---------------------------------------------------------------------------------

static void announce(struct trip *trip)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(trip->run.row.run_id, id);
    fprintf(stderr, "run %s of %s started\n", id, trip->job->name);
    trip->follow =
        (struct follow){.run_id = trip->run.row.run_id, .is_silent = trip->invocation->json};
    trip->is_announced = true;
}

// Looks once: is it answered, did it start, what has it printed, has it ended?
static bool look(struct trip *trip, struct store *store, struct error *err)
{
    if (trip->intent.state == INTENT_PENDING || uuid_is_nil(trip->intent.run_id)) {
        arena_release(&trip->arena);
        arena_init(&trip->arena, ANSWER_MAX);
        if (!store->ops->read_intent(store, trip->intent_id, &trip->arena, &trip->intent, err)) {
            return false;
        }
    }
    if (uuid_is_nil(trip->intent.run_id)) {
        return true;
    }
    if (!run_kept_read(&trip->run, store, trip->intent.run_id, err)) {
        return false;
    }
    if (trip->run.is_there && !trip->is_announced) {
        announce(trip);
    }
    return !trip->is_announced || follow_print(&trip->follow, store, err);
}

static bool is_over(const struct trip *trip)
{
    bool refused = trip->intent.state == INTENT_REFUSED;
    return refused || (trip->run.is_there && run_state_is_final(trip->run.row.state));
}

static void on_turn(void *context, struct store *store)
{
    struct trip *trip = context;
    if (trip->failure.code == ERROR_NONE) {
        (void)look(trip, store, &trip->failure);
    }
}

static bool leave(struct trip *trip, int *exit_out)
{
    char id[UUID_TEXT_SIZE] = "";
    if (trip->run.is_there) {
        uuid_format(trip->run.row.run_id, id);
        fprintf(stderr,
                "\nThe run goes on. Follow it: ironcron runs output %s -f\n"
                "End it: ironcron runs cancel %s\n",
                id, id);
    } else {
        fprintf(stderr, "\nThe node was asked and will start it. See: ironcron runs --job %s\n",
                trip->job->name);
    }
    *exit_out = 1;
    return true;
}

static bool node_is_gone(struct trip *trip, struct error *err)
{
    if (trip->run.is_there) {
        return error_set(err, ERROR_REFUSED,
                         "the node stopped while the run was going; the next node records it as "
                         "LOST. Start it: ironcron serve");
    }
    return error_set(err, ERROR_REFUSED,
                     "the node stopped before it started the run; the next node will. Start it: "
                     "ironcron serve");
}

static void tell_of_waiting(const struct trip *trip)
{
    char node[SESSION_NODE_SIZE];
    session_node_words(&trip->session, node);
    fprintf(stderr,
            "%s has not taken this up yet, and will when it can. What it does: ironcron status\n",
            node);
}

static bool wait_for_node(struct trip *trip, struct error *err)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL); // `timeout` too leaves with word of what goes on
    struct mono patience = mono_add(clock_mono(trip->session.clock), PATIENCE);
    bool is_told = false;
    while (true) {
        session_look_for_node(&trip->session);
        bool is_gone = !trip->session.has_node;
        if (!look(trip, trip->session.store, err)) {
            return false;
        }
        if (is_over(trip)) {
            return true;
        }
        if (interrupted) {
            trip->is_left = true;
            return true;
        }
        if (is_gone) {
            return node_is_gone(trip, err);
        }
        if (!is_told && !trip->run.is_there &&
            !mono_before(clock_mono(trip->session.clock), patience)) {
            is_told = true;
            tell_of_waiting(trip);
        }
        intent_pause();
    }
}

// A node that lived a moment ago may be gone: then we execute, and need every secret.
static bool load_whole(struct trip *trip, struct error *err)
{
    if (trip->session.is_whole) {
        return true;
    }
    trip->job = NULL;
    if (!session_config_whole(&trip->session, trip->invocation, err) ||
        !session_definitions(&trip->session, err)) {
        return false;
    }
    trip->job = session_job(&trip->session, trip->name, err);
    return trip->job != NULL;
}

static bool be_the_node(struct trip *trip, struct error *err)
{
    if (!load_whole(trip, err)) {
        intent_withdraw(&trip->session, trip->intent_id, err);
        return false;
    }
    struct serve_once_options options = {
        .config = trip->session.config, .context = trip, .on_turn = on_turn};
    if (!serve_dry_run_from_environment(&options.dry_run, err)) {
        intent_withdraw(&trip->session, trip->intent_id, err);
        return false;
    }
    session_close_store(&trip->session);
    if (serve_once(&options, err)) {
        *err = trip->failure;
        return err->code == ERROR_NONE && session_read(&trip->session, err) &&
               look(trip, trip->session.store, err);
    }
    session_look_for_node(&trip->session);
    if (trip->session.has_node) { // one came up in between: it has the wish
        return session_read(&trip->session, err) && wait_for_node(trip, err);
    }
    intent_withdraw(&trip->session, trip->intent_id, err);
    return false;
}

static bool travel(struct trip *trip, struct error *err)
{
    return trip->session.has_node ? wait_for_node(trip, err) : be_the_node(trip, err);
}

// ---- the end ------------------------------------------------------------------------------------

static bool was_refused(const struct trip *trip, struct error *err)
{
    return error_set(err, ERROR_REFUSED, "%s was not run: %s", trip->job->name,
                     trip->intent.answer != NULL ? trip->intent.answer : "the node refused");
}

static bool conclude(struct trip *trip, int *exit_out, struct error *err)
{
    if (trip->intent.state == INTENT_REFUSED) {
        return was_refused(trip, err);
    }
    if (!trip->run.is_there) {
        return error_set(
            err, ERROR_REFUSED, "%s was not run: %s\nSee: ironcron audit --job %s", trip->job->name,
            trip->intent.answer != NULL ? trip->intent.answer : "the node did not get to it",
            trip->job->name);
    }
    follow_end(&trip->follow);
    const struct store_run_row *row = &trip->run.row;
    *exit_out = row->state == RUN_SUCCESS || row->state == RUN_DRY_RUN ? 0 : 1;
    if (trip->invocation->json) {
        json_print(json_run(row, NULL));
    }
    AUTO(buf_release) struct buf text;
    buf_init(&text, 8192);
    run_conclusion(row, &text);
    terminal_put(stderr, COLOUR_NONE, buf_string(&text));
    fputc('\n', stderr);
    return true;
}

// A node that is slow to answer has it nevertheless.
static bool leave_it_to_the_node(struct trip *trip, struct error *err)
{
    struct error ignored = ERROR_INIT;
    if (!intent_wait(&trip->session, trip->intent_id, GLIMPSE, &trip->arena, &trip->intent,
                     &ignored)) {
        trip->intent = (struct store_intent){.intent_id = trip->intent_id,
                                             .kind = INTENT_RUN,
                                             .job = trip->job->name,
                                             .state = INTENT_PENDING};
    }
    if (trip->intent.state == INTENT_REFUSED) {
        return was_refused(trip, err);
    }
    if (trip->invocation->json) {
        json_print(json_intent(&trip->intent));
        return true;
    }
    char node[SESSION_NODE_SIZE];
    session_node_words(&trip->session, node);
    printf("%s was asked for at %s. See: ironcron runs --job %s\n", trip->job->name, node,
           trip->job->name);
    return true;
}

// The wish is known: the job by its name, and who carries it out.
static bool prepare(struct trip *trip, struct error *err)
{
    struct session *session = &trip->session;
    session_look_for_node(session);
    if (!session->has_node && (!session_config_whole(session, trip->invocation, err) ||
                               !session_may_execute(session, err))) {
        return false; // we shall execute it ourselves
    }
    trip->job = session_definitions(session, err) ? session_job(session, trip->name, err) : NULL;
    return trip->job != NULL && session_write(session, err);
}

static bool carry_out(struct trip *trip, int *exit_out, struct error *err)
{
    if (!ask(trip, err) || !travel(trip, err)) {
        return false;
    }
    return trip->is_left ? leave(trip, exit_out) : conclude(trip, exit_out, err);
}

bool command_run(struct invocation *invocation, int *exit_out, struct error *err)
{
    AUTO(trip_release) struct trip trip = {.invocation = invocation, .wish.kind = INTENT_RUN};
    bool is_detached = invocation_has(invocation, "detach");
    if (is_detached && invocation_has(invocation, "wait")) {
        return error_set(err, ERROR_USAGE, "give --wait or --detach, not both");
    }
    arena_init(&trip.arena, ANSWER_MAX);
    trip.wish.dry_run = invocation_has(invocation, "dry-run");
    trip.params = params_json(invocation);
    snprintf(trip.name, sizeof trip.name, "%s", invocation->arguments[0]);
    if (!session_config(&trip.session, invocation, err) || !prepare(&trip, err)) {
        return false;
    }
    if (is_detached && !trip.session.has_node) {
        return error_set(err, ERROR_REFUSED,
                         "no node is live that could run %s in the background; leave --detach out, "
                         "or start one: ironcron serve",
                         trip.job->name);
    }
    if (!check_params(&trip, err)) {
        return false;
    }
    if (is_detached) {
        return ask(&trip, err) && leave_it_to_the_node(&trip, err);
    }
    return carry_out(&trip, exit_out, err);
}

bool command_runs_retry(struct invocation *invocation, int *exit_out, struct error *err)
{
    AUTO(trip_release) struct trip trip = {.invocation = invocation};
    struct retry_wish wish;
    arena_init(&trip.arena, ANSWER_MAX);
    if (!session_open(&trip.session, invocation, err) ||
        !retry_wish_find(&trip.session, invocation->arguments[0], &wish, err)) {
        return false;
    }
    trip.wish.kind = wish.kind;
    trip.wish.run_id = wish.kind == INTENT_RETRY ? wish.run.row.run_id : (struct uuid){{0}};
    trip.params = wish.kind == INTENT_RUN ? NULL : alloc_string(wish.params);
    snprintf(trip.name, sizeof trip.name, "%s", wish.run.job);
    if (!prepare(&trip, err)) {
        return false;
    }
    if (wish.kind == INTENT_RUN) {
        fprintf(stderr,
                "a manual run has no slot: this is a new one. Parameters are not kept, so "
                "it gets the defaults; give them with: ironcron run %s --param\n",
                trip.name);
        if (!check_params(&trip, err)) {
            return false;
        }
    }
    return carry_out(&trip, exit_out, err);
}
