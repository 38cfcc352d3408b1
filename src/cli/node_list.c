// SPDX-License-Identifier: MIT
#include "cli/node_list.h"

#include <string.h>

#include "document/node_state.h"
#include "time/format.h"

#define NODE_LIST_BYTES ((size_t)16 * 1024 * 1024)

// One whose lock is free on this host is dead, whatever its lease says.
const char *node_list_state_of(const struct session *session, const struct store_node_row *row)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(row->node, id);
    bool has_lease = !instant_is_none(row->valid_until);
    if (session->node_is_here && !has_lease && strcmp(session->node.node, id) == 0) {
        return row->state;
    }
    bool is_dead = strcmp(row->state, "live") == 0 && strcmp(session->last.node, id) == 0;
    return is_dead ? "gone" : node_state_of(row, session_now(session));
}

bool node_list_lives(const struct listed_node *node_or_null)
{
    return node_or_null != NULL && strcmp(node_or_null->state, "live") == 0;
}

const struct listed_node *node_list_find(const struct node_list *fleet, struct uuid node)
{
    for (size_t i = 0; i < fleet->count; i++) {
        if (uuid_equal(fleet->nodes[i].row.node, node)) {
            return &fleet->nodes[i];
        }
    }
    return NULL;
}

bool node_list_cut_off(const struct node_list *fleet, const struct store_run_row *run)
{
    return cut_off_is(&fleet->gone, run);
}

static bool count_cut_off(void *context, const struct store_run_row *row)
{
    struct node_list *fleet = context;
    if (node_list_cut_off(fleet, row)) {
        fleet->nodes[node_list_find(fleet, row->node) - fleet->nodes].cut_off++;
        fleet->cut_off++;
    }
    return true;
}

bool node_list_count_cut_off(struct node_list *fleet, struct store *store, struct error *err)
{
    struct store_run_filter running = {
        .by_state = true, .state = RUN_STARTED, .since = INSTANT_NONE, .until = INSTANT_NONE};
    return store->ops->read_runs(store, &running, count_cut_off, fleet, err);
}

void node_list_describe_drain(const struct listed_node *node, const struct zone *zone,
                              struct buf *out)
{
    const struct store_node_row *row = &node->row;
    char since[FORMAT_TIME_SIZE];
    format_in_zone(row->draining_since, zone, since);
    buf_printf(out, "since %s by %s%s%s", since, row->draining_by == NULL ? "?" : row->draining_by,
               row->draining_as == NULL ? "" : " as ",
               row->draining_as == NULL ? "" : row->draining_as);
    if (row->draining_reason != NULL) {
        buf_printf(out, " (%s)", row->draining_reason);
    }
    buf_printf(out, "; %d run%s there", row->running, row->running == 1 ? " goes on" : "s go on");
}

bool node_list_all_drain(const struct node_list *fleet)
{
    return fleet->told_to_drain > 0 && fleet->draining == fleet->live;
}

// ---- loading ------------------------------------------------------------------------------------

struct loading {
    const struct session *session;
    struct node_list *fleet;
    const char *version; // of the newest that lives
};

static const char *copy(struct node_list *fleet, const char *text)
{
    return text == NULL ? NULL : arena_string(&fleet->arena, text);
}

static void count(struct loading *loading, const struct listed_node *node)
{
    struct node_list *fleet = loading->fleet;
    fleet->overdue += strcmp(node->state, "overdue") == 0;
    if (!node_list_lives(node)) {
        cut_off_add(&fleet->gone, node->row.node);
        return;
    }
    fleet->live++;
    fleet->draining += node->row.draining;
    fleet->told_to_drain += !instant_is_none(node->row.draining_since);
    fleet->refusing += node->row.refused != NULL;
    if (node->row.dry_run && fleet->dry_run++ == 0) {
        fleet->dry = node;
    }
    if (loading->version == NULL) {
        loading->version = node->row.version;
    } else if (strcmp(loading->version, node->row.version) != 0) {
        fleet->other_version = node->row.version;
    }
}

static bool take(void *context, const struct store_node_row *row)
{
    struct loading *loading = context;
    struct node_list *fleet = loading->fleet;
    struct listed_node *node = &fleet->nodes[fleet->count++];
    *node = (struct listed_node){.row = *row, .state = node_list_state_of(loading->session, row)};
    node->row.host = copy(fleet, row->host);
    node->row.version = copy(fleet, row->version);
    node->row.labels = copy(fleet, row->labels);
    node->row.state = copy(fleet, row->state);
    node->row.refused = copy(fleet, row->refused);
    node->row.draining_by = copy(fleet, row->draining_by);
    node->row.draining_as = copy(fleet, row->draining_as);
    node->row.draining_reason = copy(fleet, row->draining_reason);
    node->state = copy(fleet, node->state);
    count(loading, node);
    return fleet->count < NODE_LIST_MAX;
}

bool node_list_load(struct node_list *fleet, const struct session *session, struct error *err)
{
    *fleet = (struct node_list){0};
    arena_init(&fleet->arena, NODE_LIST_BYTES);
    fleet->nodes = arena_alloc(&fleet->arena, NODE_LIST_MAX, sizeof *fleet->nodes);
    struct loading loading = {.session = session, .fleet = fleet};
    return session->store == NULL ||
           session->store->ops->read_nodes(session->store, take, &loading, err);
}

void node_list_release(struct node_list *fleet)
{
    arena_release(&fleet->arena);
}
