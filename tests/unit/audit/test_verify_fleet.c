// SPDX-License-Identifier: MIT
// The verification of a ledger that several nodes write: whose open runs go on, and whose dry-run
// was everybody's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "ledger.h"
#include "store/model/model_store.h"

static struct uuid join(struct ledger *ledger, uint8_t number, bool dry_run)
{
    struct store_op_join join = {.op = {.kind = STORE_JOIN},
                                 .node = {{number}},
                                 .host = "night.example",
                                 .version = "1",
                                 .detail = dry_run ? "{\"dry_run\":true}" : "{\"dry_run\":false}",
                                 .lease = DURATION_S(60),
                                 .grace = DURATION_S(10),
                                 .dry_run = dry_run};
    struct error err = ERROR_INIT;
    assert_true(store_call(ledger->store, &join.op, &err));
    store_op_release(&join.op);
    return join.node;
}

static void beat(struct ledger *ledger, struct uuid node)
{
    struct store_op_beat beat = {.op = {.kind = STORE_BEAT}, .node = node};
    struct error err = ERROR_INIT;
    assert_true(store_call(ledger->store, &beat.op, &err));
    store_op_release(&beat.op);
}

// Each node has a run that goes on.
static void test_each_live_node_runs_its_own(void **state)
{
    (void)state;
    struct ledger ledger;
    ledger_open(&ledger, LEDGER_MODEL);
    struct uuid nodes[] = {join(&ledger, 1, false), join(&ledger, 2, false),
                           join(&ledger, 3, false)};
    ledger.node = nodes[0];
    ledger_publish(&ledger);
    for (size_t i = 0; i < ARRAY_LENGTH(nodes); i++) {
        ledger.node = nodes[i];
        ledger_wait(&ledger, 1);
        ledger_decide(&ledger, ledger.boot_job, ledger_now(&ledger), DECIDE_RUN, TRIGGER_MANUAL, 1,
                      REASON_NONE);
    }
    ledger_wait(&ledger, 30); // what is new could be of a node that joined meanwhile
    ledger.node = nodes[0];
    ledger_decide(&ledger, ledger.boot_job, ledger_now(&ledger), DECIDE_DRY_RUN, TRIGGER_MANUAL, 1,
                  REASON_NONE);
    ledger_seal(&ledger);
    ledger_expect_since(&ledger, "three nodes, three runs", 0, true, INSTANT_NONE);
    ledger_expect(&ledger, "no node, three runs", KIND(VERIFY_RUN_NOT_ENDED));
    ledger_close(&ledger);
}

static unsigned kinds_of(struct ledger *ledger)
{
    struct verify_report report;
    struct verify_options options = {.since = INSTANT_NONE};
    struct error err = ERROR_INIT;
    ledger_seal(ledger);
    assert_true(verify_store(ledger->store, &options, &report, &err));
    unsigned kinds = 0;
    for (size_t i = 0; i < report.finding_count; i++) {
        kinds |= KIND(report.findings[i].kind);
    }
    verify_report_release(&report);
    return kinds;
}

// A node that is not in dry-run, beside one that is: from `at` seconds after its start on.
static unsigned kinds_beside_dry(int64_t at, enum store_decision decision)
{
    struct ledger ledger;
    ledger_open(&ledger, LEDGER_MODEL);
    struct uuid live = join(&ledger, 1, false);
    ledger.node = live;
    ledger_publish(&ledger);
    struct uuid dry = join(&ledger, 2, true);
    ledger_wait(&ledger, at);
    struct store_slot slot = ledger_decide(&ledger, ledger.minute_job, LEDGER_START + 60, decision,
                                           TRIGGER_SCHEDULE, 1, REASON_NONE);
    if (decision == DECIDE_RUN) {
        ledger_end(&ledger, &slot, RUN_SUCCESS, 0);
    }
    ledger_wait(&ledger, 5);
    beat(&ledger, dry);
    unsigned kinds = kinds_of(&ledger);
    ledger_close(&ledger);
    return kinds;
}

static void test_one_dry_run_is_everybodys(void **state)
{
    (void)state;
    assert_int_equal(kinds_beside_dry(60, DECIDE_DRY_RUN), 0);
    assert_int_equal(kinds_beside_dry(60, DECIDE_RUN), KIND(VERIFY_SLOT_POLICY));
}

static void fence(struct ledger *ledger, struct uuid by)
{
    struct store_op_fence fence = {.op = {.kind = STORE_FENCE}, .node = by, .fencing_id = {{9}}};
    struct error err = ERROR_INIT;
    assert_true(store_call(ledger->store, &fence.op, &err));
    assert_int_equal(fence.fenced_count, 1);
    store_op_release(&fence.op);
}

// A node in dry-run has died; the store was away, so that it is fenced only much later. Until then
// all are in dry-run, and no more when that has been `over` for some seconds.
static unsigned kinds_after_an_outage(bool over)
{
    struct ledger ledger;
    ledger_open(&ledger, LEDGER_MODEL);
    struct uuid live = join(&ledger, 1, false);
    (void)join(&ledger, 2, true);
    ledger.node = live;
    ledger_publish(&ledger);
    ledger_wait(&ledger, 200);
    model_store_up_since(ledger.store, instant_from_unix(ledger_now(&ledger)));
    beat(&ledger, live);
    ledger_wait(&ledger, 60);
    beat(&ledger, live);
    if (!over) {
        ledger_decide(&ledger, ledger.boot_job, ledger_now(&ledger), DECIDE_DRY_RUN,
                      TRIGGER_SCHEDULE, 1, REASON_NONE);
    }
    ledger_wait(&ledger, 20);
    fence(&ledger, live);
    ledger_wait(&ledger, 20);
    if (over) {
        ledger_decide(&ledger, ledger.boot_job, ledger_now(&ledger), DECIDE_DRY_RUN,
                      TRIGGER_SCHEDULE, 1, REASON_NONE);
    }
    unsigned kinds = kinds_of(&ledger);
    ledger_close(&ledger);
    return kinds & KIND(VERIFY_SLOT_POLICY);
}

static void test_the_dry_run_of_a_dead_node_lasts_until_it_is_fenced(void **state)
{
    (void)state;
    assert_int_equal(kinds_after_an_outage(false), 0);
    assert_int_equal(kinds_after_an_outage(true), KIND(VERIFY_SLOT_POLICY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_live_node_runs_its_own),
        cmocka_unit_test(test_one_dry_run_is_everybodys),
        cmocka_unit_test(test_the_dry_run_of_a_dead_node_lasts_until_it_is_fenced)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
