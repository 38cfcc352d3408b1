// SPDX-License-Identifier: MIT
// Runs on a real runner process: how they end, with which environment, limits and user.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define OUTPUT_MAX 65536

static void test_ends(void **state)
{
    (void)state;
    static const struct {
        const char *shell;
        enum runner_end_kind kind;
        int exit_code, signal;
        const char *output;
    } cases[] = {
        {"exit 0", RUNNER_EXITED, 0, 0, ""},
        {"echo one; echo two >&2", RUNNER_EXITED, 0, 0, "one\ntwo\n"},
        {"exit 3", RUNNER_EXITED, 3, 0, ""},
        {"exit 255", RUNNER_EXITED, 255, 0, ""},
        {"kill -9 $$", RUNNER_SIGNALLED, 0, SIGKILL, ""},
        {"kill -SEGV $$", RUNNER_SIGNALLED, 0, SIGSEGV, ""},
        {"echo x; kill -TERM $$", RUNNER_SIGNALLED, 0, SIGTERM, "x\n"},
        {"exec 1>&- 2>&-; sleep 0.1; exit 4", RUNNER_EXITED, 4, 0, ""},
        {"cat; exit 5", RUNNER_EXITED, 5, 0, ""}, // standard input is empty
        {"ulimit -c", RUNNER_EXITED, 0, 0, "0\n"},
        {"umask", RUNNER_EXITED, 0, 0, "0022\n"},
        {"ls /proc/self/fd | tr '\\n' ' '", RUNNER_EXITED, 0, 0, "0 1 2 3 "}, // 3 is ls's own
        {"grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f 2 | sort -u", RUNNER_EXITED, 0, 0,
         "0000000000000000\n"},
    };
    struct harness harness;
    harness_open(&harness, OUTPUT_MAX, -1, MONO_NEVER);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct outcome *outcome =
            harness_run(&harness, &(struct task){.shell = cases[i].shell});
        if (outcome->end.kind != cases[i].kind || outcome->end.exit_code != cases[i].exit_code ||
            outcome->end.signal != cases[i].signal || outcome->pid == 0 ||
            strcmp(buf_string(&outcome->output), cases[i].output) != 0 ||
            outcome->end.output_bytes != (int64_t)strlen(cases[i].output)) {
            fail_msg("%s: kind %d, exit code %d, signal %d, output '%s' (%s)", cases[i].shell,
                     outcome->end.kind, outcome->end.exit_code, outcome->end.signal,
                     buf_string(&outcome->output), outcome->error);
        }
        assert_int_equal(outcome->end.leftovers, 0);
        assert_true(outcome->end.memory_peak > 0);
    }
    harness_close(&harness);
}

static void test_timeout_kills_the_deaf(void **state)
{
    (void)state;
    struct harness harness;
    harness_open(&harness, OUTPUT_MAX, -1, MONO_NEVER);
    const struct outcome *outcome = harness_run(
        &harness, &(struct task){.shell = "trap '' TERM; sleep 987654 & sleep 987654; sleep 987654",
                                 .timeout = DURATION_MS(200),
                                 .kill_after = DURATION_MS(200)});
    assert_int_equal(outcome->end.kind, RUNNER_TIMED_OUT);
    assert_int_equal(harness_count_processes("987654"), 0);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_timeout_kills_the_deaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
