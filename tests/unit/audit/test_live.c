// SPDX-License-Identifier: MIT
// The verification of a ledger that another process goes on writing meanwhile: half of a story is
// no fault.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ledger.h"

#define LAST_MINUTE 1000

// What the other process does: each minute's slots, a run that spans minutes, the seal.
static void write_night(struct ledger *ledger)
{
    for (int64_t minute = 10; minute <= LAST_MINUTE; minute += 10) {
        int64_t asked = ledger_now(ledger);
        struct store_slot slot = ledger_decide(ledger, ledger->five_job, asked, DECIDE_RUN,
                                               TRIGGER_MANUAL, 1, REASON_NONE);
        ledger_pass(ledger, minute - 5);
        if (minute % 20 == 0) {
            ledger_seal(ledger);
        }
        ledger_pass(ledger, minute);
        ledger_end(ledger, &slot, RUN_SUCCESS, 0);
    }
    ledger_seal(ledger);
}

static pid_t start_writer(struct ledger *ledger)
{
    pid_t pid = fork();
    if (pid != 0) {
        assert_true(pid > 0);
        return pid;
    }
    ledger_reopen(ledger, false);
    ledger_join(ledger, false);
    ledger_publish(ledger);
    write_night(ledger);
    store_close(ledger->store);
    _exit(0);
}

static void test_while_it_is_written(void **state)
{
    (void)state;
    struct ledger ledger;
    ledger_open(&ledger, LEDGER_SQLITE);
    // A connection must not be taken along into another process.
    store_close(ledger.store);
    ledger.store = NULL;
    pid_t writer = start_writer(&ledger);
    ledger_reopen(&ledger, true);
    int status = 0;
    int looks = 0;
    while (waitpid(writer, &status, WNOHANG) == 0) {
        char label[64];
        snprintf(label, sizeof label, "look %d while it is written", ++looks);
        ledger_expect_since(&ledger, label, 0, true, INSTANT_NONE);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(looks > 0);
    print_message("%d looks\n", looks);
    ledger_expect(&ledger, "at rest", 0);
    ledger_close(&ledger);
}

// A slot whose attempts fail one after the other: one step further with each look at the store.

#define ATTEMPTS 20

// A slot whose attempts fail one after the other, one step further each time that somebody looks.
static struct {
    struct ledger ledger;
    struct store_ops ops;
    const struct store_ops *real;
    struct store_slot slot;
    int attempt;
    bool runs;
} life;

static void live_on(void)
{
    if (life.real == NULL || life.attempt >= ATTEMPTS) {
        return;
    }
    const struct store_ops *watched = life.ledger.store->ops;
    life.ledger.store->ops = life.real;
    if (life.runs) {
        ledger_end(&life.ledger, &life.slot, RUN_FAILED, ledger_now(&life.ledger) + 1);
    } else {
        ledger_wait(&life.ledger, 1);
        life.slot = ledger_decide(&life.ledger, life.ledger.five_job, life.slot.due_at.us / 1000000,
                                  DECIDE_RUN, TRIGGER_RETRY, ++life.attempt, REASON_NONE);
    }
    life.runs = !life.runs;
    life.ledger.store->ops = watched;
}

static bool read_runs(struct store *store, const struct store_run_filter *filter,
                      store_run_fn *take, void *context, struct error *err)
{
    live_on();
    return life.real->read_runs(store, filter, take, context, err);
}

static bool read_slots(struct store *store, const struct store_slot_filter *filter,
                       store_slot_fn *take, void *context, struct error *err)
{
    live_on();
    return life.real->read_slots(store, filter, take, context, err);
}

// Who writes does so on the same connection: what is read is of many moments.
static bool reading_begins(struct store *store, struct error *err)
{
    (void)store;
    (void)err;
    return true;
}

static void submit(struct store *store, struct store_op *op)
{
    life.real->submit(store, op);
    if (op->kind == STORE_LOAD) {
        live_on();
    }
}

static void verify_amid_attempts(enum ledger_kind kind, bool first_has_ended)
{
    struct ledger *ledger = &life.ledger;
    ledger_open(ledger, kind);
    ledger_join(ledger, false);
    ledger_publish(ledger);
    ledger_pass(ledger, 9);
    ledger_wait(ledger, 60);
    life.attempt = 1;
    life.runs = true;
    life.slot = ledger_decide(ledger, ledger->five_job, LEDGER_START + 600, DECIDE_RUN,
                              TRIGGER_SCHEDULE, 1, REASON_NONE);
    life.real = ledger->store->ops;
    if (first_has_ended) {
        live_on();
    }
    life.ops = *life.real;
    life.ops.read_runs = read_runs;
    life.ops.read_slots = read_slots;
    life.ops.submit = submit;
    life.ops.reading_begins = reading_begins;
    ledger->store->ops = &life.ops;
    ledger_expect_since(ledger, ledger_kind_names[kind], 0, true, INSTANT_NONE);
    assert_true(life.attempt > 1);
    ledger->store->ops = life.real;
    life.real = NULL;
    ledger_close(ledger);
}

static void test_attempts_follow_each_other(void **state)
{
    (void)state;
    for (int kind = LEDGER_MODEL; kind <= LEDGER_SQLITE; kind++) {
        verify_amid_attempts(kind, false);
        verify_amid_attempts(kind, true);
    }
}

// History goes while it is verified, by another connection, before each look at a table.

static struct {
    struct ledger writer;
    const struct store_ops *real;
    struct store_ops ops;
    int64_t before;
} history;

static void prune_more(void)
{
    history.before += 600;
    ledger_prune(&history.writer, history.before, history.before);
}

static bool read_slots_of_history(struct store *store, const struct store_slot_filter *filter,
                                  store_slot_fn *take, void *context, struct error *err)
{
    prune_more();
    return history.real->read_slots(store, filter, take, context, err);
}

static bool read_audit_of_history(struct store *store, const struct store_audit_filter *filter,
                                  store_audit_fn *take, void *context, struct error *err)
{
    prune_more();
    return history.real->read_audit(store, filter, take, context, err);
}

static void test_while_history_is_pruned(void **state)
{
    (void)state;
    struct ledger ledger;
    ledger_open(&ledger, LEDGER_SQLITE);
    ledger_fill(&ledger);
    history.writer = ledger;
    ledger.store = NULL;
    ledger_reopen(&ledger, true);
    history.before = LEDGER_START;
    prune_more(); // what is pruned already is no news
    history.real = ledger.store->ops;
    history.ops = *history.real;
    history.ops.read_slots = read_slots_of_history;
    history.ops.read_audit = read_audit_of_history;
    ledger.store->ops = &history.ops;
    ledger_expect(&ledger, "while history is pruned", 0);
    ledger.store->ops = history.real;
    assert_true(history.before >= LEDGER_START + 4 * 600);
    ledger_expect(&ledger, "afterwards", 0);
    store_close(history.writer.store);
    ledger_close(&ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_while_it_is_written),
                                       cmocka_unit_test(test_attempts_follow_each_other),
                                       cmocka_unit_test(test_while_history_is_pruned)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
