// SPDX-License-Identifier: MIT
// What happens to running jobs when the scheduler or the runner dies or stands still: nothing of
// them stays, and the node's lock is let go only afterwards.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define RUNS 5

static char marker[32];
static char job[512];

// Five sleeps a run: plain, deaf to TERM, without session and environment, behind another, and
// itself.
#define SLEEPS 5
static void make_job(void)
{
    snprintf(marker, sizeof marker, "66%d", getpid());
    snprintf(job, sizeof job,
             "sleep %s & (trap '' TERM; exec sleep %s) & "
             "(setsid env -i /bin/sh -c 'trap \"\" TERM HUP; exec sleep %s' <&- >&- 2>&- &); "
             "setsid -f sleep %s; exec sleep %s",
             marker, marker, marker, marker, marker);
}

// ---- the node's lock ----------------------------------------------------------------------------

static char lock_path[256];

static void lock_new(void)
{
    const char *folder = getenv("TMPDIR");
    snprintf(lock_path, sizeof lock_path, "%.200s/ironcron-lock-XXXXXX",
             folder == NULL ? "/tmp" : folder);
    int fd = mkstemp(lock_path);
    assert_true(fd >= 0);
    close(fd);
}

static int lock_take(void)
{
    int fd = open(lock_path, O_RDWR | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool lock_is_free(void *context)
{
    (void)context;
    int fd = lock_take();
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

// ---- a scheduler of its own ---------------------------------------------------------------------

struct scheduler {
    pid_t pid;
    int fd; // what it tells
};

struct scheduler_plan {
    struct duration trust; // how long each feed reaches; 0 = for ever
    bool keeps_lock;
};

static struct mono trusted_until(const struct scheduler_plan *plan)
{
    return plan->trust.us == 0 ? MONO_NEVER : mono_add(harness_now(), plan->trust);
}

// Tells its runner's pid, starts the jobs, feeds; once all have ended it tells of how many of them
// the runner was gone.
static void scheduler_main(const struct scheduler_plan *plan, int tell_fd)
{
    int lock_fd = lock_take();
    struct harness *harness = harness_open(1000, lock_fd, trusted_until(plan));
    int pid = process_runner_pid(harness->runner);
    int gone = 0;
    if (!plan->keeps_lock) {
        close(lock_fd);
    }
    for (int i = 0; i < RUNS; i++) {
        harness_start(harness, &(struct task){.shell = job, .kill_after = DURATION_S(3600)});
    }
    (void)!write(tell_fd, &pid, sizeof pid);
    while (harness->ended < RUNS) {
        harness->runner->ops->feed(harness->runner, trusted_until(plan));
        harness_turn(harness, 20);
    }
    // Its word must be true at the moment it is given.
    int left = harness_count_sleeps(marker);
    for (uint64_t run = 1; run <= RUNS; run++) {
        gone += harness_outcome(harness, run)->end.kind == RUNNER_GONE;
    }
    int told[2] = {gone, left};
    (void)!write(tell_fd, told, sizeof told);
    harness_close(harness);
    _exit(0);
}

static bool jobs_are_up(void *context)
{
    (void)context;
    return harness_count_sleeps(marker) == RUNS * SLEEPS;
}

static bool jobs_are_gone(void *context)
{
    (void)context;
    return harness_count_processes(marker) == 0;
}

static bool is_gone(void *context)
{
    return !harness_pid_lives(*(int *)context);
}

// Returns when all jobs run; *runner_out is the runner's pid.
static struct scheduler scheduler_start(const struct scheduler_plan *plan, int *runner_out)
{
    int pair[2];
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    lock_new();
    struct scheduler scheduler = {.pid = fork(), .fd = pair[0]};
    assert_true(scheduler.pid >= 0);
    if (scheduler.pid == 0) {
        scheduler_main(plan, pair[1]);
    }
    close(pair[1]);
    assert_int_equal(read(scheduler.fd, runner_out, sizeof *runner_out), sizeof *runner_out);
    harness_until(jobs_are_up, NULL, "the jobs run");
    assert_false(lock_is_free(NULL));
    return scheduler;
}

static void scheduler_end(struct scheduler *scheduler, int signal)
{
    if (signal != 0) {
        assert_int_equal(kill(scheduler->pid, signal), 0);
    }
    assert_int_equal(waitpid(scheduler->pid, NULL, 0), scheduler->pid);
    close(scheduler->fd);
    unlink(lock_path);
}

static void expect_told(const struct scheduler *scheduler, int gone)
{
    int told[2] = {-1, -1};
    assert_int_equal(read(scheduler->fd, told, sizeof told), sizeof told);
    assert_int_equal(told[0], gone);
    assert_int_equal(told[1], 0);
}

// ---- the deaths ---------------------------------------------------------------------------------

static void test_scheduler_killed(void **state)
{
    (void)state;
    int runner = 0;
    struct scheduler scheduler =
        scheduler_start(&(struct scheduler_plan){.keeps_lock = true}, &runner);
    assert_int_equal(kill(scheduler.pid, SIGKILL), 0);
    // At the first moment at which another node may start, nothing of this one is left.
    harness_until(lock_is_free, NULL, "the lock is free");
    assert_int_equal(harness_count_processes(marker), 0);
    harness_until(is_gone, &runner, "the runner is gone");
    scheduler_end(&scheduler, 0);
}

static void test_runner_killed(void **state)
{
    (void)state;
    int runner = 0;
    struct scheduler scheduler =
        scheduler_start(&(struct scheduler_plan){.keeps_lock = true}, &runner);
    assert_int_equal(kill(runner, SIGKILL), 0);
    expect_told(&scheduler, RUNS);
    assert_int_equal(harness_count_processes(marker), 0);
    scheduler_end(&scheduler, 0);
}

static void test_scheduler_stands_still(void **state)
{
    (void)state;
    int runner = 0;
    // Longer than any hiccup of a busy machine between two feeds.
    struct scheduler scheduler =
        scheduler_start(&(struct scheduler_plan){.trust = DURATION_S(5)}, &runner);
    assert_int_equal(kill(scheduler.pid, SIGSTOP), 0);
    harness_until(lock_is_free, NULL, "the runner let the lock go at the deadline");
    assert_int_equal(harness_count_processes(marker), 0);
    harness_until(is_gone, &runner, "the runner is gone");
    // When it goes on it learns what happened.
    assert_int_equal(kill(scheduler.pid, SIGCONT), 0);
    expect_told(&scheduler, RUNS);
    scheduler_end(&scheduler, 0);
}

static void test_stopped_and_killed(void **state)
{
    (void)state;
    int runner = 0;
    struct scheduler scheduler =
        scheduler_start(&(struct scheduler_plan){.keeps_lock = true}, &runner);
    assert_int_equal(kill(scheduler.pid, SIGSTOP), 0);
    assert_int_equal(kill(scheduler.pid, SIGKILL), 0);
    harness_until(lock_is_free, NULL, "the lock is free");
    assert_int_equal(harness_count_processes(marker), 0);
    scheduler_end(&scheduler, 0);
}

// The runner is frozen by somebody, and the scheduler dies: it still must not let the lock go
// before the jobs are gone.
static void test_frozen_runner(void **state)
{
    (void)state;
    int runner = 0;
    struct scheduler scheduler =
        scheduler_start(&(struct scheduler_plan){.keeps_lock = true}, &runner);
    assert_int_equal(kill(runner, SIGSTOP), 0);
    assert_int_equal(kill(scheduler.pid, SIGKILL), 0);
    scheduler_end(&scheduler, 0);
    assert_int_equal(harness_count_sleeps(marker), RUNS * SLEEPS);
    assert_int_equal(kill(runner, SIGCONT), 0);
    harness_until(jobs_are_gone, NULL, "the jobs are gone");
    harness_until(is_gone, &runner, "the runner is gone");
}

// ---- seen from inside ---------------------------------------------------------------------------

static void test_no_start_after_death(void **state)
{
    (void)state;
    struct harness *harness = harness_open(1000, -1, MONO_NEVER);
    uint64_t run = harness_start(harness, &(struct task){.shell = job});
    assert_int_equal(kill(process_runner_pid(harness->runner), SIGKILL), 0);
    const struct outcome *outcome = harness_wait(harness, run);
    assert_int_equal(outcome->end.kind, RUNNER_GONE);
    assert_false(harness->alive);
    assert_int_equal(harness_count_processes(marker), 0);
    struct error err = ERROR_INIT;
    assert_false(harness_try_start(harness, &(struct task){.shell = ":"}, 99, &err));
    assert_string_equal(
        err.text, "cannot start job test-job: the runner process is gone; another one is being "
                  "started, then run it again");
    harness_stop(harness, run, true);
    harness->runner->ops->feed(harness->runner, MONO_NEVER);
    assert_false(process_runner_wants_write(harness->runner));
    assert_false(process_runner_read(harness->runner));
    harness_close(harness);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_deadline_in_the_past(void **state)
{
    (void)state;
    struct harness *harness = harness_open(1000, -1, MONO_NEVER);
    uint64_t before = harness_start(harness, &(struct task){.shell = "echo up; exec sleep 86400"});
    harness_wait_output(harness, before, "up");
    // Nothing is started at or after the deadline, not even what is in the same message.
    harness->runner->ops->feed(harness->runner, harness_now());
    uint64_t after = harness_start(harness, &(struct task){.shell = job});
    assert_int_equal(harness_wait(harness, after)->end.kind, RUNNER_GONE);
    assert_int_equal(harness_outcome(harness, after)->pid, 0);
    assert_int_equal(harness_wait(harness, before)->end.kind, RUNNER_GONE);
    assert_int_equal(harness_count_processes(marker), 0);
    harness_close(harness);
}

// Where nothing runs the deadline ends nothing: a word that comes later is in time.
static void test_idle_outlives_its_deadline(void **state)
{
    (void)state;
    struct harness *harness = harness_open(1000, -1, harness_now());
    harness_turn(harness, 200);
    assert_true(harness->alive);
    harness->runner->ops->feed(harness->runner, MONO_NEVER);
    uint64_t run = harness_start(harness, &(struct task){.shell = "exit 4"});
    assert_int_equal(harness_wait(harness, run)->end.exit_code, 4);
    harness->runner->ops->feed(harness->runner, harness_now());
    harness_turn(harness, 200);
    assert_true(harness->alive);
    uint64_t late = harness_start(harness, &(struct task){.shell = job});
    assert_int_equal(harness_wait(harness, late)->end.kind, RUNNER_GONE);
    assert_int_equal(harness_outcome(harness, late)->pid, 0);
    assert_int_equal(harness_count_processes(marker), 0);
    harness_close(harness);
}

// While it is fed it lives on, far beyond each single deadline.
static void test_fed_in_time(void **state)
{
    (void)state;
    struct harness *harness = harness_open(1000, -1, mono_add(harness_now(), DURATION_S(30)));
    uint64_t run = harness_start(harness, &(struct task){.shell = "sleep 1; exit 3"});
    struct mono first = harness_now();
    while (!harness_outcome(harness, run)->ended) {
        harness->runner->ops->feed(harness->runner, mono_add(harness_now(), DURATION_S(30)));
        harness_turn(harness, 20);
    }
    assert_int_equal(harness_outcome(harness, run)->end.exit_code, 3);
    assert_true(mono_since(harness_now(), first).us >= 1000000); // the job's own sleep
    assert_true(harness->alive);
    harness_close(harness);
}

int main(void)
{
    make_job();
    const struct CMUnitTest tests[] = {
        HARNESS_TEST(test_scheduler_killed),
        HARNESS_TEST(test_runner_killed),
        HARNESS_TEST(test_scheduler_stands_still),
        HARNESS_TEST(test_stopped_and_killed),
        HARNESS_TEST(test_frozen_runner),
        HARNESS_TEST(test_no_start_after_death),
        HARNESS_TEST(test_deadline_in_the_past),
        HARNESS_TEST(test_idle_outlives_its_deadline),
        HARNESS_TEST(test_fed_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
