// SPDX-License-Identifier: MIT
// `nodes drain`, `nodes resume`: one node begins nothing new any more, or takes jobs again.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/intent.h"
#include "cli/json.h"
#include "cli/node_list.h"
#include "cli/run.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "time/format.h"

#define ANSWER_SECONDS 15
#define ANSWER_MAX     ((size_t)1024 * 1024)
#define ID_LEAST       4 // characters of a node's id

struct order {
    const struct invocation *invocation;
    struct session session;
    struct node_list fleet;
    struct arena arena;
    struct listed_node node;
    char id[UUID_TEXT_SIZE];
    struct store_intent answer;
    int running; // there, when last asked
};

static void order_release(struct order *order)
{
    node_list_release(&order->fleet);
    arena_release(&order->arena);
    session_release(&order->session);
}

// ---- which node ---------------------------------------------------------------------------------

static bool is_meant(const struct listed_node *node, const char *text)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(node->row.node, id);
    return strcmp(node->row.host, text) == 0 ||
           (strlen(text) >= ID_LEAST && strncasecmp(id, text, strlen(text)) == 0);
}

static bool several(const struct node_list *fleet, const char *text, struct error *err)
{
    AUTO(buf_release) struct buf list;
    buf_init(&list, 1024);
    for (size_t i = 0; i < fleet->count; i++) {
        char id[UUID_TEXT_SIZE];
        if (node_list_lives(&fleet->nodes[i]) && is_meant(&fleet->nodes[i], text)) {
            uuid_format(fleet->nodes[i].row.node, id);
            buf_printf(&list, "\n%s on %s", id, fleet->nodes[i].row.host);
        }
    }
    return error_set(err, ERROR_NOT_FOUND, "\"%s\" may be any of several live nodes; give its id%s",
                     text, buf_string(&list));
}

// The newest where none lives: what became of it is worth knowing.
static bool none(const struct order *order, const char *text, struct error *err)
{
    const struct node_list *fleet = &order->fleet;
    for (size_t i = 0; i < fleet->count; i++) {
        const struct listed_node *node = &fleet->nodes[i];
        if (is_meant(node, text)) {
            char seen[WORDS_TIME_SIZE];
            words_relative(node->row.last_seen, session_now(&order->session), seen);
            return error_set(err, ERROR_REFUSED,
                             "the node on %s is %s (last seen %s), and only one that is live can "
                             "be told anything\nAll nodes: ironcron nodes",
                             node->row.host, node->state, seen);
        }
    }
    return error_set(err, ERROR_NOT_FOUND,
                     "there is no node \"%s\": give its host, its id, or the beginning of that (%d "
                     "characters or more)\nAll nodes: ironcron nodes",
                     text, ID_LEAST);
}

static size_t look_for(const struct order *order, const char *text, struct listed_node *out)
{
    size_t found = 0;
    for (size_t i = 0; i < order->fleet.count; i++) {
        const struct listed_node *node = &order->fleet.nodes[i];
        if (node_list_lives(node) && is_meant(node, text)) {
            *out = *node;
            found++;
        }
    }
    return found;
}

static bool find(struct order *order, const char *text, struct error *err)
{
    if (!node_list_load(&order->fleet, &order->session, err)) {
        return false;
    }
    size_t found = look_for(order, text, &order->node);
    uuid_format(order->node.row.node, order->id);
    return found == 1 || (found == 0 ? none(order, text, err) : several(&order->fleet, text, err));
}

// ---- the order ----------------------------------------------------------------------------------

static bool give(struct order *order, enum store_intent_kind kind, struct error *err)
{
    char params[STORE_INTENT_NODE_SIZE];
    store_intent_for_node(order->id, params);
    struct store_intent intent = {.kind = kind, .params = params};
    struct session *session = &order->session;
    if (!session_write(session, err) || !intent_put(session, order->invocation, &intent, err) ||
        !intent_wait(session, intent.intent_id, DURATION_S(ANSWER_SECONDS), &order->arena,
                     &order->answer, err)) {
        return false;
    }
    return order->answer.state == INTENT_DONE ||
           error_set(err, ERROR_REFUSED, "the node on %s was not told: %s", order->node.row.host,
                     order->answer.answer != NULL ? order->answer.answer : "it gave no reason");
}

static bool carry_out(struct order *order, enum store_intent_kind kind, struct error *err)
{
    const struct invocation *invocation = order->invocation;
    arena_init(&order->arena, ANSWER_MAX);
    return session_open(&order->session, invocation, err) &&
           find(order, invocation->arguments[0], err) && give(order, kind, err);
}

// What it can be called by next time.
static const char *name_of(const struct order *order)
{
    struct listed_node ignored;
    const char *host = order->node.row.host;
    return look_for(order, host, &ignored) == 1 ? host : order->id;
}

static void say(const struct order *order, const char *what)
{
    terminal_put(stdout, COLOUR_NONE, order->node.row.host);
    printf(" (%.13s) %s: ", order->id, what);
    terminal_put(stdout, COLOUR_NONE, order->answer.answer != NULL ? order->answer.answer : "done");
    fflush(stdout);
}

static json_t *json_order(const struct order *order)
{
    json_t *document = json_intent(&order->answer);
    json_object_set_new(document, "node", json_text(order->id));
    json_object_set_new(document, "host", json_text(order->node.row.host));
    return document;
}

// ---- waiting ------------------------------------------------------------------------------------

struct look {
    const struct order *order;
    int running;
    struct store_node_row row; // its texts are not kept
    char state[16];
};

static bool count_run(void *context, const struct store_run_row *row)
{
    struct look *look = context;
    look->running += uuid_equal(row->node, look->order->node.row.node);
    return true;
}

static bool note_node(void *context, const struct store_node_row *row)
{
    struct look *look = context;
    bool found = uuid_equal(row->node, look->order->node.row.node);
    if (found) {
        look->row = *row;
        snprintf(look->state, sizeof look->state, "%s",
                 node_list_state_of(&look->order->session, row));
    }
    return !found;
}

// Still as ordered, or what is there to be said.
static bool judge(const struct look *look, struct error *err)
{
    const char *host = look->order->node.row.host;
    if (strcmp(look->state, "stopped") == 0) {
        return true;
    }
    if (strcmp(look->state, "lost") == 0 || strcmp(look->state, "gone") == 0) {
        return error_set(err, ERROR_REFUSED,
                         "the node on %s is %s: what it ran did not end by itself\nSee: ironcron "
                         "runs --state lost",
                         host, look->state);
    }
    return !instant_is_none(look->row.draining_since) ||
           error_set(err, ERROR_REFUSED,
                     "somebody has let the node on %s take jobs again\nSee: ironcron audit --event "
                     "NODE_RESUMED",
                     host);
}

static bool look_again(struct order *order, struct error *err)
{
    struct session *session = &order->session;
    const struct store_ops *ops = session->store->ops;
    struct look look = {.order = order};
    struct store_run_filter running = {
        .by_state = true, .state = RUN_STARTED, .since = INSTANT_NONE, .until = INSTANT_NONE};
    session_look_for_node(session);
    if (!ops->read_nodes(session->store, note_node, &look, err) ||
        !ops->read_runs(session->store, &running, count_run, &look, err)) {
        return false;
    }
    order->running = look.running;
    return judge(&look, err);
}

static bool too_long(const struct order *order, struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE,
                     "%d run%s there still: it goes on draining. Wait again, or see what runs: "
                     "ironcron runs --state started",
                     order->running, order->running == 1 ? " goes on" : "s go on");
}

static bool wait_for_end(struct order *order, struct error *err)
{
    struct clock *clock = order->session.clock;
    bool has_end = invocation_has(order->invocation, "timeout");
    struct mono deadline = mono_add(
        clock_mono(clock), (struct duration){invocation_number(order->invocation, "timeout", 0)});
    int told = -1;
    while (look_again(order, err)) {
        if (order->running == 0) {
            return true;
        }
        if (has_end && !mono_before(clock_mono(clock), deadline)) {
            return too_long(order, err);
        }
        if (order->running != told && told >= 0) {
            fprintf(stderr, "%d still\n", order->running);
        }
        told = order->running;
        intent_pause();
    }
    return false;
}

// ---- the commands -------------------------------------------------------------------------------

static bool conclude(struct order *order, struct error *err)
{
    bool waits = invocation_has(order->invocation, "wait");
    bool json = order->invocation->json;
    if (!json) {
        say(order, "begins nothing new");
        printf("\nUndo: ironcron nodes resume %s\n", name_of(order));
        fflush(stdout);
    }
    if (waits && !wait_for_end(order, err)) {
        return false;
    }
    if (json) {
        json_t *document = json_order(order);
        if (waits) {
            json_object_set_new(document, "running", json_integer(order->running));
        }
        json_print(document);
    } else if (waits) {
        puts("nothing runs there any more");
    }
    return true;
}

bool command_nodes_drain(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(order_release) struct order order = {.invocation = invocation};
    if (invocation_has(invocation, "timeout") && !invocation_has(invocation, "wait")) {
        return error_set(err, ERROR_USAGE, "--timeout goes with --wait only");
    }
    return carry_out(&order, INTENT_DRAIN, err) && conclude(&order, err);
}

bool command_nodes_resume(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(order_release) struct order order = {.invocation = invocation};
    if (!carry_out(&order, INTENT_RESUME, err)) {
        return false;
    }
    if (invocation->json) {
        json_print(json_order(&order));
    } else {
        say(&order, "was told");
        putchar('\n');
    }
    return true;
}
