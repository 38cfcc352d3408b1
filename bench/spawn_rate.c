// SPDX-License-Identifier: MIT
// How many /bin/true a second the runner starts, watches and reports, beside a bare posix_spawn and
// wait loop on the same machine. The two alternate, so that what else happens on the machine hits
// both.
//
//   spawn_rate [RUNS [ROUNDS [IN_FLIGHT]]]
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "runner/process_runner.h"
#include "time/clock.h"

#define BARE_IN_FLIGHT 2

static char program[] = "/bin/true";

static double seconds(void)
{
    return (double)clock_mono(clock_system()).us / 1e6;
}

static void fail(const char *what)
{
    fprintf(stderr, "spawn_rate: %s\n", what);
    exit(1);
}

// ---- bare

static void bare_wait(void)
{
    int status = 0;
    if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail("/bin/true did not exit with 0");
    }
}

static double bare(int runs)
{
    char *argv[] = {program, NULL};
    char *envp[] = {NULL};
    double begin = seconds();
    int running = 0;
    for (int i = 0; i < runs; i++) {
        pid_t pid;
        if (posix_spawn(&pid, program, NULL, NULL, argv, envp) != 0) {
            fail("cannot start /bin/true");
        }
        if (++running == BARE_IN_FLIGHT) {
            bare_wait();
            running--;
        }
    }
    for (; running > 0; running--) {
        bare_wait();
    }
    return runs / (seconds() - begin);
}

// ---- through the port

struct load {
    struct runner *runner;
    int started, ended;
};

static void on_started(void *context, uint64_t run, int pid)
{
    (void)context, (void)run, (void)pid;
}

static void on_output(void *context, uint64_t run, const char *bytes, size_t length)
{
    (void)context, (void)run, (void)bytes, (void)length;
}

static void on_end(void *context, uint64_t run, const struct runner_end *end)
{
    struct load *load = context;
    (void)run;
    if (end->kind != RUNNER_EXITED || end->exit_code != 0) {
        fail(end->error != NULL ? end->error : "/bin/true did not exit with 0");
    }
    load->ended++;
}

static void start_one(struct load *load)
{
    const char *const argv[] = {program, NULL};
    const struct job_command command = {.argv = argv};
    const struct job job = {.name = "true",
                            .command = &command,
                            .timeout = DURATION_S(60),
                            .kill_after = DURATION_S(10)};
    const struct runner_start start = {.run = (uint64_t)++load->started,
                                       .job = &job,
                                       .due_at = instant_from_unix(1795488300),
                                       .attempt = 1,
                                       .fence = 1};
    struct error err = ERROR_INIT;
    if (!load->runner->ops->start(load->runner, &start, &err)) {
        fail(err.text);
    }
}

static void turn(struct load *load)
{
    process_runner_write(load->runner);
    bool blocked = process_runner_wants_write(load->runner);
    struct pollfd ready = {.fd = process_runner_fd(load->runner),
                           .events = (short)(POLLIN | (blocked ? POLLOUT : 0))};
    poll(&ready, 1, -1);
    if ((ready.revents & ~POLLOUT) != 0 && !process_runner_read(load->runner)) {
        fail("the runner process died");
    }
}

static double through_runner(int runs, int in_flight)
{
    struct process_runner_options options = {
        .lock_fd = -1, .output_max = 1024 * 1024, .deadline = MONO_NEVER};
    struct load load = {0};
    struct error err = ERROR_INIT;
    if (!process_runner_new(&options, &load.runner, &err)) {
        fail(err.text);
    }
    load.runner->events = (struct runner_events){
        .context = &load, .on_started = on_started, .on_output = on_output, .on_end = on_end};
    double begin = seconds();
    while (load.ended < runs) {
        while (load.started < runs && load.started - load.ended < in_flight) {
            start_one(&load);
        }
        turn(&load);
    }
    double rate = runs / (seconds() - begin);
    process_runner_free(load.runner);
    return rate;
}

static int argument(int argc, char **argv, int at, int otherwise)
{
    int number = argc > at ? (int)strtol(argv[at], NULL, 10) : otherwise;
    if (number < 1) {
        fail("use: spawn_rate [RUNS [ROUNDS [IN_FLIGHT]]]");
    }
    return number;
}

int main(int argc, char **argv)
{
    int runs = argument(argc, argv, 1, 1000);
    int rounds = argument(argc, argv, 2, 5);
    int in_flight = argument(argc, argv, 3, 16);
    double bare_time = 0;
    double runner_time = 0;
    for (int round = 0; round < rounds; round++) {
        bare_time += runs / bare(runs);
        runner_time += runs / through_runner(runs, in_flight);
    }
    double bare_rate = (double)runs * rounds / bare_time;
    double runner_rate = (double)runs * rounds / runner_time;
    printf("spawning /bin/true: %d runs; runner %.0f/s, bare posix_spawn and wait %.0f/s, ratio "
           "%.2f\n",
           runs * rounds, runner_rate, bare_rate, runner_rate / bare_rate);
    return 0;
}
