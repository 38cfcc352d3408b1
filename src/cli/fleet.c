// SPDX-License-Identifier: MIT
#include "cli/fleet.h"

#include <string.h>

#define FLEET_BYTES ((size_t)16 * 1024 * 1024)

// One whose lock is free on this host is dead, whatever its lease says.
const char *fleet_state_of(const struct session *session, const struct store_node_row *row)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(row->node, id);
    bool has_lock = session->node_is_here && strcmp(session->node.node, id) == 0;
    if (strcmp(row->state, "live") != 0 || has_lock) {
        return row->state;
    }
    if (instant_is_none(row->valid_until) || strcmp(session->last.node, id) == 0) {
        return "gone";
    }
    return instant_before(session_now(session), row->valid_until) ? "live" : "overdue";
}

bool fleet_node_lives(const struct fleet_node *node_or_null)
{
    return node_or_null != NULL && strcmp(node_or_null->state, "live") == 0;
}

const struct fleet_node *fleet_find(const struct fleet *fleet, struct uuid node)
{
    for (size_t i = 0; i < fleet->count; i++) {
        if (uuid_equal(fleet->nodes[i].row.node, node)) {
            return &fleet->nodes[i];
        }
    }
    return NULL;
}

// ---- loading ------------------------------------------------------------------------------------

struct loading {
    const struct session *session;
    struct fleet *fleet;
    const char *version; // of the newest that lives
};

static const char *copy(struct fleet *fleet, const char *text)
{
    return text == NULL ? NULL : arena_string(&fleet->arena, text);
}

static void count(struct loading *loading, const struct fleet_node *node)
{
    struct fleet *fleet = loading->fleet;
    fleet->overdue += strcmp(node->state, "overdue") == 0;
    if (!fleet_node_lives(node)) {
        return;
    }
    fleet->live++;
    fleet->draining += node->row.draining;
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
    struct fleet *fleet = loading->fleet;
    struct fleet_node *node = &fleet->nodes[fleet->count++];
    *node = (struct fleet_node){.row = *row, .state = fleet_state_of(loading->session, row)};
    node->row.host = copy(fleet, row->host);
    node->row.version = copy(fleet, row->version);
    node->row.labels = copy(fleet, row->labels);
    node->row.state = copy(fleet, row->state);
    node->state = copy(fleet, node->state);
    count(loading, node);
    return fleet->count < FLEET_MAX;
}

bool fleet_load(struct fleet *fleet, const struct session *session, struct error *err)
{
    *fleet = (struct fleet){0};
    arena_init(&fleet->arena, FLEET_BYTES);
    fleet->nodes = arena_alloc(&fleet->arena, FLEET_MAX, sizeof *fleet->nodes);
    struct loading loading = {.session = session, .fleet = fleet};
    return session->store == NULL ||
           session->store->ops->read_nodes(session->store, take, &loading, err);
}

void fleet_release(struct fleet *fleet)
{
    arena_release(&fleet->arena);
}
