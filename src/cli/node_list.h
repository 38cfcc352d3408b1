// SPDX-License-Identifier: MIT
// The nodes that the store has known, as they are now. Where the store is on SQLite only one lives,
// and its lock is the sign of life; on PostgreSQL many, and the lease is.
#pragma once

#include "cli/session.h"
#include "document/cut_off.h"

struct listed_node {
    struct store_node_row row; // texts in the fleet's arena
    const char *state;         // as node_list_state_of
    size_t cut_off;            // of its runs, once node_list_count_cut_off was called
};

#define NODE_LIST_MAX CUT_OFF_NODES_MAX

struct node_list {
    struct arena arena;
    struct listed_node *nodes; // newest first
    size_t count;
    size_t live, overdue;
    size_t cut_off;                // likewise
    size_t dry_run, draining;      // of those that live
    size_t told_to_drain;          // by an operator
    const struct listed_node *dry; // the first of those in dry-run; NULL
    size_t refusing;               // that cannot execute the active definitions
    struct cut_off gone;           // all that do not live
    const char *other_version;     // one that lives has another than the newest that lives; NULL
};

bool node_list_load(struct node_list *fleet, const struct session *session,
                    struct error *err) MUST_USE;
void node_list_release(struct node_list *fleet);
const struct listed_node *node_list_find(const struct node_list *fleet, struct uuid node); // NULL
bool node_list_lives(const struct listed_node *node_or_null);
// STARTED in the store, and its node is gone: nothing runs any more, and a node that lives, or the
// next one, records it as LOST. Where the node came after the list was read nothing is cut off.
bool node_list_cut_off(const struct node_list *fleet, const struct store_run_row *run);
bool node_list_count_cut_off(struct node_list *fleet, struct store *store,
                             struct error *err) MUST_USE;

// "since 2026-… by ann@h1 as bob (new disk); 3 runs go on there".
void node_list_describe_drain(const struct listed_node *node, const struct zone *zone,
                              struct buf *out);
// Live nodes drain, and no other one takes jobs.
bool node_list_all_drain(const struct node_list *fleet);

// As node_state_of, but for what this host's lock proves.
const char *node_list_state_of(const struct session *session, const struct store_node_row *row);
