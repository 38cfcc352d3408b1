// SPDX-License-Identifier: MIT
// The last words of a run: what happened, and where to look.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine_private.h"

static const struct job_command limited = {.limits = {.cpu_time = 300}};
static const struct job_command plain;
static const struct job job = {.name = "j", .command = &limited, .timeout = {90000000}};
static const struct job other = {.name = "j", .command = &plain};

static const struct ending {
    const struct job *job;
    struct runner_end end;
    const char *by;
    bool has_process;
    const char *text;
} endings[] = {
    {&job, {.kind = RUNNER_EXITED, .exit_code = 3}, NULL, true, "exit code 3"},
    {&job,
     {.kind = RUNNER_EXITED, .exit_code = 126},
     NULL,
     true,
     "exit code 126, which a shell gives where a program may not be executed"},
    {&job,
     {.kind = RUNNER_EXITED, .exit_code = 127},
     NULL,
     true,
     "exit code 127, which a shell gives where a command is not found"},
    {&job, {.kind = RUNNER_EXITED, .exit_code = 128}, NULL, true, "exit code 128"},
    {&job,
     {.kind = RUNNER_EXITED, .exit_code = 143},
     NULL,
     true,
     "exit code 143, which a shell gives where a program was ended by signal 15 (Terminated)"},
    {&job, {.kind = RUNNER_EXITED, .exit_code = 255}, NULL, true, "exit code 255"},
    {&job,
     {.kind = RUNNER_SIGNALLED, .signal = SIGKILL},
     NULL,
     true,
     "ended by signal 9 (Killed), and not by ironcron: where memory ran out, dmesg tells"},
    {&job,
     {.kind = RUNNER_SIGNALLED, .signal = SIGXCPU},
     NULL,
     true,
     "ended by signal 24 (CPU time limit exceeded): limits.cpu_time is 300s"},
    {&other,
     {.kind = RUNNER_SIGNALLED, .signal = SIGXCPU},
     NULL,
     true,
     "ended by signal 24 (CPU time limit exceeded)"},
    {&job,
     {.kind = RUNNER_TIMED_OUT},
     NULL,
     true,
     "not done after its timeout of 1m30s; all its processes were ended"},
    {&job, {.kind = RUNNER_FAILED, .error = "no such table: t"}, NULL, false, "no such table: t"},
    {&job,
     {.kind = RUNNER_CANCELLED, .error = "rolled back"},
     "anna@host: wrong input",
     false,
     "cancelled by anna@host: wrong input; rolled back"},
    {&job,
     {.kind = RUNNER_CANCELLED, .error = "exit code 1"},
     "anna@host",
     true,
     "cancelled by anna@host"},
    {&job,
     {.kind = RUNNER_GONE},
     NULL,
     true,
     "the runner process died, and with it all that it ran"},
};

static void each_end_has_its_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const struct ending *ending = &endings[i];
        char text[512];
        end_text(ending->job, ending->by, ending->has_process, &ending->end, text, sizeof text);
        assert_string_equal(text, ending->text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_end_has_its_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
