// SPDX-License-Identifier: MIT
#include "harness.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "time/clock.h"

struct mono harness_now(void)
{
    return clock_mono(clock_system());
}

struct outcome *harness_outcome(struct harness *harness, uint64_t run)
{
    for (size_t i = 0; i < harness->count; i++) {
        if (harness->outcomes[i].run == run) {
            return &harness->outcomes[i];
        }
    }
    fail_msg("no run %llu", (unsigned long long)run);
    return NULL;
}

static void on_started(void *context, uint64_t run, int pid)
{
    struct outcome *outcome = harness_outcome(context, run);
    assert_int_equal(outcome->pid, 0);
    assert_false(outcome->ended);
    outcome->pid = pid;
}

static void on_output(void *context, uint64_t run, const char *bytes, size_t length)
{
    struct outcome *outcome = harness_outcome(context, run);
    assert_false(outcome->ended);
    assert_true(length > 0);
    buf_add(&outcome->output, bytes, length);
    assert_false(outcome->output.overflow);
}

static void on_end(void *context, uint64_t run, const struct runner_end *end)
{
    struct harness *harness = context;
    struct outcome *outcome = harness_outcome(harness, run);
    assert_false(outcome->ended);
    outcome->ended = true;
    outcome->end = *end;
    if (end->error != NULL) {
        snprintf(outcome->error, sizeof outcome->error, "%s", end->error);
        outcome->end.error = outcome->error;
    }
    if (end->report != NULL) {
        snprintf(outcome->report, sizeof outcome->report, "%s", end->report);
        outcome->end.report = outcome->report;
    }
    harness->ended++;
}

static struct harness the_harness;

struct harness *harness_open(int64_t output_max, int lock_fd, struct mono deadline)
{
    struct harness *harness = &the_harness;
    struct process_runner_options options = {
        .lock_fd = lock_fd, .output_max = output_max, .deadline = deadline};
    struct error err = ERROR_INIT;
    *harness = (struct harness){.alive = true};
    if (!process_runner_new(&options, &harness->runner, &err)) {
        fail_msg("%s", err.text);
    }
    harness->runner->events = (struct runner_events){
        .context = harness, .on_started = on_started, .on_output = on_output, .on_end = on_end};
    return harness;
}

void harness_close(struct harness *harness)
{
    process_runner_free(harness->runner);
    for (size_t i = 0; i < harness->count; i++) {
        buf_release(&harness->outcomes[i].output);
    }
    free(harness->outcomes);
    *harness = (struct harness){0};
}

int harness_teardown(void **state)
{
    (void)state;
    if (the_harness.runner != NULL) {
        harness_close(&the_harness);
    }
    return 0;
}

bool harness_try_start(struct harness *harness, const struct task *task, uint64_t run,
                       struct error *err)
{
    const char *shell[] = {"/bin/sh", "-c", task->shell, NULL};
    const struct job_command command = {.argv = task->shell != NULL ? shell : task->argv,
                                        .user = task->user,
                                        .workdir = task->workdir,
                                        .env = task->env,
                                        .pass_env = task->pass_env,
                                        .input = task->input,
                                        .limits = task->limits};
    const struct job job = {.name = "test-job",
                            .command = &command,
                            .timeout = task->timeout,
                            .kill_after = task->kill_after};
    const struct runner_start start = {.run = run,
                                       .job = &job,
                                       .run_id = {{1, 2, 3, 4, (uint8_t)(run >> 8), (uint8_t)run}},
                                       .due_at = instant_from_unix(1795488300),
                                       .attempt = 2,
                                       .fence = 77,
                                       .params = task->params};
    return harness->runner->ops->start(harness->runner, &start, err);
}

uint64_t harness_start(struct harness *harness, const struct task *task)
{
    struct error err = ERROR_INIT;
    ARRAY_RESERVE(harness->outcomes, harness->count, harness->capacity);
    uint64_t run = harness->count + 1;
    struct outcome *outcome = &harness->outcomes[harness->count++];
    *outcome = (struct outcome){.run = run};
    buf_init(&outcome->output, (size_t)64 * 1024 * 1024);
    if (!harness_try_start(harness, task, run, &err)) {
        fail_msg("%s", err.text);
    }
    return run;
}

void harness_stop(struct harness *harness, uint64_t run, bool at_once)
{
    harness->runner->ops->stop(harness->runner, run, at_once);
}

void harness_turn(struct harness *harness, int ms)
{
    short interest = POLLIN;
    if (process_runner_wants_write(harness->runner)) {
        process_runner_write(harness->runner);
        interest |= process_runner_wants_write(harness->runner) ? POLLOUT : 0;
    }
    struct pollfd ready = {.fd = process_runner_fd(harness->runner), .events = interest};
    if (poll(&ready, 1, ms) == 1 && (ready.revents & ~POLLOUT) != 0 && !harness->deaf) {
        harness->alive = process_runner_read(harness->runner);
    }
}

struct outcome *harness_wait(struct harness *harness, uint64_t run)
{
    struct mono until = mono_add(harness_now(), DURATION_S(PATIENCE_S));
    while (!harness_outcome(harness, run)->ended) {
        if (!mono_before(harness_now(), until)) {
            fail_msg("run %llu did not end", (unsigned long long)run);
        }
        harness_turn(harness, 1000);
    }
    return harness_outcome(harness, run);
}

void harness_wait_output(struct harness *harness, uint64_t run, const char *text)
{
    struct mono until = mono_add(harness_now(), DURATION_S(PATIENCE_S));
    while (strstr(buf_string(&harness_outcome(harness, run)->output), text) == NULL) {
        struct outcome *outcome = harness_outcome(harness, run);
        if (outcome->ended || !mono_before(harness_now(), until)) {
            fail_msg("run %llu never wrote '%s' but '%s' (%s)", (unsigned long long)run, text,
                     buf_string(&outcome->output), outcome->error);
        }
        harness_turn(harness, 1000);
    }
}

struct outcome *harness_run(struct harness *harness, const struct task *task)
{
    return harness_wait(harness, harness_start(harness, task));
}

static char state_of(int pid)
{
    char path[64];
    char text[1024] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    const char *behind = n > 0 ? strrchr(text, ')') : NULL;
    return behind == NULL ? 0 : behind[2];
}

bool harness_pid_lives(int pid)
{
    char state = state_of(pid);
    return state != 0 && state != 'Z' && state != 'X';
}

void harness_until(bool (*condition)(void *context), void *context, const char *what)
{
    struct mono until = mono_add(harness_now(), DURATION_S(PATIENCE_S));
    while (!condition(context)) {
        if (!mono_before(harness_now(), until)) {
            fail_msg("never: %s", what);
        }
        poll(NULL, 0, 5);
    }
}

static bool command_line_has(int pid, const char *text, bool sleeps)
{
    char path[64];
    char line[4096];
    char exact[64];
    int exact_length = snprintf(exact, sizeof exact, "sleep%c%s", 0, text) + 1;
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, line, sizeof line);
    close(fd);
    if (sleeps) {
        return n == exact_length && memcmp(line, exact, (size_t)n) == 0;
    }
    return n > 0 && memmem(line, (size_t)n, text, strlen(text)) != NULL;
}

static int count_processes(const char *text, bool sleeps)
{
    int count = 0;
    DIR *directory = opendir("/proc");
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            int pid = (int)strtol(entry->d_name, NULL, 10);
            count += command_line_has(pid, text, sleeps) && harness_pid_lives(pid);
        }
    }
    closedir(directory);
    return count;
}

int harness_count_processes(const char *text)
{
    return count_processes(text, false);
}

int harness_count_sleeps(const char *seconds)
{
    return count_processes(seconds, true);
}

int harness_count_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}
