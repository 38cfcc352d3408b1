// SPDX-License-Identifier: MIT
// `serve`, `nodes`, `reload`: the node itself.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/intent.h"
#include "cli/json.h"
#include "cli/node_list.h"
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

static void state_cell(struct text_table *table, const struct listed_node *node)
{
    bool is_live = node_list_lives(node);
    bool is_overdue = strcmp(node->state, "overdue") == 0;
    text_table_cellf(table,
                     is_live      ? COLOUR_GOOD
                     : is_overdue ? COLOUR_BAD
                                  : COLOUR_DIM,
                     "%s%s%s", node->state, is_live && node->row.dry_run ? ", dry-run" : "",
                     is_live && node->row.draining ? ", draining" : "");
}

// How much of its lease a node has left, where it has one.
static void lease_cell(struct text_table *table, const struct listed_node *node, struct instant now)
{
    bool has_lease =
        strcmp(node->row.state, "live") == 0 && !instant_is_none(node->row.valid_until);
    long long left =
        has_lease ? (long long)(instant_since(node->row.valid_until, now).us / 1000000) : 0;
    if (has_lease) {
        text_table_cellf(table, left < 0 ? COLOUR_BAD : COLOUR_NONE, "%lld s", left);
    } else {
        text_table_cell(table, COLOUR_DIM, NULL);
    }
}

static void running_cell(struct text_table *table, const struct listed_node *node, bool is_fleet)
{
    if (node->cut_off > 0) {
        text_table_cellf(table, COLOUR_BAD, "%zu cut off", node->cut_off);
    } else if (is_fleet) {
        text_table_cellf(table, COLOUR_NONE, "%d/%d", node->row.running, node->row.max_running);
    } else {
        text_table_cellf(table, COLOUR_NONE, "%d", node->row.running);
    }
}

// Which version of the definitions a node executes.
static void definitions_cell(struct text_table *table, const struct listed_node *node,
                             int64_t active)
{
    bool differs = node->row.definitions != active;
    if (node_list_lives(node) && node->row.definitions > 0) {
        text_table_cellf(table, differs ? COLOUR_BAD : COLOUR_NONE, "version %" PRId64,
                         node->row.definitions);
    } else {
        text_table_cell(table, COLOUR_DIM, NULL);
    }
}

// "region=eu, disk=ssd"
static void labels_cell(struct text_table *table, const struct store_node_row *row)
{
    AUTO(buf_release) struct buf text;
    buf_init(&text, 65536);
    json_t *labels = row->labels == NULL ? NULL : json_loads(row->labels, 0, NULL);
    const char *name;
    json_t *value;
    json_object_foreach(labels, name, value)
    {
        buf_printf(&text, "%s%s=%s", text.length > 0 ? ", " : "", name, json_string_value(value));
    }
    text_table_cell(table, COLOUR_NONE, text.length > 0 ? buf_string(&text) : NULL);
    json_decref(labels);
}

static void add_node(struct text_table *table, const struct session *session,
                     const struct listed_node *node)
{
    const struct store_node_row *row = &node->row;
    char id[UUID_TEXT_SIZE];
    char started[FORMAT_TIME_SIZE];
    char seen[WORDS_TIME_SIZE];
    struct instant now = session_now(session);
    uuid_format(row->node, id);
    format_in_zone(row->started_at, session->zone, started);
    words_relative(row->last_seen, now, seen);
    text_table_cell(table, COLOUR_NONE, id);
    text_table_cell(table, COLOUR_NONE, row->host);
    state_cell(table, node);
    text_table_cell(table, COLOUR_NONE, started);
    text_table_cell(table, COLOUR_NONE, seen);
    if (session->config->store_url != NULL) {
        definitions_cell(table, node, session->version);
        lease_cell(table, node, now);
        running_cell(table, node, true);
        labels_cell(table, row);
    } else {
        running_cell(table, node, false);
    }
    text_table_cell(table, COLOUR_NONE, row->version);
}

static void print_definitions(const struct session *session)
{
    AUTO(buf_release) struct buf words;
    buf_init(&words, 16384);
    session_definitions_words(session, &words);
    if (words.length > 0) {
        printf("\nJobs in force: ");
        terminal_put(stdout, COLOUR_NONE, buf_string(&words));
        putchar('\n');
    }
}

static void print_drain(const struct session *session, const struct listed_node *node)
{
    AUTO(buf_release) struct buf words;
    buf_init(&words, 16384);
    buf_printf(&words, "\n%s is draining ", node->row.host);
    node_list_describe_drain(node, session->zone, &words);
    char id[UUID_TEXT_SIZE];
    uuid_format(node->row.node, id);
    buf_printf(&words, ". Undo: ironcron nodes resume %.13s\n", id);
    char *clean = terminal_clean_lines(buf_string(&words), words.length);
    fputs(clean, stdout);
    free(clean);
}

static void print_refusal(const struct session *session, const struct listed_node *node)
{
    char *why = terminal_clean(node->row.refused);
    char *host = terminal_clean(node->row.host);
    printf("\n%s cannot execute version %" PRId64 " and begins nothing: %s\n", host,
           session->version, why);
    free(host);
    free(why);
}

static void print_remarks(const struct session *session, const struct node_list *fleet)
{
    for (size_t i = 0; i < fleet->count; i++) {
        const struct listed_node *node = &fleet->nodes[i];
        if (!node_list_lives(node)) {
            continue;
        }
        if (!instant_is_none(node->row.draining_since)) {
            print_drain(session, node);
        }
        if (node->row.refused != NULL) {
            print_refusal(session, node);
        }
    }
    if (node_list_all_drain(fleet)) {
        puts("All live nodes are draining, so nothing starts.");
    }
}

static void print_nodes(const struct session *session, const struct node_list *fleet)
{
    bool is_fleet = session->config->store_url != NULL;
    AUTO_TEXT_TABLE table = text_table_new(
        is_fleet ? "NODE|HOST|STATE|STARTED|LAST SEEN|JOBS|>LEASE LEFT|>RUNNING|LABELS|VERSION"
                 : "NODE|HOST|STATE|STARTED|LAST SEEN|>RUNNING|VERSION");
    for (size_t i = 0; i < fleet->count; i++) {
        add_node(table, session, &fleet->nodes[i]);
    }
    if (fleet->count == 0) {
        fputs("no node has run yet; start one: ironcron serve\n", stderr);
    } else {
        text_table_print(table, stdout, 0);
    }
    bool is_alone = fleet->live == 0;
    if (fleet->overdue > 0) {
        printf("\n%zu past the lease: %s node declares %s dead by itself and takes over what "
               "waits. See: ironcron doctor\n",
               fleet->overdue, is_alone ? "the next" : "a live",
               fleet->overdue == 1 ? "it" : "them");
    }
    if (fleet->cut_off > 0) {
        printf("\n%zu run%s cut off with a node that is gone; %s one records that as LOST%s\n",
               fleet->cut_off, fleet->cut_off == 1 ? " was" : "s were",
               is_alone ? "the next" : "a live", is_alone ? ": ironcron serve" : "");
    }
}

static void print_nodes_json(const struct node_list *fleet)
{
    json_t *array = json_array();
    for (size_t i = 0; i < fleet->count; i++) {
        json_array_append_new(array, json_node_row(&fleet->nodes[i].row, fleet->nodes[i].state));
    }
    json_print(array);
}

bool command_nodes(struct invocation *invocation, int *exit_out, struct error *err)
{
    AUTO(session_release) struct session session = {0};
    AUTO(node_list_release) struct node_list fleet = {0};
    if (!session_open(&session, invocation, err) || !node_list_load(&fleet, &session, err) ||
        !node_list_count_cut_off(&fleet, session.store, err)) {
        return false;
    }
    if (invocation->json) {
        print_nodes_json(&fleet);
    } else {
        print_nodes(&session, &fleet);
        print_remarks(&session, &fleet);
        print_definitions(&session);
    }
    *exit_out = fleet.overdue > 0 ? 1 : 0;
    return true;
}

// ---- reload -------------------------------------------------------------------------------------

static bool nothing_to_reload(const struct invocation *invocation, const struct session *session)
{
    if (invocation->json) {
        json_print(json_pack("{s:s, s:b, s:o}", "intent", "reload", "node_is_live", 0, "answer",
                             json_text("no node is live")));
    } else if (session->config->store_url == NULL) {
        printf("%s has no error. No node is live: the next one starts with it: ironcron serve\n",
               session->config->path);
    } else {
        printf("%s has no error. No node is live, and the next one takes it over only where it was "
               "never in force before: ironcron serve, then ironcron status, and where that says "
               "so ironcron reload\n",
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
    if (!session.node_is_here) {
        return error_set(err, ERROR_REFUSED,
                         "a reload is by a node's own files, and no node of this host is live: run "
                         "it on the host of one\nAll nodes: ironcron nodes");
    }
    AUTO(arena_release) struct arena arena;
    arena_init(&arena, ANSWER_MAX);
    char params[STORE_INTENT_NODE_SIZE];
    store_intent_for_node(session.node.node, params);
    struct store_intent intent = {.kind = INTENT_RELOAD, .params = params};
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
