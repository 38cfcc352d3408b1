// SPDX-License-Identifier: MIT
#include "postgres_ends.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "postgres_cluster.h"

int ends_setup(void **state)
{
    (void)fleet_setup(state);
    struct fleet *fleet = *state;
    postgres_cluster_apart(fleet->nodes[0].store);
    return 0;
}

struct postgres_store *ends_store(struct fleet *fleet)
{
    return postgres_of(fleet->nodes[0].store);
}

int ends_backend(struct fleet *fleet)
{
    return (int)ends_store(fleet)->apart.store->backend;
}

void ends_submit(struct fleet *fleet, struct ending *ending, const struct store_slot *slot)
{
    ending->end =
        (struct store_end){.run_id = slot->run_id, .fence = slot->fence, .state = RUN_SUCCESS};
    ending->finish = (struct store_op_finish){.op = {.kind = STORE_FINISH, .done = fleet_ended},
                                              .node = fleet->nodes[0].node,
                                              .ends = &ending->end,
                                              .end_count = 1};
    store_submit(fleet->nodes[0].store, &ending->finish.op);
}

struct store_slot ends_claim(struct fleet *fleet, int64_t due_ms)
{
    struct store_slot slot = fleet_slot(fleet, due_ms, true);
    assert_int_equal(contract_decide(&fleet->nodes[0], &slot), VERDICT_CLAIMED);
    return slot;
}

void ends_pump(struct fleet *fleet, const struct store_op *op)
{
    fleet_pump(fleet, op, op);
}

void ends_pump_a_while(struct fleet *fleet)
{
    for (int i = 0; i < 100; i++) {
        (void)store_pump(fleet->nodes[0].store);
        usleep(1000);
    }
}

void ends_come_to(struct fleet *fleet, const char *sql, const char *expected)
{
    bool come = false;
    for (int tries = 0; tries < 2000 && !come; tries++) {
        char *found = postgres_cluster_psql(fleet->url, sql);
        found[strcspn(found, "\n")] = '\0';
        come = strcmp(found, expected) == 0;
        free(found);
        usleep(5000);
    }
    assert_true(come);
}

void ends_once(struct fleet *fleet)
{
    store_settle(fleet->nodes[0].store);
    fleet_holds(fleet, fleet_job_locks, "-");
    fleet_holds(fleet,
                "select string_agg(event, ',' order by event) from ironcron.audit_log "
                "where run_id is not null",
                "STARTED,SUCCESS");
}

void ends_hold(struct fleet *fleet, const char *sql)
{
    PGconn *connection = ends_store(fleet)->apart.store->connection;
    assert_int_equal(PQsendQueryParams(connection, "begin", 0, NULL, NULL, NULL, NULL, 0), 1);
    assert_int_equal(PQsendQueryParams(connection, sql, 0, NULL, NULL, NULL, NULL, 0), 1);
    assert_int_equal(PQpipelineSync(connection), 1);
    assert_int_equal(PQflush(connection), 0);
    ends_come_to(fleet,
                 "select count(*) from pg_stat_activity where state = 'idle in transaction' and "
                 "datname = current_database()",
                 "1");
}
