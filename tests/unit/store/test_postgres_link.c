// SPDX-License-Identifier: MIT
// What a connection must be before the PostgreSQL store uses it: each refusal names what is wrong
// and how to mend it.
#include "../../contract/contract.h"

#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "postgres_around.h"
#include "postgres_cluster.h"
#include "store/postgres/postgres_private.h"
#include "store/postgres/postgres_schema.h"

static int setup(void **state)
{
    *state = postgres_cluster_database();
    return 0;
}

static int teardown(void **state)
{
    postgres_cluster_drop(*state);
    free(*state);
    return 0;
}

static struct store *open_at(const char *url, bool only_tries, struct error *err)
{
    struct store *store = NULL;
    struct postgres_store_options options = {.url = url,
                                             .application_name = "ironcron under test",
                                             .call_deadline = DURATION_S(20),
                                             .only_tries = only_tries,
                                             .clock = clock_system()};
    return postgres_store_open(&options, &store, err) ? store : NULL;
}

// Whether a node can join there, as if its connection had been to the one of `identity` before; err
// says why not.
static bool joins(const char *url, struct postgres_identity *identity, struct error *err)
{
    struct store *store = open_at(url, false, err);
    struct store_op_join join = {
        .op.kind = STORE_JOIN, .host = "h", .version = "1", .alone = true, .max_running = 4};
    join.node = (struct uuid){{0x01, 0x99, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}};
    if (store == NULL) {
        return false;
    }
    if (identity != NULL) {
        postgres_of(store)->seen = *identity;
    }
    bool joined = store_call(store, &join.op, err);
    if (joined) {
        store_op_release(&join.op);
    }
    if (joined && identity != NULL) {
        *identity = postgres_of(store)->seen;
    }
    store_close(store);
    return joined;
}

// Who only tries is told the same.
static bool could_work(const char *url, struct error *err)
{
    struct store *store = open_at(url, true, err);
    struct store_op_identity identity = {.op.kind = STORE_IDENTITY};
    bool done = store != NULL && store_call(store, &identity.op, err);
    if (done) {
        store_op_release(&identity.op);
    }
    store_close(store);
    return done;
}

static void is_refused(const char *url, struct postgres_identity *identity, enum error_code code,
                       const char *why, const char *remedy)
{
    struct error err = ERROR_INIT;
    assert_false(joins(url, identity, &err));
    const char *mends = error_remedy(&err);
    if (strstr(err.text, why) == NULL || mends == NULL || strstr(mends, remedy) == NULL ||
        err.code != code) {
        fail_msg("refused with code %d: %s", (int)err.code, err.text);
    }
    struct error tried = ERROR_INIT;
    if (identity == NULL) {
        assert_false(could_work(url, &tried));
        assert_non_null(strstr(tried.text, why));
    }
}

static void is_taken(const char *url, struct postgres_identity *identity)
{
    struct error err = ERROR_INIT;
    if (!joins(url, identity, &err) || !could_work(url, &err)) {
        fail_msg("%s", err.text);
    }
}

// ---- poolers ------------------------------------------------------------------------------------

static void a_pool_of_sessions_is_good_enough(void **state)
{
    char *url = postgres_pooler_start(*state, "session");
    is_taken(url, NULL);
    postgres_pooler_stop();
    free(url);
}

static void a_pool_of_transactions_is_found_out(void **state)
{
    char *url = postgres_pooler_start(*state, "transaction");
    is_refused(url, NULL, ERROR_CONFIG, "locks do not hold through it", "the server's own port");
    postgres_pooler_stop();
    free(url);
}

static void a_pool_of_statements_is_found_out(void **state)
{
    char *url = postgres_pooler_start(*state, "statement");
    is_refused(url, NULL, ERROR_CONFIG, "locks do not hold through it", "the server's own port");
    postgres_pooler_stop();
    free(url);
}

// ---- which database -----------------------------------------------------------------------------

static void another_database_is_not_gone_on_with(void **state)
{
    struct postgres_identity identity = {.database = 0};
    is_taken(*state, &identity);
    assert_true(strlen(identity.system) > 10);
    assert_true(identity.database > 0);
    assert_int_equal(identity.timeline, 1);
    is_taken(*state, &identity);
    char *other = postgres_cluster_database();
    is_refused(other, &identity, ERROR_REFUSED, "another database than before", "in `store:`");
    postgres_cluster_drop(other);
    free(other);
    identity.system[0] = identity.system[0] == '1' ? '2' : '1';
    is_refused(*state, &identity, ERROR_REFUSED, "another server than before", "in `store:`");
}

static char *first_line(char *text)
{
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void a_standby_is_refused_until_it_is_promoted_and_then_the_old_primary_is(void **state)
{
    struct postgres_identity identity = {.database = 0};
    is_taken(*state, &identity);
    char *standby = postgres_standby_start(*state);
    is_refused(standby, NULL, ERROR_UNAVAILABLE, "is a standby", "the primary's address");
    is_refused(standby, &identity, ERROR_UNAVAILABLE, "is a standby", "the primary's address");
    postgres_standby_promote();
    struct error err = ERROR_INIT;
    assert_true(could_work(standby, &err));
    char *untouched = first_line(
        postgres_cluster_psql(standby, "select value from ironcron.meta where key = 'timeline'"));
    assert_string_equal(untouched, "1"); // who only tries writes nothing
    free(untouched);
    is_taken(standby, &identity);
    assert_int_equal(identity.timeline, 2);
    is_refused(*state, &identity, ERROR_REFUSED, "former primary", "the present primary's address");
    // How long it has been the primary is counted from when that was first seen.
    static const char since[] = "select value from ironcron.meta where key = 'primary_since'";
    char *there = first_line(postgres_cluster_psql(standby, since));
    char *here = first_line(postgres_cluster_psql(*state, since));
    assert_true(strtoll(there, NULL, 10) > 1600000000000);
    assert_string_equal(here, "");
    is_taken(standby, &identity);
    char *again = first_line(postgres_cluster_psql(standby, since));
    assert_string_equal(again, there);
    free(again);
    free(there);
    free(here);
    postgres_standby_stop();
    free(standby);
}

static void a_database_that_is_read_only_is_refused(void **state)
{
    free(postgres_cluster_psql(*state, "do \\$\\$ begin execute format('alter database %I set "
                                       "default_transaction_read_only = on', current_database()); "
                                       "end \\$\\$"));
    is_refused(*state, NULL, ERROR_UNAVAILABLE, "is read-only", "turn that off");
}

// Whatever the database says, who waited sees what the one before did.
static void the_isolation_is_the_stores_own(void **state)
{
    free(postgres_cluster_psql(*state, "do \\$\\$ begin execute format('alter database %I set "
                                       "default_transaction_isolation = serializable', "
                                       "current_database()); end \\$\\$"));
    struct store *store = postgres_cluster_open(*state, NULL);
    struct store_op_join join = {
        .op.kind = STORE_JOIN, .node = {{1, 2, 3}}, .host = "h", .version = "1", .max_running = 1};
    struct error err = ERROR_INIT;
    assert_true(store_call(store, &join.op, &err));
    store_op_release(&join.op);
    free(postgres_cluster_psql(*state, "insert into ironcron.job (job_id, name, high_water, "
                                       "throttle) values (1, 'a', 0, 0)"));
    postgres_cluster_background(
        *state, "begin; select pg_advisory_xact_lock(1768124270, 4); "
                "update ironcron.pulse set version = 7; select pg_sleep(1); commit");
    struct store_slot slot = {.job_id = 1, .decision = DECIDE_SKIP, .due_at = instant_from_ms(1)};
    struct store_op_decide decide = {
        .op.kind = STORE_DECIDE, .node = join.node, .slots = &slot, .slot_count = 1};
    assert_true(store_call(store, &decide.op, &err));
    assert_true(decide.outdated);
    store_op_release(&decide.op);
    store_close(store);
}

// The owner of the database, no superuser.
static void an_ordinary_user_is_enough(void **state)
{
    free(postgres_cluster_psql(*state, "create role plain login"));
    free(postgres_cluster_psql(*state, "create database plain owner plain"));
    char *url = strdup(*state);
    char *name = strstr(url, ":///") + 4;
    char plain[256];
    snprintf(plain, sizeof plain, "postgresql:///plain%.*s&user=plain",
             (int)(strstr(name, "&user=") - strchr(name, '?')), strchr(name, '?'));
    int from = -1;
    struct error err = ERROR_INIT;
    if (!postgres_store_migrate(plain, &from, &err)) {
        fail_msg("%s", err.text);
    }
    is_taken(plain, NULL);
    postgres_cluster_drop("postgresql:///plain?");
    free(url);
}

// Waiting does not mend it: the code says so, and the words who is to grant what.
static void a_user_without_rights_is_told_what_to_grant(void **state)
{
    char guest[256];
    free(postgres_cluster_psql(*state, "create role guest login; drop schema ironcron cascade"));
    snprintf(guest, sizeof guest, "%.*s&user=guest",
             (int)(strstr(*state, "&user=") - (char *)*state), (char *)*state);
    int from = -1;
    struct error err = ERROR_INIT;
    assert_false(postgres_store_migrate(guest, &from, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_non_null(strstr(err.text, "user guest may not make the store's tables"));
    char *grant = strdup(strstr(err.text, "grant create on database"));
    *strchr(grant, '`') = '\0';
    for (char *at = grant; (at = strchr(at, '"')) != NULL; at++) {
        *at = ' '; // the shell would take them
    }
    free(postgres_cluster_psql(*state, grant));
    free(grant);
    if (!postgres_store_migrate(guest, &from, &err)) {
        fail_msg("%s", err.text);
    }
}

// ---- connections --------------------------------------------------------------------------------

#define MANY 60

static int take_all(const char *url, PGconn *connections[MANY])
{
    int count = 0;
    while (count < MANY) {
        connections[count] = PQconnectdb(url);
        if (PQstatus(connections[count]) != CONNECTION_OK) {
            PQfinish(connections[count]);
            break;
        }
        count++;
    }
    return count;
}

// The server takes its time to let go of a connection; the connection that stays tells when, and
// that the backend has ended as well.
static void give_back(PGconn *connections[MANY], int *count)
{
    char expected[16];
    bool gone = false;
    int pid = PQbackendPID(connections[--*count]);
    PQfinish(connections[*count]);
    snprintf(expected, sizeof expected, "%d", *count);
    for (int i = 0; i < 500 && !gone; i++) {
        PGresult *result = PQexec(connections[0], "select pg_sleep(0.02), count(*) from "
                                                  "pg_stat_activity where backend_type = "
                                                  "'client backend'");
        gone = strcmp(PQgetvalue(result, 0, 1), expected) == 0 && kill(pid, 0) != 0;
        PQclear(result);
    }
    PQclear(PQexec(connections[0], "select pg_sleep(0.2)")); // the last of it goes unseen
    assert_true(gone);
}

static void a_server_without_a_connection_left_says_so(void **state)
{
    PGconn *connections[MANY];
    int count = take_all(*state, connections);
    assert_true(count > 20 && count < MANY);
    is_refused(*state, NULL, ERROR_UNAVAILABLE, "no connection left", "raise max_connections");
    give_back(connections, &count); // one is too few, and now the figures are known
    is_refused(*state, NULL, ERROR_UNAVAILABLE, "max_connections is 40", "raise max_connections");
    give_back(connections, &count); // the one that was refused has gone by then
    is_taken(*state, NULL);
    while (count > 0) {
        PQfinish(connections[--count]);
    }
}

static void a_node_with_more_runs_than_the_server_has_locks_is_refused(void **state)
{
    struct store *store = postgres_cluster_open(*state, NULL);
    struct store_op_join join = {.op.kind = STORE_JOIN,
                                 .node = {{1, 2, 3}},
                                 .host = "h",
                                 .version = "1",
                                 .max_running = 100000};
    struct error err = ERROR_INIT;
    assert_false(store_call(store, &join.op, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_non_null(strstr(err.text, "max_locks_per_transaction"));
    assert_non_null(strstr(err.text, "node.max_running"));
    join.max_running = 64;
    assert_true(store_call(store, &join.op, &err));
    store_op_release(&join.op);
    store_close(store);
}

// ---- versions -----------------------------------------------------------------------------------

static const char *const nothing[] = {"select 1", NULL};
static const char *const second[] = {"alter table ironcron.node add column colour text", NULL};
static const char *const broken[] = {"alter table ironcron.node add column taste text",
                                     "select 1 / 0", NULL};

static int migrate_by(const char *url, const struct postgres_migration *steps, size_t count)
{
    int from = -1;
    struct error err = ERROR_INIT;
    if (!postgres_migrate_by(url, steps, count, &from, &err)) {
        fail_msg("%s", err.text);
    }
    return from;
}

static void a_program_works_with_tables_that_still_suit_it(void **state)
{
    int version = postgres_store_version();
    const struct postgres_migration steps[] = {{version, version, nothing},
                                               {version + 1, version, second},
                                               {version + 2, version + 1, nothing}};
    assert_int_equal(migrate_by(*state, steps, 2), version);
    assert_int_equal(migrate_by(*state, steps, 2), version + 1); // nothing to do
    is_taken(*state, NULL);
    int from = -1;
    struct error err = ERROR_INIT;
    assert_false(postgres_store_migrate(*state, &from, &err)); // never back
    assert_int_equal(err.code, ERROR_VERSION);
    assert_int_equal(migrate_by(*state, steps, 3), version + 1);
    is_refused(*state, NULL, ERROR_VERSION, "too old for", "install the ironcron that made them");
}

static void tables_that_are_behind_are_brought_forward_first(void **state)
{
    free(postgres_cluster_psql(*state, "select ironcron.meta_put('schema_version', '0')"));
    is_refused(*state, NULL, ERROR_VERSION, "have version 0",
               "run `ironcron migrate deploy --store`");
}

static void a_step_that_fails_leaves_nothing(void **state)
{
    int version = postgres_store_version();
    const struct postgres_migration steps[] = {{version + 1, version, second},
                                               {version + 2, version, broken}};
    int from = -1;
    struct error err = ERROR_INIT;
    assert_false(postgres_migrate_by(*state, steps, 2, &from, &err));
    assert_int_equal(from, version);
    assert_non_null(strstr(err.text, "division by zero"));
    char *columns = postgres_cluster_psql(
        *state, "select string_agg(attname, ',') from pg_attribute where attrelid = "
                "'ironcron.node'::regclass and attname in ('colour', 'taste')");
    assert_string_equal(first_line(columns), "colour"); // the first step stands by itself
    free(columns);
    is_taken(*state, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pool_of_sessions_is_good_enough),
        TEST(a_pool_of_transactions_is_found_out),
        TEST(a_pool_of_statements_is_found_out),
        TEST(another_database_is_not_gone_on_with),
        TEST(a_database_that_is_read_only_is_refused),
        TEST(the_isolation_is_the_stores_own),
        TEST(an_ordinary_user_is_enough),
        TEST(a_user_without_rights_is_told_what_to_grant),
        TEST(a_server_without_a_connection_left_says_so),
        TEST(a_node_with_more_runs_than_the_server_has_locks_is_refused),
        TEST(a_program_works_with_tables_that_still_suit_it),
        TEST(tables_that_are_behind_are_brought_forward_first),
        TEST(a_step_that_fails_leaves_nothing),
        TEST(a_standby_is_refused_until_it_is_promoted_and_then_the_old_primary_is),
    };
    postgres_cluster_start();
    return cmocka_run_group_tests_name("PostgreSQL store, connecting", tests, NULL, NULL);
}
