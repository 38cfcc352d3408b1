// SPDX-License-Identifier: MIT
// No process of a run outlives its end, whatever it does to get away.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define OUTPUT_MAX 65536

// A process that has left its session and its environment behind, was forked twice and ignores
// TERM. %s makes it findable.
#define DAEMON                                                                                     \
    "(setsid env -i /bin/sh -c 'trap \"\" TERM HUP; exec sleep %s' </dev/null >/dev/null 2>&1 "    \
    "&); "

static char marker[32]; // how long test processes sleep: unique to this test program

static const char *script(const char *format)
{
    static char text[1024];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, format, marker, marker, marker);
#pragma GCC diagnostic pop
    return text;
}

struct count_wanted {
    struct harness *harness;
    int count;
};

static bool marked_are(void *context)
{
    const struct count_wanted *wanted = context;
    harness_turn(wanted->harness, 0);
    return harness_count_sleeps(marker) == wanted->count;
}

// Starts a job and waits until so many `sleep` are there.
static uint64_t start_marked(struct harness *harness, struct task task, const char *format,
                             int sleeps)
{
    task.shell = script(format);
    uint64_t run = harness_start(harness, &task);
    harness_until(marked_are, &(struct count_wanted){harness, sleeps}, "processes are running");
    return run;
}

static const struct {
    const char *name;
    const char *format;
    int sleeps; // how many there are once it is complete
    int ignores_term;
} escapes[] = {
    {"alone", "sleep %s", 1, 0},
    {"ignores TERM", "trap '' TERM; sleep %s", 1, 1},
    {"children in the background", "sleep %s & sleep %s & wait", 2, 0},
    {"daemon", DAEMON "sleep %s", 2, 1},
    {"children ignore TERM", "(trap '' TERM; sleep %s) & wait", 1, 1},
    {"closes its output", "exec >&- 2>&-; sleep %s; :", 1, 0},
    {"stopped", "sleep %s & until grep -q sleep /proc/$!/comm; do :; done; kill -STOP $!; wait", 1,
     0},
    {"stops itself", "sleep %s & kill -STOP $$", 1, 0},
};

static void test_timeout(void **state)
{
    (void)state;
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        const struct outcome *outcome =
            harness_run(harness, &(struct task){.shell = script(escapes[i].format),
                                                .timeout = DURATION_MS(300),
                                                .kill_after = DURATION_MS(300)});
        if (outcome->end.kind != RUNNER_TIMED_OUT || harness_count_processes(marker) != 0) {
            fail_msg("%s: kind %d, %d processes are left", escapes[i].name, outcome->end.kind,
                     harness_count_processes(marker));
        }
    }
    harness_close(harness);
}

static void test_cancel(void **state)
{
    (void)state;
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0] * 2; i++) {
        size_t which = i / 2;
        bool at_once = i % 2 == 1;
        // Who heeds TERM must go by TERM: KILL would never come in this time.
        struct duration kill_after =
            escapes[which].ignores_term || at_once ? DURATION_MS(100) : DURATION_S(3600);
        uint64_t run = start_marked(harness, (struct task){.kill_after = kill_after},
                                    escapes[which].format, escapes[which].sleeps);
        harness_stop(harness, run, at_once);
        const struct outcome *outcome = harness_wait(harness, run);
        if (outcome->end.kind != RUNNER_CANCELLED || harness_count_processes(marker) != 0) {
            fail_msg("%s: kind %d, %d processes are left", escapes[which].name, outcome->end.kind,
                     harness_count_processes(marker));
        }
    }
    harness_close(harness);
}

static void test_cancel_again_at_once(void **state)
{
    (void)state;
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    uint64_t run = start_marked(harness, (struct task){.kill_after = DURATION_S(3600)},
                                "trap 'echo heard' TERM; while :; do sleep %s; done", 1);
    harness_stop(harness, run, false);
    harness_wait_output(harness, run, "heard"); // and goes on
    harness_stop(harness, run, true);
    const struct outcome *outcome = harness_wait(harness, run);
    assert_int_equal(outcome->end.kind, RUNNER_CANCELLED);
    assert_int_equal(outcome->end.signal, SIGKILL);
    harness_stop(harness, run, true); // unknown by now
    harness_stop(harness, 4711, false);
    assert_int_equal(harness_count_processes(marker), 0);
    harness_close(harness);
}

static void test_leftovers_of_a_normal_exit(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        int exit_code, leftovers;
    } cases[] = {
        {"sleep %s & exit 3", 3, 1},
        {"sleep %s & sleep %s & sleep %s & exit 0", 0, 3},
        {"(trap '' TERM; exec sleep %s) & sleep 0.2; exit 4", 4, 1}, // KILL is needed
        // Holds the pipe open: the end does not wait for it.
        {"(setsid sleep %s &); exit 5", 5, 1},
    };
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct outcome *outcome =
            harness_run(harness, &(struct task){.shell = script(cases[i].format),
                                                .kill_after = DURATION_MS(200)});
        if (outcome->end.kind != RUNNER_EXITED || outcome->end.exit_code != cases[i].exit_code ||
            outcome->end.leftovers != cases[i].leftovers || harness_count_processes(marker) != 0) {
            fail_msg("%s: kind %d, exit code %d, %d leftovers, %d processes are left",
                     cases[i].format, outcome->end.kind, outcome->end.exit_code,
                     outcome->end.leftovers, harness_count_processes(marker));
        }
    }
    harness_close(harness);
}

// A daemon of a run that goes on is not touched by the ends of others.
static void test_others_are_left_alone(void **state)
{
    (void)state;
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    uint64_t run =
        start_marked(harness, (struct task){.kill_after = DURATION_MS(100)}, DAEMON "sleep %s", 2);
    for (int i = 0; i < 20; i++) {
        const struct outcome *outcome =
            harness_run(harness, &(struct task){.shell = "(setsid sleep 77777 &) ; exit 0"});
        assert_int_equal(outcome->end.leftovers, 1);
        assert_int_equal(outcome->end.exit_code, 0);
    }
    assert_int_equal(harness_count_sleeps(marker), 2);
    assert_false(harness_outcome(harness, run)->ended);
    harness_stop(harness, run, false);
    assert_int_equal(harness_wait(harness, run)->end.kind, RUNNER_CANCELLED);
    assert_int_equal(harness_count_processes(marker), 0);
    harness_close(harness);
}

// Stopped before the runner came to it.
static void test_cancel_before_it_began(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    for (int i = 0; i < COUNT; i++) {
        harness_start(harness, &(struct task){.shell = script("sleep %s")});
    }
    for (uint64_t run = 1; run <= COUNT; run++) {
        harness_stop(harness, run, true);
    }
    for (uint64_t run = 1; run <= COUNT; run++) {
        assert_int_equal(harness_wait(harness, run)->end.kind, RUNNER_CANCELLED);
    }
    assert_int_equal(harness_count_processes(marker), 0);
    harness_close(harness);
}

static void test_fork_bomb(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    struct rlimit some = {150, 150};
    assert_int_equal(prlimit(process_runner_pid(harness->runner), RLIMIT_NPROC, &some, NULL), 0);
    const struct outcome *outcome = harness_run(
        harness,
        &(struct task){.user = "nobody",
                       .shell = script("exec perl -e '$SIG{TERM} = \"IGNORE\"; fork while 1 # %s'"),
                       .timeout = DURATION_MS(500),
                       .kill_after = DURATION_MS(200)});
    assert_int_equal(outcome->end.kind, RUNNER_TIMED_OUT);
    assert_int_equal(harness_count_processes(marker), 0);
    harness_close(harness);
}

static void test_free_ends_everything(void **state)
{
    (void)state;
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    start_marked(harness, (struct task){.kill_after = DURATION_S(3600)},
                 "trap '' TERM; " DAEMON "sleep %s", 2);
    assert_int_equal(kill(process_runner_pid(harness->runner), SIGSTOP), 0);
    harness_close(harness);
    assert_int_equal(harness_count_processes(marker), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_runner_ignores_the_terminals_signals(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1};
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    harness_run(harness, &(struct task){.shell = ":"}); // it is up
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        assert_int_equal(kill(process_runner_pid(harness->runner), signals[i]), 0);
    }
    assert_int_equal(harness_run(harness, &(struct task){.shell = "exit 6"})->end.exit_code, 6);
    assert_int_not_equal(getpgid(process_runner_pid(harness->runner)), getpgrp());
    harness_close(harness);
}

// The program of the next test: its first thread ends, which makes it look dead, another one runs
// on.
static void *run_on(void *unused)
{
    (void)unused;
    signal(SIGTERM, SIG_IGN);
    printf("running on\n");
    fflush(stdout);
    while (pause() != 0) {
    }
    return NULL;
}

NORETURN static void headless(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_on, NULL) != 0) {
        _exit(1);
    }
    pthread_exit(NULL);
}

static void test_headless_process(void **state)
{
    (void)state;
    static const char *const argv[] = {"/proc/self/exe", "--headless", NULL};
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    uint64_t run =
        harness_start(harness, &(struct task){.argv = argv, .kill_after = DURATION_MS(100)});
    harness_wait_output(harness, run, "running on");
    harness_stop(harness, run, false);
    assert_int_equal(harness_wait(harness, run)->end.signal, SIGKILL);
    harness_close(harness);
}

// Where the limit that carries the tag can't be set, session, ancestors and environment decide.
static void test_without_tags(void **state)
{
    (void)state;
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    struct rlimit low = {1000000, 1000000};
    assert_int_equal(prlimit(process_runner_pid(harness->runner), RLIMIT_RTTIME, &low, NULL), 0);
    const struct outcome *outcome =
        harness_run(harness, &(struct task){.shell = script("(setsid sleep %s &); exit 5"),
                                            .kill_after = DURATION_MS(200)});
    assert_int_equal(outcome->end.exit_code, 5);
    assert_int_equal(outcome->end.leftovers, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(escapes); i++) {
        outcome = harness_run(harness, &(struct task){.shell = script(escapes[i].format),
                                                      .timeout = DURATION_MS(300),
                                                      .kill_after = DURATION_MS(100)});
        if (outcome->end.kind != RUNNER_TIMED_OUT || harness_count_processes(marker) != 0) {
            fail_msg("%s: kind %d, %d processes are left", escapes[i].name, outcome->end.kind,
                     harness_count_processes(marker));
        }
    }
    harness_close(harness);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--headless") == 0) {
        headless();
    }
    snprintf(marker, sizeof marker, "88%d", getpid());
    const struct CMUnitTest tests[] = {
        HARNESS_TEST(test_timeout),
        HARNESS_TEST(test_cancel),
        HARNESS_TEST(test_cancel_again_at_once),
        HARNESS_TEST(test_leftovers_of_a_normal_exit),
        HARNESS_TEST(test_others_are_left_alone),
        HARNESS_TEST(test_cancel_before_it_began),
        HARNESS_TEST(test_fork_bomb),
        HARNESS_TEST(test_headless_process),
        HARNESS_TEST(test_without_tags),
        HARNESS_TEST(test_free_ends_everything),
        HARNESS_TEST(test_runner_ignores_the_terminals_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
