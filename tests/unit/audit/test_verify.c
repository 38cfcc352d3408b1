// SPDX-License-Identifier: MIT
// The verification on ledgers that were written through the store port, on each store: a good one
// has no finding, and a scheduler that does wrong is found out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "ledger.h"

#define MINUTE(n) (LEDGER_START + (n)*60)

static void test_good_ledger(void **state)
{
    struct ledger ledger;
    ledger_open(&ledger, **(enum ledger_kind **)state);
    ledger_expect(&ledger, "empty", 0);
    ledger_fill(&ledger);
    struct verify_options options = {.since = INSTANT_NONE};
    struct verify_report report;
    struct error err = ERROR_INIT;
    assert_true(verify_store(ledger.store, &options, &report, &err));
    for (size_t i = 0; i < report.finding_count; i++) {
        print_error("%s: %s\n", verify_kind_name(report.findings[i].kind), report.findings[i].text);
    }
    assert_int_equal(report.finding_total, 0);
    assert_int_equal(report.unsealed_rows, 0);
    assert_int_equal(report.head_seq, (int64_t)report.audit_rows);
    assert_int_equal(report.running, 0);
    assert_int_equal(report.job_count, 4);
    for (size_t i = 0; i < report.job_count; i++) {
        const struct verify_job *job = &report.jobs[i];
        size_t due = strcmp(job->name, "minute") == 0  ? 120
                     : strcmp(job->name, "five") == 0  ? 24
                     : strcmp(job->name, "night") == 0 ? 1
                                                       : 0;
        size_t beside = strcmp(job->name, "minute") == 0 ? 1 : 0; // the backfill
        assert_int_equal(job->due, due);
        if (strcmp(job->name, "boot") != 0) {
            assert_int_equal(job->in_ledger, due + beside);
        }
    }
    verify_report_release(&report);
    ledger_close(&ledger);
}

// Whatever part of the history is gone or not asked for, the rest is still good.
static void test_good_in_part(void **state)
{
    struct ledger ledger;
    ledger_open(&ledger, **(enum ledger_kind **)state);
    ledger_fill(&ledger);
    for (int64_t minute = -1; minute < 125; minute += 3) {
        char label[64];
        snprintf(label, sizeof label, "since minute %d", (int)minute);
        ledger_expect_since(&ledger, label, 0, false, instant_from_unix(MINUTE(minute)));
    }
    static const struct {
        int runs, audit;
    } steps[] = {{8, 5}, {14, 5}, {20, 20}, {25, 33}, {34, 40}, {60, 60}, {119, 121}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        char label[64];
        snprintf(label, sizeof label, "runs pruned to minute %d, audit to %d", steps[i].runs,
                 steps[i].audit);
        ledger_prune(&ledger, MINUTE(steps[i].runs), MINUTE(steps[i].audit));
        ledger_expect(&ledger, label, 0);
        ledger_expect_since(&ledger, label, 0, false, instant_from_unix(MINUTE(50)));
    }
    ledger_close(&ledger);
}

static void test_running(void **state)
{
    struct ledger ledger;
    ledger_open(&ledger, **(enum ledger_kind **)state);
    ledger_join(&ledger, false);
    ledger_publish(&ledger);
    ledger_pass(&ledger, 3);
    ledger_wait(&ledger, 60);
    struct store_slot slot = ledger_decide(&ledger, ledger.minute_job, MINUTE(4), DECIDE_RUN,
                                           TRIGGER_SCHEDULE, 1, REASON_NONE);
    ledger_expect_since(&ledger, "running on the live node", 0, true, INSTANT_NONE);
    ledger_expect(&ledger, "open without a node", KIND(VERIFY_RUN_NOT_ENDED));
    ledger_end(&ledger, &slot, RUN_FAILED, MINUTE(9));
    ledger_expect_since(&ledger, "waits for its retry", 0, true, INSTANT_NONE);
    ledger_expect(&ledger, "waits for its retry without a node", 0);
    ledger_close(&ledger);
}

static void test_gap(void **state)
{
    struct ledger ledger;
    ledger_open(&ledger, **(enum ledger_kind **)state);
    ledger_join(&ledger, false);
    ledger_publish(&ledger);
    ledger_pass(&ledger, 4);
    ledger_wait(&ledger, 120);
    ledger_run(&ledger, ledger.minute_job, MINUTE(6), RUN_SUCCESS);
    ledger_expect(&ledger, "minute 5 was passed over", KIND(VERIFY_SLOT_GAP));
    ledger_close(&ledger);
}

static void test_extra(void **state)
{
    struct ledger ledger;
    ledger_open(&ledger, **(enum ledger_kind **)state);
    ledger_join(&ledger, false);
    ledger_publish(&ledger);
    ledger_pass(&ledger, 4);
    ledger_run(&ledger, ledger.minute_job, MINUTE(4) + 7, RUN_SUCCESS);
    ledger_expect(&ledger, "seven seconds past the minute", KIND(VERIFY_SLOT_EXTRA));
    ledger_close(&ledger);
}

// ---- policy -------------------------------------------------------------------------------------

struct act {
    const char *label;
    enum store_control_kind kind;
    int value; // 0 = no control at all
    bool node_dry_run;
    enum store_decision decision;
    enum run_trigger trigger;
    enum slot_reason reason;
    bool after_it; // the decision falls when the control is over, the slot does not
    bool wrong;
};

static void try_act(enum ledger_kind kind, const struct act *act)
{
    struct ledger ledger;
    ledger_open(&ledger, kind);
    ledger_join(&ledger, act->node_dry_run);
    ledger_publish(&ledger);
    ledger_wait(&ledger, 10);
    if (act->value != 0) {
        ledger_control(&ledger, act->kind, "minute", act->value);
    }
    ledger_wait(&ledger, 51);
    if (act->after_it) {
        ledger_wait(&ledger, 30);
        ledger_control(&ledger, act->kind, "minute", 0);
        ledger_wait(&ledger, 10);
    }
    struct store_slot slot = ledger_decide(&ledger, ledger.minute_job, MINUTE(1), act->decision,
                                           act->trigger, 1, act->reason);
    if (act->decision == DECIDE_RUN) {
        ledger_end(&ledger, &slot, RUN_SUCCESS, 0);
    }
    ledger_expect(&ledger, act->label, act->wrong ? KIND(VERIFY_SLOT_POLICY) : 0);
    ledger_close(&ledger);
}

static void test_policy(void **state)
{
    static const struct act acts[] = {
        {"ran while paused", CONTROL_PAUSE, 1, false, DECIDE_RUN, TRIGGER_SCHEDULE, REASON_NONE,
         false, true},
        {"skipped while paused", CONTROL_PAUSE, 1, false, DECIDE_SKIP, TRIGGER_SCHEDULE,
         REASON_PAUSED, false, false},
        {"run by hand while paused", CONTROL_PAUSE, 1, false, DECIDE_RUN, TRIGGER_MANUAL,
         REASON_NONE, false, false},
        {"made up what was due in a pause", CONTROL_PAUSE, 1, false, DECIDE_RUN, TRIGGER_CATCHUP,
         REASON_NONE, true, true},
        {"skipped later what was due in a pause", CONTROL_PAUSE, 1, false, DECIDE_SKIP,
         TRIGGER_SCHEDULE, REASON_PAUSED, true, false},
        {"missed what was due in a pause", CONTROL_PAUSE, 1, false, DECIDE_MISS, TRIGGER_SCHEDULE,
         REASON_DOWNTIME, true, true},
        {"skipped as paused, and was not", CONTROL_PAUSE, 0, false, DECIDE_SKIP, TRIGGER_SCHEDULE,
         REASON_PAUSED, false, true},
        {"ran in a dry-run", CONTROL_DRY_RUN, 1, false, DECIDE_RUN, TRIGGER_SCHEDULE, REASON_NONE,
         false, true},
        {"run by hand in a dry-run", CONTROL_DRY_RUN, 1, false, DECIDE_RUN, TRIGGER_MANUAL,
         REASON_NONE, false, true},
        {"dry-run in a dry-run", CONTROL_DRY_RUN, 1, false, DECIDE_DRY_RUN, TRIGGER_SCHEDULE,
         REASON_NONE, false, false},
        {"ran after a dry-run", CONTROL_DRY_RUN, 1, false, DECIDE_RUN, TRIGGER_SCHEDULE,
         REASON_NONE, true, false},
        {"dry-run without one", CONTROL_DRY_RUN, 0, false, DECIDE_DRY_RUN, TRIGGER_SCHEDULE,
         REASON_NONE, false, true},
        {"dry-run by hand", CONTROL_DRY_RUN, 0, false, DECIDE_DRY_RUN, TRIGGER_MANUAL, REASON_NONE,
         false, false},
        {"ran on a node in dry-run", CONTROL_DRY_RUN, 0, true, DECIDE_RUN, TRIGGER_SCHEDULE,
         REASON_NONE, false, true},
        {"dry-run on a node in dry-run", CONTROL_DRY_RUN, 0, true, DECIDE_DRY_RUN, TRIGGER_SCHEDULE,
         REASON_NONE, false, false},
        {"skipped as throttled", CONTROL_THROTTLE, 3, false, DECIDE_SKIP, TRIGGER_SCHEDULE,
         REASON_THROTTLED, false, false},
        {"skipped as throttled, and was not", CONTROL_THROTTLE, 0, false, DECIDE_SKIP,
         TRIGGER_SCHEDULE, REASON_THROTTLED, false, true},
    };
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        try_act(**(enum ledger_kind **)state, &acts[i]);
    }
}

// The pause went with the slots that were skipped for it; the audit of them is kept for longer.
static void test_controls_go_before_the_audit(void **state)
{
    struct ledger ledger;
    ledger_open(&ledger, **(enum ledger_kind **)state);
    ledger_join(&ledger, false);
    ledger_publish(&ledger);
    ledger_wait(&ledger, 10);
    ledger_control(&ledger, CONTROL_PAUSE, "minute", 1);
    ledger_wait(&ledger, 51);
    ledger_skip(&ledger, ledger.minute_job, MINUTE(1), REASON_PAUSED);
    ledger_wait(&ledger, 30);
    ledger_control(&ledger, CONTROL_PAUSE, "minute", 0);
    ledger_wait(&ledger, 600);
    ledger_expect(&ledger, "all is kept", 0);
    ledger_seal(&ledger);
    ledger_prune(&ledger, MINUTE(9), 0);
    ledger_expect(&ledger, "the audit is kept", 0);
    ledger_wait(&ledger, 60);
    ledger_skip(&ledger, ledger.minute_job, MINUTE(12), REASON_PAUSED);
    ledger_expect(&ledger, "a later one is judged",
                  KIND(VERIFY_SLOT_POLICY) | KIND(VERIFY_SLOT_GAP));
    ledger_close(&ledger);
}

// The run and its beginning are pruned, the record of its end is not: the store had been away.
static void test_an_end_that_was_recorded_late(void **state)
{
    struct ledger ledger;
    ledger_open(&ledger, **(enum ledger_kind **)state);
    ledger_join(&ledger, false);
    ledger_publish(&ledger);
    ledger_wait(&ledger, 61);
    struct store_slot slot = ledger_decide(&ledger, ledger.minute_job, MINUTE(1), DECIDE_RUN,
                                           TRIGGER_SCHEDULE, 1, REASON_NONE);
    ledger_wait(&ledger, 600);
    ledger_end(&ledger, &slot, RUN_SUCCESS, 0);
    ledger_seal(&ledger);
    ledger_expect(&ledger, "all is kept", 0);
    ledger_prune(&ledger, MINUTE(5), MINUTE(5));
    ledger_expect(&ledger, "only the end is kept", 0);
    ledger_close(&ledger);
}

// Only the first thousand are kept, all are counted.
static void test_many_findings(void **state)
{
    struct ledger ledger;
    ledger_open(&ledger, **(enum ledger_kind **)state);
    ledger_join(&ledger, false);
    ledger_publish(&ledger);
    ledger_wait(&ledger, 6000 * 60);
    ledger_run(&ledger, ledger.minute_job, MINUTE(6000), RUN_SUCCESS);
    struct verify_options options = {.since = INSTANT_NONE};
    struct verify_report report;
    struct error err = ERROR_INIT;
    assert_true(verify_store(ledger.store, &options, &report, &err));
    assert_int_equal(report.finding_count, 1000);
    assert_int_equal(report.finding_total, 5999);
    assert_string_equal(report.findings[0].job, "minute");
    assert_int_equal(instant_unix(report.findings[0].at), MINUTE(1));
    verify_report_release(&report);
    ledger_close(&ledger);
}

// What comes of a ledger of which somebody has seen that row; the report's head on the way out.
static size_t count_with(struct ledger *ledger, const struct verify_seen *seen,
                         struct verify_seen *head_out)
{
    struct verify_options options = {.since = INSTANT_NONE, .seen = {*seen}, .seen_count = 1};
    struct verify_report report;
    struct error err = ERROR_INIT;
    assert_true(verify_store(ledger->store, &options, &report, &err));
    size_t total = report.finding_total;
    if (total > 0) {
        assert_non_null(strstr(report.findings[0].text, seen->by));
    }
    *head_out = (struct verify_seen){.by = "the test", .seq = report.head_seq};
    memcpy(head_out->hash, report.head_hash, sizeof head_out->hash);
    verify_report_release(&report);
    return total;
}

static void test_what_was_seen(void **state)
{
    struct ledger ledger;
    struct verify_seen first, second, now;
    ledger_open(&ledger, **(enum ledger_kind **)state);
    ledger_join(&ledger, false);
    ledger_publish(&ledger);
    ledger_seal(&ledger);
    assert_int_equal(count_with(&ledger, &(struct verify_seen){.seq = 0}, &first), 0);
    assert_true(first.seq > 0);
    ledger_wait(&ledger, 61);
    ledger_run(&ledger, ledger.minute_job, MINUTE(1), RUN_SUCCESS);
    ledger_seal(&ledger);
    assert_int_equal(count_with(&ledger, &first, &second), 0);
    assert_int_equal(count_with(&ledger, &second, &now), 0);
    second.hash[31] ^= 1; // another chain of that length
    assert_int_equal(count_with(&ledger, &second, &now), 1);
    second.hash[31] ^= 1;
    second.seq += 3; // it was longer once
    assert_int_equal(count_with(&ledger, &second, &now), 1);
    second.seq -= 3;
    ledger_prune(&ledger, 0, MINUTE(9));
    assert_int_equal(count_with(&ledger, &second, &now), 0); // as the anchor
    assert_int_equal(count_with(&ledger, &first, &now), 1);
    first.may_be_pruned = true;
    assert_int_equal(count_with(&ledger, &first, &now), 0);
    second.hash[0] ^= 1;
    assert_int_equal(count_with(&ledger, &second, &now), 1);
    ledger_close(&ledger);
}

static enum ledger_kind model = LEDGER_MODEL;
static enum ledger_kind sqlite = LEDGER_SQLITE;

static int use_model(void **state)
{
    static enum ledger_kind *kind = &model;
    *state = &kind;
    return 0;
}

static int use_sqlite(void **state)
{
    static enum ledger_kind *kind = &sqlite;
    *state = &kind;
    return 0;
}

#define ON_BOTH(test)                                                                              \
    {#test " (model)", test, use_model, NULL, NULL},                                               \
    {                                                                                              \
#test " (sqlite)", test, use_sqlite, NULL, NULL                                            \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_good_ledger),
        ON_BOTH(test_good_in_part),
        ON_BOTH(test_running),
        ON_BOTH(test_gap),
        ON_BOTH(test_extra),
        ON_BOTH(test_policy),
        ON_BOTH(test_controls_go_before_the_audit),
        ON_BOTH(test_an_end_that_was_recorded_late),
        ON_BOTH(test_many_findings),
        ON_BOTH(test_what_was_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
