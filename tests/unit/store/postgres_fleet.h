// SPDX-License-Identifier: MIT
// Three nodes on one PostgreSQL server, each on a connection of its own, by the server's clock.
#pragma once

#include "../../contract/contract.h"

#define NODES 3

struct fleet {
    char *url;
    struct contract nodes[NODES]; // only the first one's ids are given out
    int64_t job;
};

int fleet_setup(void **state); // all have joined, and there is a job
int fleet_teardown(void **state);

struct store_slot fleet_slot(struct fleet *fleet, int64_t due_ms, bool forbids);
struct store_op_decide fleet_decide(const struct contract *node, struct store_slot *slot);
void fleet_ended(struct store_op *op); // an operation's done
void fleet_pump(struct fleet *fleet, const struct store_op *a,
                const struct store_op *b); // both end
// Until the sessions of the nodes wait for locks, as many as that.
void fleet_pump_until_waiting(struct fleet *fleet, int sessions);
void fleet_make_overdue(const struct fleet *fleet, int number);
void fleet_claims_wait(const struct fleet *fleet);        // for locks, longer than a test takes
int fleet_deadlocks(void);                                // that the server saw since it began
int fleet_backend(const struct fleet *fleet, int number); // process id of a node's session
void fleet_holds(const struct fleet *fleet, const char *sql, const char *expected);
// The nodes that have locks on jobs (of the one job there is), and those that have their own.
extern const char fleet_job_locks[], fleet_node_locks[];
