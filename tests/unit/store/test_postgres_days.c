// SPDX-License-Identifier: MIT
// History of the PostgreSQL store by days, and the sealing of what becomes visible late.
#include "../../contract/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres_cluster.h"

#define DAY_MS 86400000

struct days {
    struct contract contract;
    char *url;
    int64_t job;
};

static int setup(void **state)
{
    struct days *days = calloc(1, sizeof *days);
    assert_non_null(days);
    days->url = postgres_cluster_database();
    contract_clock_init(&days->contract.clock);
    days->contract.store = postgres_cluster_open(days->url, &days->contract.clock.clock);
    contract_join(&days->contract);
    days->job = contract_publish(&days->contract, "a", "s");
    *state = days;
    return 0;
}

static int teardown(void **state)
{
    struct days *days = *state;
    store_close(days->contract.store);
    postgres_cluster_drop(days->url);
    free(days->url);
    free(days);
    return 0;
}

static void is(struct days *days, const char *sql, const char *expected)
{
    char *printed = postgres_cluster_psql(days->url, sql);
    printed[strcspn(printed, "\n")] = '\0';
    assert_string_equal(printed, expected);
    free(printed);
}

// A run whose id says when it was claimed, with a piece of output.
static struct store_slot claim(struct days *days, int64_t due_ms)
{
    struct contract *c = &days->contract;
    struct store_slot slot = contract_slot(c, days->job, due_ms, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    uint8_t random[10] = {(uint8_t)c->ids++};
    slot.run_id = uuid_v7(instant_ms(c->clock.now), random);
    assert_int_equal(contract_decide(c, &slot), VERDICT_CLAIMED);
    struct store_chunk chunk = {slot.run_id, 0, "abc", 3};
    struct store_op_output output = {.op.kind = STORE_OUTPUT, .chunks = &chunk, .chunk_count = 1};
    CALL_OK(c, &output);
    return slot;
}

static struct store_op_prune prune(struct days *days, int64_t before_ms)
{
    struct store_op_prune op = {.op.kind = STORE_PRUNE,
                                .runs_before = at_ms(before_ms),
                                .output_before = INSTANT_NONE,
                                .audit_before = INSTANT_NONE,
                                .limit = 100};
    CALL_OK(&days->contract, &op);
    return op;
}

// T0 is 16:00 of 2025-11-24: this is the first hour of the next day, which lasts until +32 h.
#define TOMORROW     (9 * 3600 * 1000LL)
#define TOMORROW_END (32 * 3600 * 1000LL)

static void a_day_is_made_ahead_and_goes_as_a_whole(void **state)
{
    struct days *days = *state;
    struct contract *c = &days->contract;
    contract_seal(c); // makes days
    struct store_slot today = claim(days, 1000);
    contract_end(c, &today, RUN_SUCCESS, INSTANT_NONE);
    contract_advance(&c->clock, TOMORROW);
    struct store_slot tomorrow = claim(days, TOMORROW);
    contract_end(c, &tomorrow, RUN_SUCCESS, INSTANT_NONE);
    struct store_slot skipped =
        contract_slot(c, days->job, TOMORROW + 1000, DECIDE_SKIP, TRIGGER_SCHEDULE, 1);
    assert_int_equal(contract_decide(c, &skipped), VERDICT_WRITTEN);
    is(days, "select count(*) from ironcron.run_ended_rest", "1");
    is(days, "select count(*) from ironcron.run_ended_20251125", "1");
    is(days, "select count(*) from ironcron.slot_closed_20251125", "1");
    is(days, "select count(*) from ironcron.output_20251125", "1");
    // Not before its last millisecond is to go; what has no day goes by itself.
    assert_int_equal(prune(days, TOMORROW_END - 1).deleted, 3); // slot, run, output
    is(days, "select count(*) from ironcron.run_ended_20251125", "1");
    struct store_op_prune whole = prune(days, TOMORROW_END);
    assert_int_equal(whole.deleted, 3);
    assert_true(whole.more);
    is(days, "select to_regclass('ironcron.run_ended_20251125') is null", "t");
    contract_holds(c, PART_RUNS | PART_SLOTS, "");
    assert_false(prune(days, TOMORROW_END).more);
    // A slot that was pruned does not come back.
    struct store_slot old = contract_slot(c, days->job, TOMORROW, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    assert_int_equal(contract_decide(c, &old), VERDICT_TAKEN);
}

// By the clock of whoever asked for it, which is three days ahead.
static void a_day_that_has_begun_elsewhere_holds_up_no_other(void **state)
{
    struct days *days = *state;
    struct contract *c = &days->contract;
    struct store_slot slot = contract_slot(c, days->job, 1000, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    slot.run_id = uuid_v7(instant_ms(c->clock.now) + 3LL * DAY_MS, (uint8_t[10]){1});
    assert_int_equal(contract_decide(c, &slot), VERDICT_CLAIMED);
    contract_end(c, &slot, RUN_SUCCESS, INSTANT_NONE);
    for (int i = 0; i < 8; i++) {
        contract_seal(c);
    }
    is(days,
       "select string_agg(to_char(date '1970-01-01' + day, 'DD'), ' ' order by day) "
       "from ironcron.day where parent = 'run_ended' and day < 20500",
       "25 26 28 29 30 01");
    is(days, "select count(*) from ironcron.job_runs", "1");
}

static void a_day_waits_for_what_is_open(void **state)
{
    struct days *days = *state;
    struct contract *c = &days->contract;
    contract_seal(c);
    contract_advance(&c->clock, TOMORROW);
    struct store_slot waits = claim(days, TOMORROW);
    contract_end(c, &waits, RUN_FAILED, at_ms(9 * DAY_MS)); // its slot is open
    struct store_slot runs = claim(days, TOMORROW + 1000);
    prune(days, 3 * DAY_MS);
    is(days, "select count(*) from ironcron.run_ended_20251125", "1");
    struct store_slot again = contract_slot(c, days->job, TOMORROW, DECIDE_RUN, TRIGGER_RETRY, 2);
    assert_int_equal(contract_decide(c, &again), VERDICT_CLAIMED);
    contract_end(c, &again, RUN_SUCCESS, INSTANT_NONE);
    prune(days, 3 * DAY_MS); // one still runs
    is(days, "select count(*) from ironcron.run_ended_20251125", "1");
    contract_advance(&c->clock, DAY_MS);
    struct store_end end = {.run_id = runs.run_id,
                            .fence = runs.fence,
                            .state = RUN_SUCCESS,
                            .duration = DURATION_MS(DAY_MS)};
    struct store_op_finish finish = {
        .op.kind = STORE_FINISH, .node = c->node, .ends = &end, .end_count = 1};
    CALL_OK(c, &finish);
    prune(days, DAY_MS + TOMORROW); // it ended at that instant, not before
    is(days, "select count(*) from ironcron.run_ended_20251125", "2");
    prune(days, DAY_MS + TOMORROW + 1);
    is(days, "select to_regclass('ironcron.run_ended_20251125') is null", "t");
    contract_holds(c, PART_RUNS, "");
}

// Another end comes to a day while it is being dropped: in between it is not over any more.
static void a_day_that_gets_another_run_meanwhile_stays(void **state)
{
    struct days *days = *state;
    struct contract *c = &days->contract;
    contract_seal(c);
    contract_advance(&c->clock, TOMORROW);
    struct store_slot run = claim(days, TOMORROW);
    contract_end(c, &run, RUN_SUCCESS, INSTANT_NONE);
    // Commits as soon as somebody waits for it.
    postgres_cluster_background(
        days->url,
        "begin; insert into ironcron.run_ended (run_id, fence, job_id, due_at, started_at, "
        "ended_at, duration, node_no, attempt, trigger, state, failure) select (left(run_id::text, "
        "35) || 'f')::uuid, 9, job_id, due_at + 1, started_at, ended_at + 172800000, duration, "
        "node_no, attempt, trigger, state, failure from ironcron.run_ended_20251125; "
        "do \\$\\$ begin for i in 1..6000 loop exit when exists (select from pg_locks where not "
        "granted); perform pg_sleep(0.005); end loop; end \\$\\$; commit");
    prune(days, TOMORROW_END);
    is(days, "select count(*) from ironcron.run_ended_20251125", "2");
}

// Whoever has been away finds a place for what it writes, and days again from then on.
static void a_month_without_days_loses_nothing(void **state)
{
    struct days *days = *state;
    struct contract *c = &days->contract;
    contract_seal(c);
    contract_advance(&c->clock, 30LL * DAY_MS);
    struct store_slot slot = claim(days, 30LL * DAY_MS);
    contract_end(c, &slot, RUN_SUCCESS, INSTANT_NONE);
    is(days, "select count(*) from ironcron.run_ended_rest", "1");
    contract_seal(c);
    is(days, "select to_regclass('ironcron.run_ended_20251225') is not null", "t");
    struct store_op_prune piece = prune(days, 31LL * DAY_MS); // that one, and a day of each kind
    assert_int_equal(piece.deleted, 3 + 3);
    assert_true(piece.more);
}

// ---- the chain ----------------------------------------------------------------------------------

static void note(struct days *days, const char *event)
{
    struct store_op_audit op = {.op.kind = STORE_AUDIT, .event = event};
    CALL_OK(&days->contract, &op);
}

static void what_becomes_visible_late_is_sealed_once(void **state)
{
    struct days *days = *state;
    postgres_cluster_background(
        days->url, "begin; insert into ironcron.audit (at, events) select 1, '{LATE}' from "
                   "generate_series(1, 3); select pg_sleep(3); commit");
    note(days, "EARLY");
    assert_int_equal(contract_seal(&days->contract), 3); // of the node, the definitions, this one
    is(days, "select id_to - id_from from ironcron.audit_gap", "2");
    is(days, "select seq from ironcron.audit_log where event = 'EARLY'", "3");
    size_t late = 0;
    for (int i = 0; i < 400 && late < 3; i++) {
        late += contract_seal(&days->contract);
        free(postgres_cluster_psql(days->url, "select pg_sleep(0.05)"));
    }
    assert_int_equal(late, 3);
    note(days, "NEXT");
    assert_int_equal(contract_seal(&days->contract), 1);
    is(days, "select string_agg(event, ' ' order by seq) from ironcron.audit_log",
       "NODE_STARTED CONFIG_PUBLISHED EARLY LATE LATE LATE NEXT");
    is(days,
       "select count(*) from ironcron.audit_log a join ironcron.audit_log b on b.seq = a.seq - 1 "
       "where a.prev_hash <> b.hash",
       "0");
    is(days, "select count(*) from ironcron.audit_gap", "0");
}

static void a_gap_that_stays_empty_is_forgotten(void **state)
{
    struct days *days = *state;
    free(postgres_cluster_psql(days->url,
                               "begin; insert into ironcron.audit (at, events) values (1, "
                               "'{NEVER}'); rollback"));
    note(days, "AFTER");
    assert_int_equal(contract_seal(&days->contract), 3);
    is(days, "select count(*) from ironcron.audit_gap", "1");
    note(days, "LATER"); // what was under way then has ended
    assert_int_equal(contract_seal(&days->contract), 1);
    is(days, "select count(*) from ironcron.audit_gap", "0");
}

// Blocks hold sixty rows; pruning cuts one in two.
static void pruning_cuts_a_block_where_it_must(void **state)
{
    struct days *days = *state;
    struct contract *c = &days->contract;
    for (int i = 0; i < 150; i++) {
        contract_advance(&c->clock, 1000);
        note(days, "X");
    }
    assert_int_equal(contract_seal(c), 152);
    is(days,
       "select string_agg((length(hashes) / 32)::text, ' ' order by seq) from ironcron.audit_seal",
       "60 60 32");
    char *before = contract_dump(c->store, PART_AUDIT);
    struct store_op_prune op = {.op.kind = STORE_PRUNE,
                                .runs_before = INSTANT_NONE,
                                .output_before = INSTANT_NONE,
                                .audit_before = at_ms(75000),
                                .limit = 1000};
    CALL_OK(c, &op);
    assert_int_equal(op.deleted, 76);
    is(days,
       "select string_agg((length(hashes) / 32)::text, ' ' order by seq) from ironcron.audit_seal",
       "44 32");
    char *after = contract_dump(c->store, PART_AUDIT);
    assert_non_null(strstr(before, after)); // hashes included, the rest is what it was
    free(before);
    free(after);
}

// Slots of so many jobs in one operation: one row of audit.
static void skip_together(struct days *days, size_t count, int64_t due_ms)
{
    struct contract *c = &days->contract;
    struct store_slot slots[100];
    for (size_t i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "job-%zu", i);
        int64_t job = due_ms == 1000 ? contract_publish(c, name, "s") : days->job + 1 + (int64_t)i;
        slots[i] = contract_slot(c, job, due_ms, DECIDE_SKIP, TRIGGER_SCHEDULE, 1);
    }
    struct store_op_decide op = {
        .op.kind = STORE_DECIDE, .node = c->node, .slots = slots, .slot_count = count};
    CALL_OK(c, &op);
}

static size_t seal_once(struct days *days, bool *more_out)
{
    struct store_op_seal op = {.op.kind = STORE_SEAL, .limit = 1000};
    CALL_OK(&days->contract, &op);
    *more_out = op.more;
    return op.sealed;
}

// By what the server has to send, and by what is to be hashed: a little of the one may be much of
// the other.
static void what_is_sealed_at_once_is_not_too_much(void **state)
{
    struct days *days = *state;
    bool more = true;
    contract_seal(&days->contract);
    free(postgres_cluster_psql(
        days->url, "insert into ironcron.audit (at, events, details) select 1, '{X}', "
                   "array[string_agg(md5(n || ' ' || i), '')] from generate_series(1, 5) n, "
                   "generate_series(1, 20000) i group by n"));
    for (size_t i = 0; i < 5; i++) { // 640 kB each
        assert_true(more);
        assert_int_equal(seal_once(days, &more), 1);
    }
    assert_false(more);
    free(postgres_cluster_psql(days->url,
                               "insert into ironcron.audit (at, events, details) select 1, '{X}', "
                               "array[repeat('x', 3000000)] from generate_series(1, 5)"));
    assert_int_equal(seal_once(days, &more), 2);
    assert_true(more);
    assert_int_equal(seal_once(days, &more), 2);
    assert_int_equal(seal_once(days, &more), 1);
    assert_false(more);
    is(days, "select count(*) from ironcron.audit_faults()", "0");
}

#define CHAIN_IS_WHOLE                                                                             \
    "select count(*) filter (where prev_hash <> was or seq <> before + 1) || ' of ' || count(*) "  \
    "from (select *, lag(hash) over w as was, lag(seq) over w as before "                          \
    "from ironcron.audit_log window w as (order by seq)) a"

static void what_is_told_together_is_sealed_together(void **state)
{
    struct days *days = *state;
    struct contract *c = &days->contract;
    contract_seal(c);
    skip_together(days, 70, 1000);
    contract_seal(c); // the definitions, and as many as one block never has otherwise
    note(days, "X");
    skip_together(days, 3, 2000);
    skip_together(days, 2, 3000);
    struct store_op_seal seal = {.op.kind = STORE_SEAL, .limit = 2};
    CALL_OK(c, &seal);
    assert_int_equal(seal.sealed, 1); // not a part of the next
    assert_true(seal.more);
    CALL_OK(c, &seal);
    assert_int_equal(seal.sealed, 3); // the first one in any case
    assert_true(seal.more);
    note(days, "Y");
    CALL_OK(c, &seal);
    assert_int_equal(seal.sealed, 2);
    assert_int_equal(contract_seal(c), 1);
    is(days, CHAIN_IS_WHOLE, "0 of 149");
    is(days, "select count(*) from ironcron.audit_log where event = 'SKIPPED' and job like 'job-%'",
       "75");
    is(days,
       "select string_agg(coalesce(job, '-'), ' ' order by seq desc) from (select * from "
       "ironcron.audit_log order by seq desc limit 7) a",
       "- job-1 job-0 job-2 job-1 job-0 -");
}

static void a_block_of_several_is_cut_between_them(void **state)
{
    struct days *days = *state;
    struct contract *c = &days->contract;
    contract_seal(c);
    skip_together(days, 4, 1000);
    contract_seal(c);
    for (int64_t i = 2; i < 8; i++) {
        contract_advance(&c->clock, 1000);
        skip_together(days, 3, 1000 * i);
    }
    assert_int_equal(contract_seal(c), 18);
    is(days, "select starts::text from ironcron.audit_seal order by seq desc limit 1",
       "{0,3,6,9,12,15}");
    struct store_op_prune op = {.op.kind = STORE_PRUNE,
                                .runs_before = INSTANT_NONE,
                                .output_before = INSTANT_NONE,
                                .audit_before = at_ms(2500),
                                .limit = 1000};
    char *before = contract_dump(c->store, PART_AUDIT);
    CALL_OK(c, &op);
    assert_int_equal(op.deleted, 2 + 4 + 4 + 6);
    assert_false(op.more);
    is(days, "select starts::text from ironcron.audit_seal", "{0,3,6,9}");
    is(days, CHAIN_IS_WHOLE, "0 of 12");
    op.audit_before = at_ms(4500);
    op.limit = 4; // two rows would be six
    CALL_OK(c, &op);
    assert_int_equal(op.deleted, 3);
    assert_true(op.more);
    op.limit = 1;
    CALL_OK(c, &op);
    assert_int_equal(op.deleted, 3);
    assert_true(op.more); // or there may be
    CALL_OK(c, &op);
    assert_int_equal(op.deleted, 0);
    is(days, CHAIN_IS_WHOLE, "0 of 6");
    char *after = contract_dump(c->store, PART_AUDIT);
    assert_non_null(strstr(before, after));
    free(before);
    free(after);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_day_is_made_ahead_and_goes_as_a_whole),
        TEST(a_day_waits_for_what_is_open),
        TEST(a_day_that_gets_another_run_meanwhile_stays),
        TEST(a_day_that_has_begun_elsewhere_holds_up_no_other),
        TEST(a_month_without_days_loses_nothing),
        TEST(what_becomes_visible_late_is_sealed_once),
        TEST(a_gap_that_stays_empty_is_forgotten),
        TEST(what_is_told_together_is_sealed_together),
        TEST(a_block_of_several_is_cut_between_them),
        TEST(pruning_cuts_a_block_where_it_must),
        TEST(what_is_sealed_at_once_is_not_too_much),
    };
    postgres_cluster_start();
    return cmocka_run_group_tests_name("PostgreSQL store, days", tests, NULL, NULL);
}
