// SPDX-License-Identifier: MIT
// The PostgreSQL store on a database that has forgotten what it had acknowledged, as one that was a
// standby and was promoted without the last commits: it is not connected to any more.
#include "../../contract/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "postgres_cluster.h"
#include "store/postgres/postgres_store.h"

static char *url;

static void open_on(struct contract *c)
{
    struct error err = ERROR_INIT;
    struct postgres_store_options options = {.url = url,
                                             .application_name = "ironcron under test",
                                             .store_clock = &c->clock.clock,
                                             .clock = clock_system()};
    contract_clock_init(&c->clock);
    if (!postgres_store_open(&options, &c->store, &err)) {
        fail_msg("%s", err.text);
    }
    contract_join(c);
}

static void beat(struct contract *c, bool look)
{
    contract_advance(&c->clock, 1000);
    struct store_op_beat op = {.op = {.kind = STORE_BEAT}, .node = c->node, .look = look};
    CALL_OK(c, &op);
}

static void nothing(struct contract *c)
{
    beat(c, true);
}

static void begin(struct contract *c)
{
    (void)contract_claim(c, contract_publish(c, "begun", "s"), 1000);
}

static void end(struct contract *c)
{
    struct store_slot slot = contract_claim(c, contract_publish(c, "ended", "s"), 1000);
    assert_false(contract_end(c, &slot, RUN_SUCCESS, INSTANT_NONE));
}

// The same as another node's, or one that has gone on since.
static void end_and_beat(struct contract *c)
{
    end(c);
    beat(c, false);
}

// Whoever prunes may have let it go.
static void end_of_what_is_not_kept(struct contract *c)
{
    postgres_store_set_history(c->store, (struct duration){1});
    end(c);
}

static void forget(const char *sql)
{
    char text[300];
    snprintf(text, sizeof text,
             "set session_replication_role = replica; %s; select pg_terminate_backend(pid) from "
             "pg_stat_activity where application_name = 'ironcron under test'",
             sql);
    free(postgres_cluster_psql(url, text));
}

// The first one learns that the connection is gone.
static enum store_result call_twice(struct contract *c, struct error *err)
{
    enum store_result result = STORE_OK;
    for (int i = 0; i < 2; i++) {
        struct store_op_beat op = {.op = {.kind = STORE_BEAT}, .node = c->node};
        bool done = store_call(c->store, &op.op, err);
        result = op.op.result;
        if (done) {
            store_op_release(&op.op);
        }
    }
    return result;
}

static const struct {
    const char *name;
    void (*before)(struct contract *c);
    const char *sql;
    const char *told; // NULL = it goes on
} cases[] = {
    {"nothing", nothing, "select 1", NULL},
    {"a run goes on", begin, "select 1", NULL},
    {"a run ended", end, "select 1", NULL},
    {"who is behind that", end_and_beat, "delete from ironcron.run_ended", NULL},
    {"what is not kept", end_of_what_is_not_kept, "delete from ironcron.run_ended", NULL},
    {"a beat", end_and_beat, "update ironcron.node set last_seen = last_seen - 1",
     "the sign of life of 2025-"},
    {"a node", end_and_beat, "delete from ironcron.node", "the sign of life of 2025-"},
    {"a claim", begin, "delete from ironcron.run_started", "the beginning of run "},
    {"an end", end, "delete from ironcron.run_ended", "the end of run "},
};

static void what_it_acknowledged_must_be_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct contract c = {.store = NULL};
        struct error err = ERROR_INIT;
        struct error why = ERROR_INIT;
        url = postgres_cluster_database();
        open_on(&c);
        cases[i].before(&c);
        forget(cases[i].sql);
        enum store_result result = call_twice(&c, &err);
        bool behind = postgres_store_is_behind(c.store, &why);
        bool told = behind && cases[i].told != NULL && strstr(why.text, cases[i].told) != NULL &&
                    strstr(error_remedy(&why), "ironcron doctor --accept-rewind") != NULL &&
                    strcmp(why.text, err.text) == 0;
        if (behind != (cases[i].told != NULL) || (result == STORE_OK) == behind || told != behind) {
            fail_msg("%s: result %d, %s", cases[i].name, (int)result, err.text);
        }
        store_close(c.store);
        postgres_cluster_drop(url);
        free(url);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_it_acknowledged_must_be_there)};
    postgres_cluster_start();
    return cmocka_run_group_tests_name("PostgreSQL store, of the past", tests, NULL, NULL);
}
