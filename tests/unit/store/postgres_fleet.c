// SPDX-License-Identifier: MIT
#include "postgres_fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "postgres_cluster.h"
#include "sqlite_file.h"
#include "store/postgres/postgres_store.h"

const char fleet_job_locks[] =
    "select coalesce(string_agg(a.application_name, ',' order by a.application_name), '-') from "
    "pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory' and "
    "l.classid = 1768124272 and a.datname = current_database()";
const char fleet_node_locks[] =
    "select coalesce(string_agg(a.application_name, ',' order by a.application_name), '-') from "
    "pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory' and "
    "l.classid = 1768124271 and a.datname = current_database()";

static struct store *open_store(const char *url, int number)
{
    char name[32];
    struct store *store = NULL;
    struct error err = ERROR_INIT;
    snprintf(name, sizeof name, "node %d", number);
    struct postgres_store_options options = {.url = url,
                                             .application_name = name,
                                             .call_deadline = DURATION_S(4),
                                             .clock = clock_system()};
    if (!postgres_store_open(&options, &store, &err)) {
        fail_msg("%s", err.text);
    }
    return store;
}

static void join(struct fleet *fleet, int number)
{
    struct contract *c = &fleet->nodes[number];
    struct store_op_join join = {.op.kind = STORE_JOIN,
                                 .node = contract_id(&fleet->nodes[0]),
                                 .host = "h",
                                 .version = "1",
                                 .lease = DURATION_S(60),
                                 .grace = DURATION_S(10),
                                 .max_running = 8};
    CALL_OK(c, &join);
    store_op_release(&join.op);
    c->node = join.node;
}

int fleet_setup(void **state)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    assert_non_null(fleet);
    fleet->url = postgres_cluster_database();
    for (int i = 0; i < NODES; i++) {
        contract_clock_init(&fleet->nodes[i].clock);
        fleet->nodes[i].store = open_store(fleet->url, i);
        join(fleet, i);
    }
    fleet->job = contract_publish(&fleet->nodes[0], "a", "s");
    *state = fleet;
    return 0;
}

int fleet_teardown(void **state)
{
    struct fleet *fleet = *state;
    for (int i = 0; i < NODES; i++) {
        store_close(fleet->nodes[i].store);
    }
    postgres_cluster_drop(fleet->url);
    free(fleet->url);
    free(fleet);
    return 0;
}

// ---- doing and looking --------------------------------------------------------------------------

void fleet_ended(struct store_op *op)
{
    op->done = NULL;
}

struct store_slot fleet_slot(struct fleet *fleet, int64_t due_ms, bool forbids)
{
    struct store_slot slot =
        contract_slot(&fleet->nodes[0], fleet->job, due_ms, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    slot.forbid_overlap = forbids;
    return slot;
}

struct store_op_decide fleet_decide(const struct contract *c, struct store_slot *slot)
{
    return (struct store_op_decide){.op = {.kind = STORE_DECIDE, .done = fleet_ended},
                                    .node = c->node,
                                    .slots = slot,
                                    .slot_count = 1};
}

void fleet_pump(struct fleet *fleet, const struct store_op *a, const struct store_op *b)
{
    while (a->done != NULL || b->done != NULL) {
        for (int i = 0; i < NODES; i++) {
            (void)store_pump(fleet->nodes[i].store);
        }
        usleep(500);
    }
}

void fleet_pump_until_waiting(struct fleet *fleet, int sessions)
{
    for (int tries = 0; tries < 400; tries++) {
        for (int i = 0; i < NODES; i++) {
            (void)store_pump(fleet->nodes[i].store);
        }
        char *count = postgres_cluster_psql(
            fleet->url, "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
                        "datname = current_database() and application_name like 'node %'");
        bool enough = strtol(count, NULL, 10) >= sessions;
        free(count);
        if (enough) {
            return;
        }
        usleep(5000);
    }
    fail_msg("nobody waits");
}

void fleet_holds(const struct fleet *fleet, const char *sql, const char *expected)
{
    char *found = postgres_cluster_psql(fleet->url, sql);
    found[strcspn(found, "\n")] = '\0';
    if (strcmp(found, expected) != 0) {
        fail_msg("%s: %s instead of %s", sql, found, expected);
    }
    free(found);
}

void fleet_claims_wait(const struct fleet *fleet)
{
    free(postgres_cluster_psql(fleet->url,
                               "alter function ironcron.decide_scheduled reset lock_timeout"));
}

void fleet_make_overdue(const struct fleet *fleet, int number)
{
    char id[UUID_TEXT_SIZE];
    char sql[200];
    uuid_format(fleet->nodes[number].node, id);
    snprintf(sql, sizeof sql,
             "update ironcron.node set valid_until = 0, lease = 1, grace = 1 where node = '%s'",
             id);
    free(postgres_cluster_psql(fleet->url, sql));
}

int fleet_deadlocks(void)
{
    char *count = sqlite_file_shell("grep -c 'deadlock detected' %s/server.log || true",
                                    postgres_cluster_folder());
    int seen = (int)strtol(count, NULL, 10);
    free(count);
    return seen;
}

int fleet_backend(const struct fleet *fleet, int number)
{
    char sql[160];
    snprintf(sql, sizeof sql,
             "select max(pid) from pg_stat_activity where application_name = 'node %d' and datname "
             "= current_database()",
             number);
    char *pid = postgres_cluster_psql(fleet->url, sql);
    int found = (int)strtol(pid, NULL, 10);
    free(pid);
    assert_true(found > 1);
    return found;
}
