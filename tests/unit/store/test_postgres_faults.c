// SPDX-License-Identifier: MIT
// The PostgreSQL store while its server is broken: what was sent is settled by sending it again,
// and what could not be sent is said to be so.
#include "../../contract/contract.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "postgres_cluster.h"
#include "store/postgres/postgres_store.h"

struct faults {
    struct contract contract; // on a store with a short deadline
    char *url;
};

static int setup(void **state)
{
    struct faults *faults = calloc(1, sizeof *faults);
    assert_non_null(faults);
    faults->url = postgres_cluster_database();
    contract_clock_init(&faults->contract.clock);
    struct error err = ERROR_INIT;
    struct postgres_store_options options = {.url = faults->url,
                                             .application_name = "ironcron under test",
                                             .call_deadline = DURATION_MS(1500),
                                             .store_clock = &faults->contract.clock.clock,
                                             .clock = clock_system()};
    if (!postgres_store_open(&options, &faults->contract.store, &err)) {
        fail_msg("%s", err.text);
    }
    contract_join(&faults->contract);
    *state = faults;
    return 0;
}

static int teardown(void **state)
{
    struct faults *faults = *state;
    store_close(faults->contract.store);
    postgres_cluster_drop(faults->url);
    free(faults->url);
    free(faults);
    return 0;
}

static void ended(struct store_op *op)
{
    (void)op;
}

static struct store_op_decide one(struct contract *c, struct store_slot *slot)
{
    return (struct store_op_decide){.op = {.kind = STORE_DECIDE, .done = ended},
                                    .node = c->node,
                                    .slots = slot,
                                    .slot_count = 1};
}

// The process id of the store's own backend.
static int backend_of(struct faults *faults)
{
    char *pid = postgres_cluster_psql(
        faults->url,
        "select pid from pg_stat_activity where application_name = 'ironcron under test'"
        " and datname = current_database()");
    int number = (int)strtol(pid, NULL, 10);
    free(pid);
    assert_true(number > 1);
    return number;
}

static void resubmit_until_claimed(struct contract *c, struct store_slot *slot)
{
    for (int i = 0; i < 20; i++) {
        struct store_op_decide decide = one(c, slot);
        store_submit(c->store, &decide.op);
        store_settle(c->store);
        if (decide.op.result == STORE_OK) {
            store_op_release(&decide.op);
            assert_int_equal(slot->verdict, VERDICT_CLAIMED);
            return;
        }
        usleep(50 * 1000);
    }
    fail_msg("the store did not come back");
}

// Stopped before it reads: whether the claim was carried out is not known, and the same again says.
static void a_server_that_hangs_leaves_it_unknown(void **state)
{
    struct faults *faults = *state;
    struct contract *c = &faults->contract;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    int pid = backend_of(faults);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    struct store_op_decide decide = one(c, &slot);
    store_submit(c->store, &decide.op);
    store_settle(c->store);
    assert_int_equal(decide.op.result, STORE_UNKNOWN);
    assert_non_null(strstr(decide.op.err.text, "did not answer in time"));
    assert_int_equal(kill(pid, SIGCONT), 0); // and now it may still carry it out
    resubmit_until_claimed(c, &slot);
    contract_holds(c, PART_SLOTS, "slot a +1000 - run #2 \n");
    char *runs = contract_dump(c->store, PART_RUNS);
    assert_null(strstr(strstr(runs, "run ") + 1, "\nrun ")); // one, whoever won
    free(runs);
}

static void a_killed_backend_is_replaced(void **state)
{
    struct faults *faults = *state;
    struct contract *c = &faults->contract;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    char sql[96];
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%d)", backend_of(faults));
    free(postgres_cluster_psql(faults->url, sql));
    struct store_op_decide decide = one(c, &slot);
    store_submit(c->store, &decide.op);
    store_settle(c->store);
    assert_true(decide.op.result == STORE_UNKNOWN || decide.op.result == STORE_UNAVAILABLE);
    resubmit_until_claimed(c, &slot);
}

// A lock that somebody holds: the server gives up by itself, certainly without having done it.
static void a_locked_table_is_no_unknown(void **state)
{
    struct faults *faults = *state;
    struct contract *c = &faults->contract;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    postgres_cluster_background(faults->url,
                                "begin; lock table ironcron.job; select pg_sleep(3); commit");
    struct store_op_decide decide = one(c, &slot);
    store_submit(c->store, &decide.op);
    store_settle(c->store);
    assert_int_equal(decide.op.result, STORE_UNAVAILABLE);
    assert_non_null(strstr(decide.op.err.text, "lock timeout"));
    for (int i = 0; i < 100 && decide.op.result != STORE_OK; i++) {
        decide = one(c, &slot);
        store_submit(c->store, &decide.op);
        store_settle(c->store);
    }
    assert_int_equal(slot.verdict, VERDICT_CLAIMED);
    store_op_release(&decide.op);
}

static void a_server_that_is_down_is_unavailable_until_it_is_back(void **state)
{
    struct faults *faults = *state;
    struct contract *c = &faults->contract;
    int64_t job = contract_publish(c, "a", "s");
    postgres_cluster_stop();
    struct store_slot slot = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    struct store_op_decide first = one(c, &slot);
    store_submit(c->store, &first.op);
    store_settle(c->store);
    struct store_op_decide second = one(c, &slot);
    store_submit(c->store, &second.op);
    store_settle(c->store);
    assert_int_equal(second.op.result, STORE_UNAVAILABLE);
    assert_non_null(strstr(second.op.err.text, "cannot be reached"));
    postgres_cluster_again();
    resubmit_until_claimed(c, &slot);
}

// Operations that wait behind the one that fails are told too, in their order.
static void set_standby(struct faults *faults, const char *name)
{
    char sql[128];
    snprintf(sql, sizeof sql, "alter system set synchronous_standby_names = '%s'", name);
    free(postgres_cluster_psql(faults->url, sql));
    free(postgres_cluster_psql(faults->url, "select pg_reload_conf(), pg_sleep(0.3)"));
}

// Committed here, but the standby may lack it: the same again is to be waited for as well.
static void a_commit_that_the_standby_may_lack_is_unknown(void **state)
{
    struct faults *faults = *state;
    struct contract *c = &faults->contract;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = contract_slot(c, job, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    set_standby(faults, "nobody");
    struct store_op_decide decide = one(c, &slot);
    store_submit(c->store, &decide.op);
    (void)store_pump(c->store);
    free(postgres_cluster_psql(
        faults->url,
        "do \\$\\$ begin for i in 1 .. 100 loop exit when (select bool_or("
        "pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'); "
        "perform pg_sleep(0.01); perform pg_stat_clear_snapshot(); end loop; end \\$\\$"));
    store_settle(c->store);
    set_standby(faults, "");
    assert_int_equal(decide.op.result, STORE_UNKNOWN);
    assert_non_null(strstr(decide.op.err.text, "synchronous standby"));
    resubmit_until_claimed(c, &slot);
}

static void all_that_is_on_its_way_is_told(void **state)
{
    struct faults *faults = *state;
    struct contract *c = &faults->contract;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slots[40];
    struct store_op_decide decides[40];
    int pid = backend_of(faults);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    for (int i = 0; i < 40; i++) {
        slots[i] = contract_slot(c, job, 1000 * (i + 1), DECIDE_SKIP, TRIGGER_SCHEDULE, 1);
        slots[i].reason = REASON_PAUSED;
        decides[i] = one(c, &slots[i]);
        store_submit(c->store, &decides[i].op);
    }
    store_settle(c->store);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(decides[0].op.result, STORE_UNKNOWN);
    assert_int_equal(decides[39].op.result, STORE_UNAVAILABLE); // it had not been sent
    for (int i = 0; i < 40; i++) {
        assert_int_not_equal(decides[i].op.result, STORE_OK);
        contract_decide(c, &slots[i]);
        assert_int_equal(slots[i].verdict, VERDICT_WRITTEN);
    }
}

static void a_database_without_the_tables_says_what_to_run(void **state)
{
    struct faults *faults = *state;
    free(postgres_cluster_psql(faults->url, "drop schema ironcron cascade"));
    struct store *store = postgres_cluster_open(faults->url, NULL);
    struct store_op_load load = {.op.kind = STORE_LOAD};
    struct error err = ERROR_INIT;
    assert_false(store_call(store, &load.op, &err));
    assert_int_equal(err.code, ERROR_VERSION);
    assert_non_null(strstr(err.text, "ironcron migrate deploy --store"));
    store_close(store);
}

static void migrating_again_changes_nothing(void **state)
{
    struct faults *faults = *state;
    struct error err = ERROR_INIT;
    int from = -1;
    assert_true(postgres_store_migrate(faults->url, &from, &err));
    assert_int_equal(from, postgres_store_version());
    free(postgres_cluster_psql(faults->url, "select ironcron.meta_put('schema_version', '99')"));
    assert_false(postgres_store_migrate(faults->url, &from, &err));
    assert_int_equal(err.code, ERROR_VERSION);
    assert_non_null(strstr(err.text, "version 99"));
}

static void the_audit_log_is_final(void **state)
{
    struct faults *faults = *state;
    contract_seal(&faults->contract);
    static const char *const attempts[] = {"update ironcron.audit set events = '{X}'",
                                           "delete from ironcron.audit",
                                           "truncate ironcron.audit",
                                           "update ironcron.audit_seal set seq = seq + 1",
                                           "delete from ironcron.audit_seal",
                                           "truncate ironcron.audit_seal"};
    for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++) {
        char command[200];
        snprintf(command, sizeof command, "%s; select 'done'", attempts[i]);
        char *printed = postgres_cluster_try(faults->url, command);
        assert_non_null(strstr(printed, "never changed or deleted"));
        free(printed);
    }
}

// What anybody reads: words, times with zone, the names of the contract.
static void the_views_speak_in_words(void **state)
{
    struct faults *faults = *state;
    struct contract *c = &faults->contract;
    int64_t job = contract_publish(c, "a", "s");
    struct store_slot slot = contract_claim(c, job, 1000);
    contract_end(c, &slot, RUN_SUCCESS, INSTANT_NONE);
    for (int state_number = 0; state_number < SLOT_REASON_COUNT; state_number++) {
        struct store_slot skip =
            contract_slot(c, job, 2000 + state_number, DECIDE_SKIP, TRIGGER_SCHEDULE, 1);
        skip.reason = (enum slot_reason)state_number;
        contract_decide(c, &skip);
        char sql[128];
        snprintf(sql, sizeof sql,
                 "select coalesce(reason, '') from ironcron.slots order by due_at desc limit 1");
        char *reason = postgres_cluster_psql(faults->url, sql);
        reason[strcspn(reason, "\n")] = '\0';
        assert_string_equal(reason, slot_reason_name(skip.reason));
        free(reason);
    }
    char *row = postgres_cluster_psql(
        faults->url, "set timezone = 'UTC'; select job, due_at, trigger, state, duration_ms from "
                     "ironcron.job_runs");
    assert_string_equal(row, "a|2025-11-24 16:00:01+00|schedule|SUCCESS|1500\n");
    free(row);
    char *outcome = postgres_cluster_psql(
        faults->url, "select outcome from ironcron.slots order by due_at limit 1");
    assert_string_equal(outcome, "SUCCESS\n");
    free(outcome);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_server_that_hangs_leaves_it_unknown),
        TEST(a_killed_backend_is_replaced),
        TEST(a_locked_table_is_no_unknown),
        TEST(a_server_that_is_down_is_unavailable_until_it_is_back),
        TEST(a_commit_that_the_standby_may_lack_is_unknown),
        TEST(all_that_is_on_its_way_is_told),
        TEST(a_database_without_the_tables_says_what_to_run),
        TEST(migrating_again_changes_nothing),
        TEST(the_audit_log_is_final),
        TEST(the_views_speak_in_words),
    };
    postgres_cluster_start();
    return cmocka_run_group_tests_name("PostgreSQL store, broken", tests, NULL, NULL);
}
