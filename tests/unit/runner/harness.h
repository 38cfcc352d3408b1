// SPDX-License-Identifier: MIT
// A scheduler reduced to what the runner port needs: it starts jobs on a real runner process,
// records what is reported, and waits with a deadline.
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "runner/process_runner.h"

#define PATIENCE_S 60 // how long anything may take on a slow, busy machine before a test fails

struct outcome { // of one run
    uint64_t run;
    int pid; // 0 = never started
    bool ended;
    struct runner_end end; // end.error points to `error`
    char error[2048];
    char report[16384]; // end.report points there
    struct buf output;
};

struct harness {
    struct runner *runner;
    struct outcome *outcomes;
    size_t count, capacity;
    size_t ended;
    bool alive;
    bool deaf; // does not read what the runner says
};

// What a test says about a job; zero is a good default everywhere.
struct task {
    const char *const *argv; // or:
    const char *shell;
    const char *user, *workdir, *input;
    const struct job_variable *env, *params;
    const char *const *pass_env;
    struct job_limits limits;
    struct duration timeout, kill_after;
};

// There is one at a time. A test that fails before it closes it is cleaned up after.
struct harness *harness_open(int64_t output_max, int lock_fd, struct mono deadline);
void harness_close(struct harness *harness);
int harness_teardown(void **state);
#define HARNESS_TEST(function) cmocka_unit_test_teardown(function, harness_teardown)

// Returns the run's number; asserts that the start was accepted.
uint64_t harness_start(struct harness *harness, const struct task *task);
bool harness_try_start(struct harness *harness, const struct task *task, uint64_t run,
                       struct error *err);
void harness_stop(struct harness *harness, uint64_t run, bool at_once);
// One turn of the loop: writes, waits up to `ms`, reads.
void harness_turn(struct harness *harness, int ms);
struct outcome *harness_wait(struct harness *harness, uint64_t run); // until it ended
struct outcome *harness_outcome(struct harness *harness, uint64_t run);
void harness_wait_output(struct harness *harness, uint64_t run, const char *text);
struct outcome *harness_run(struct harness *harness, const struct task *task); // start and wait

struct mono harness_now(void);
bool harness_pid_lives(int pid); // zombies do not
// Polls until the condition holds; fails the test with `what` when it never does.
void harness_until(bool (*condition)(void *context), void *context, const char *what);
// How many living processes have this text in their command line.
int harness_count_processes(const char *text);
// How many are `sleep SECONDS`: unlike the number of shells this does not depend on the shell.
int harness_count_sleeps(const char *seconds);
int harness_count_descriptors(void);
