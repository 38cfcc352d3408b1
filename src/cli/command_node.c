// SPDX-License-Identifier: MIT
// `serve`, `nodes`, `reload`: the node itself.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/intent.h"
#include "cli/json.h"
#include "cli/run.h"
#include "cli/session.h"
#include "cli/text_table.h"
#include "cli/words.h"
#include "serve/serve.h"
#include "time/format.h"

#define RELOAD_SECONDS 15
#define ANSWER_MAX     ((size_t)1024 * 1024)

bool command_serve(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)err;
    struct serve_options options = {.config_path = invocation->config_path,
                                    .dry_run = invocation_has(invocation, "dry-run")};
    *exit_out = serve_run(&options);
    return true;
}

// ---- nodes --------------------------------------------------------------------------------------

struct listing {
    const struct session *session;
    struct text_table *table; // or
    json_t *array;
};

// A node that was killed is still written down as live; the lock knows better.
static const char *state_of(const struct session *session, const struct store_node_row *row)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(row->node, id);
    bool holds_lock = session->has_node && strcmp(session->node.node, id) == 0;
    return strcmp(row->state, "live") == 0 && !holds_lock ? "gone" : row->state;
}

static bool list_node(void *context, const struct store_node_row *row)
{
    struct listing *listing = context;
    const char *state = state_of(listing->session, row);
    if (listing->array != NULL) {
        json_array_append_new(listing->array, json_node_row(row, state));
        return true;
    }
    char id[UUID_TEXT_SIZE];
    char started[FORMAT_TIME_SIZE];
    char seen[WORDS_TIME_SIZE];
    uuid_format(row->node, id);
    format_in_zone(row->started_at, listing->session->zone, started);
    words_relative(row->last_seen, session_now(listing->session), seen);
    struct text_table *table = listing->table;
    text_table_cell(table, COLOUR_NONE, id);
    text_table_cell(table, COLOUR_NONE, row->host);
    text_table_cell(table, strcmp(state, "live") == 0 ? COLOUR_GOOD : COLOUR_DIM, state);
    text_table_cell(table, COLOUR_NONE, started);
    text_table_cell(table, COLOUR_NONE, seen);
    text_table_cellf(table, COLOUR_NONE, "%d", row->running);
    text_table_cell(table, COLOUR_NONE, row->version);
    return true;
}

bool command_nodes(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(session_release) struct session session = {0};
    if (!session_open(&session, invocation, err)) {
        return false;
    }
    AUTO_TEXT_TABLE table = text_table_new("NODE|HOST|STATE|STARTED|LAST SEEN|>RUNNING|VERSION");
    struct listing listing = {.session = &session, .table = table};
    listing.array = invocation->json ? json_array() : NULL;
    if (!session.store->ops->read_nodes(session.store, list_node, &listing, err)) {
        json_decref(listing.array);
        return false;
    }
    if (invocation->json) {
        json_print(listing.array);
    } else if (text_table_rows(table) == 0) {
        fputs("no node has run yet; start one: ironcron serve\n", stderr);
    } else {
        text_table_print(table, stdout, 0);
    }
    return true;
}

// ---- reload -------------------------------------------------------------------------------------

static bool nothing_to_reload(const struct invocation *invocation, const struct session *session)
{
    if (invocation->json) {
        json_print(json_pack("{s:s, s:b, s:o}", "intent", "reload", "node_is_live", 0, "answer",
                             json_text("no node is live")));
    } else {
        printf("%s has no error. No node is live: the next one starts with it: ironcron serve\n",
               session->config->path);
    }
    return true;
}

bool command_reload(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(session_release) struct session session = {0};
    if (!session_config(&session, invocation, err)) {
        return false;
    }
    session_look_for_node(&session);
    if (!session.has_node && !session_config_whole(&session, invocation, err)) {
        return false;
    }
    if (!session.has_node) {
        return nothing_to_reload(invocation, &session);
    }
    AUTO(arena_release) struct arena arena;
    arena_init(&arena, ANSWER_MAX);
    struct store_intent intent = {.kind = INTENT_RELOAD};
    struct store_intent answer = {0};
    if (!session_write(&session, err) || !intent_put(&session, invocation, &intent, err) ||
        !intent_wait(&session, intent.intent_id, DURATION_S(RELOAD_SECONDS), &arena, &answer,
                     err)) {
        return false;
    }
    if (answer.state == INTENT_REFUSED) {
        return error_set(err, ERROR_REFUSED, "the node kept its old configuration: %s",
                         answer.answer != NULL ? answer.answer : "it gave no reason");
    }
    if (invocation->json) {
        json_print(json_intent(&answer));
        return true;
    }
    char node[SESSION_NODE_SIZE];
    session_node_words(&session, node);
    printf("%s runs with %s now", node, session.config->path);
    if (answer.answer != NULL) {
        printf(": ");
        terminal_put(stdout, COLOUR_NONE, answer.answer);
    }
    putchar('\n');
    return true;
}
