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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_while_it_is_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
