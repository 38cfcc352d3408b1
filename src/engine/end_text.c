// SPDX-License-Identifier: MIT
// How a run ended, in a sentence: the `error` of its row.
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "engine/engine_private.h"
#include "time/format.h"

// A shell's exit code that stands for something else (POSIX.1-2017, XCU 2.8.2).
#define SHELL_NOT_EXECUTABLE 126
#define SHELL_NOT_FOUND      127
#define SHELL_SIGNALS        128
#define SIGNAL_LAST          64

static void tell_exit(int code, char *out, size_t size)
{
    int signal = code - SHELL_SIGNALS;
    if (code == SHELL_NOT_EXECUTABLE) {
        snprintf(out, size,
                 "exit code 126, which a shell gives where a program may not be executed");
    } else if (code == SHELL_NOT_FOUND) {
        snprintf(out, size, "exit code 127, which a shell gives where a command is not found");
    } else if (signal >= 1 && signal <= SIGNAL_LAST) {
        snprintf(out, size,
                 "exit code %d, which a shell gives where a program was ended by signal %d (%s)",
                 code, signal, strsignal(signal));
    } else {
        snprintf(out, size, "exit code %d", code);
    }
}

static void tell_signal(const struct job *job, int signal, char *out, size_t size)
{
    const char *name = strsignal(signal);
    long long limit = (long long)job->command->limits.cpu_time;
    if (signal == SIGKILL) {
        snprintf(out, size,
                 "ended by signal %d (%s), and not by ironcron: where memory ran out, dmesg tells",
                 signal, name);
    } else if (signal == SIGXCPU && limit > 0) {
        snprintf(out, size, "ended by signal %d (%s): limits.cpu_time is %llds", signal, name,
                 limit);
    } else {
        snprintf(out, size, "ended by signal %d (%s)", signal, name);
    }
}

void end_text(const struct job *job, const char *cancelled_by, bool has_process,
              const struct runner_end *end, char *out, size_t size)
{
    char limit[FORMAT_DURATION_SIZE];
    format_duration(job->timeout, limit);
    if (end->error != NULL && end->kind != RUNNER_CANCELLED) {
        snprintf(out, size, "%s", end->error);
        return;
    }
    switch (end->kind) {
    case RUNNER_SUCCEEDED:
    case RUNNER_FAILED:
        snprintf(out, size, "failed, and nothing says why");
        break;
    case RUNNER_EXITED:
        tell_exit(end->exit_code, out, size);
        break;
    case RUNNER_SIGNALLED:
        tell_signal(job, end->signal, out, size);
        break;
    case RUNNER_TIMED_OUT:
        snprintf(out, size, "not done after its timeout of %s; all its processes were ended",
                 limit);
        break;
    case RUNNER_CANCELLED:
        snprintf(out, size, "cancelled by %s%s%s", cancelled_by == NULL ? "?" : cancelled_by,
                 end->error == NULL || has_process ? "" : "; ",
                 end->error == NULL || has_process ? "" : end->error);
        break;
    case RUNNER_SPAWN_FAILED:
        snprintf(out, size, "could not be started; `ironcron validate` tells more");
        break;
    case RUNNER_GONE:
        snprintf(out, size, "the runner process died, and with it all that it ran");
        break;
    }
}
