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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
        // But for the two that the C library keeps for itself: make hands them on as ignored.
        {"grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f 2 | sed s/180000000/000000000/ | "
         "sort -u",
         RUNNER_EXITED, 0, 0, "0000000000000000\n"},
    };
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct outcome *outcome =
            harness_run(harness, &(struct task){.shell = cases[i].shell});
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
    harness_close(harness);
}

// ---- environment, directory, user ---------------------------------------------------------------

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// `env -0` prints in the order of the environment; what counts is the set.
static void sorted_lines(struct buf *output, char *out, size_t size)
{
    char *lines[64];
    size_t count = 0;
    for (size_t at = 0; at < output->length && count < 64; at += strlen(output->data + at) + 1) {
        lines[count++] = output->data + at;
    }
    qsort(lines, count, sizeof lines[0], compare_lines);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s\n", lines[i]);
    }
}

static void test_environment_is_exact(void **state)
{
    (void)state;
    static const char *const argv[] = {"env", "-0", NULL};
    static const char *const pass_env[] = {"PASSED", "OVERRIDDEN", "NOT_SET", NULL};
    static const struct job_variable env[] = {
        {"TZ", "UTC"}, {"OVERRIDDEN", "by env"}, {"EMPTY", ""}, {"IRONCRON_JOB", "forged"}, {0}};
    static const struct job_variable params[] = {
        {"day", "2026-11-24"}, {"Odd-name", "a=b\nc"}, {0}};
    setenv("PASSED", "from outside", 1);
    setenv("OVERRIDDEN", "from outside", 1);
    setenv("LEAKED", "must not be seen", 1);
    unsetenv("NOT_SET");
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    struct outcome *outcome = harness_run(
        harness, &(struct task){.argv = argv, .pass_env = pass_env, .env = env, .params = params});
    char seen[4096];
    char expected[4096];
    sorted_lines(&outcome->output, seen, sizeof seen);
    bool root = geteuid() == 0;
    snprintf(expected, sizeof expected,
             "EMPTY=\nHOME=%s\nIRONCRON_ATTEMPT=2\nIRONCRON_DUE_AT=2026-11-24T02:45:00.000Z\n"
             "IRONCRON_FENCE=77\nIRONCRON_JOB=test-job\nIRONCRON_PARAM_DAY=2026-11-24\n"
             "IRONCRON_PARAM_ODD_NAME=a=b\nc\n"
             "IRONCRON_RUN_ID=01020304-0001-0000-0000-000000000000\nLANG=C.UTF-8\n"
             "LOGNAME=%s\nOVERRIDDEN=by env\nPASSED=from outside\n"
             "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
             "SHELL=/bin/sh\nTZ=UTC\nUSER=%s\n",
             root ? "/root" : getenv("HOME"), root ? "root" : getenv("USER"),
             root ? "root" : getenv("USER"));
    assert_string_equal(seen, expected);
    harness_close(harness);
}

static void test_program_is_found_by_the_jobs_path(void **state)
{
    (void)state;
    const char *temporary = getenv("TMPDIR");
    char folder[256];
    char program[300];
    char path[400];
    snprintf(folder, sizeof folder, "%.200s/ironcron-path-XXXXXX",
             temporary == NULL ? "/tmp" : temporary);
    assert_non_null(mkdtemp(folder));
    snprintf(program, sizeof program, "%s/only-here", folder);
    snprintf(path, sizeof path, "/nonexistent::/etc/passwd:%s", folder);
    FILE *file = fopen(program, "w");
    assert_non_null(file);
    fputs("#!/bin/sh\necho found\n", file);
    fclose(file);
    assert_int_equal(chmod(program, 0755), 0);
    const struct job_variable env[] = {{"PATH", path}, {0}};
    const char *const argv[] = {"only-here", NULL};
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    assert_string_equal(
        buf_string(&harness_run(harness, &(struct task){.argv = argv, .env = env})->output),
        "found\n");
    assert_int_equal(harness_run(harness, &(struct task){.argv = argv})->end.kind,
                     RUNNER_SPAWN_FAILED);
    harness_close(harness);
    unlink(program);
    rmdir(folder);
}

static void test_working_directory(void **state)
{
    (void)state;
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    struct task task = {.shell = "pwd", .workdir = "/usr/share"};
    assert_string_equal(buf_string(&harness_run(harness, &task)->output), "/usr/share\n");
    if (geteuid() == 0) {
        task.workdir = NULL;
        assert_string_equal(buf_string(&harness_run(harness, &task)->output), "/root\n");
        task.user = "nobody"; // whose home does not exist
        assert_string_equal(buf_string(&harness_run(harness, &task)->output), "/\n");
    }
    harness_close(harness);
}

static void test_other_user(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    struct task task = {
        .user = "nobody",
        .shell = "grep -E '^(Uid|Gid|Groups|NoNewPrivs|CapEff|CapPrm)' /proc/self/status | tr '\t' "
                 "' '; echo $USER $LOGNAME $HOME; kill -0 $PPID && echo regained; exit 7"};
    struct outcome *outcome = harness_run(harness, &task);
    assert_int_equal(outcome->end.exit_code, 7);
    assert_non_null(strstr(buf_string(&outcome->output),
                           "Uid: 65534 65534 65534 65534\nGid: 65534 65534 65534 65534\n"
                           "Groups: 65534 \n"));
    assert_non_null(strstr(buf_string(&outcome->output), "CapPrm: 0000000000000000\n"));
    assert_non_null(strstr(buf_string(&outcome->output), "CapEff: 0000000000000000\n"));
    assert_non_null(strstr(buf_string(&outcome->output), "NoNewPrivs: 1\n"));
    assert_non_null(strstr(buf_string(&outcome->output), "nobody nobody /nonexistent\n"));
    assert_null(strstr(buf_string(&outcome->output), "regained"));

    setenv("PASSED", "through the drop", 1);
    static const char *const pass_env[] = {"PASSED", NULL};
    task = (struct task){.user = "nobody", .shell = "echo $PASSED", .pass_env = pass_env};
    assert_string_equal(buf_string(&harness_run(harness, &task)->output), "through the drop\n");

    task = (struct task){.shell = "grep NoNewPrivs /proc/self/status | tr -d '\t'"};
    assert_string_equal(buf_string(&harness_run(harness, &task)->output), "NoNewPrivs:0\n");
    harness_close(harness);
}

static void test_limits(void **state)
{
    (void)state;
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    struct task task = {
        .shell = "ulimit -v; ulimit -t; ulimit -Hn; ulimit -Sn; nice",
        .limits = {.memory = (int64_t)1 << 30, .cpu_time = 30, .open_files = 100, .nice = 7}};
    assert_string_equal(buf_string(&harness_run(harness, &task)->output),
                        "1048576\n30\n100\n100\n7\n");
    // The runner's own, raised limit must not leak into runs.
    char own[64];
    FILE *shell = popen("ulimit -Sn", "r");
    assert_non_null(shell);
    assert_non_null(fgets(own, sizeof own, shell));
    pclose(shell);
    task = (struct task){.shell = "ulimit -Sn"};
    assert_string_equal(buf_string(&harness_run(harness, &task)->output), own);
    task = (struct task){.shell = "while :; do :; done", .limits = {.cpu_time = 1}};
    struct outcome *outcome = harness_run(harness, &task);
    assert_int_equal(outcome->end.kind, RUNNER_SIGNALLED);
    assert_int_equal(outcome->end.signal, SIGXCPU);
    assert_true(outcome->end.cpu.us > 500000);
    harness_close(harness);
}

static void test_input_and_report(void **state)
{
    (void)state;
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    static const char reads[] = "cat; tr '\\0' '\\n' </proc/$$/environ | grep -c hidden;"
                                "printf done >/dev/stdin; exit 3";
    const char *const users[] = {NULL, "nobody"};
    for (size_t i = 0; i < ARRAY_LENGTH(users) && (i == 0 || geteuid() == 0); i++) {
        struct task task = {.shell = reads, .input = "hidden\n", .user = users[i]};
        struct outcome *outcome = harness_run(harness, &task);
        assert_string_equal(buf_string(&outcome->output), "hidden\n0\n");
        assert_int_equal(outcome->end.exit_code, 3);
        assert_string_equal(outcome->end.report, "done");
    }
    // Whatever ends it, what it left counts; what it left untouched is still its input.
    struct task task = {.shell = "kill -9 $$", .input = "all of it"};
    assert_string_equal(harness_run(harness, &task)->end.report, "all of it");
    task = (struct task){.shell = "head -c 3000000 /dev/zero >&0", .input = "x"};
    assert_non_null(harness_run(harness, &task)->end.report);
    task = (struct task){.shell = "cat"};
    assert_null(harness_run(harness, &task)->end.report);
    task = (struct task){.argv = (const char *const[]){"/nonexistent", NULL}, .input = "x"};
    assert_int_equal(harness_run(harness, &task)->end.kind, RUNNER_SPAWN_FAILED);
    harness_close(harness);
}

// ---- starts that fail ---------------------------------------------------------------------------

static void test_spawn_failures(void **state)
{
    (void)state;
    static const struct {
        const char *program, *user, *workdir;
        struct job_limits limits;
        const char *error;
    } cases[] = {
        {"/nonexistent/x",
         NULL,
         NULL,
         {0},
         "cannot start /nonexistent/x: no such file or directory (step execve, as user "},
        {"no-such-program",
         NULL,
         NULL,
         {0},
         "cannot start no-such-program: no such file or directory (step execve"},
        {"/etc/passwd",
         NULL,
         NULL,
         {0},
         "cannot start /etc/passwd: permission denied (step execve"},
        {"/usr", NULL, NULL, {0}, "cannot start /usr: permission denied (step execve"},
        {"/bin/true",
         NULL,
         "/nonexistent",
         {0},
         "cannot start /bin/true: no such file or directory (step chdir"},
        {"/etc/shadow",
         "nobody",
         NULL,
         {0},
         "cannot start /etc/shadow: permission denied (step execve, as user nobody)"},
        {"/bin/true",
         "nobody",
         "/root",
         {0},
         "cannot start /bin/true: permission denied (step chdir, as user nobody)"},
    };
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].user != NULL && geteuid() != 0) {
            continue;
        }
        const char *const argv[] = {cases[i].program, NULL};
        const struct outcome *outcome =
            harness_run(harness, &(struct task){.argv = argv,
                                                .user = cases[i].user,
                                                .workdir = cases[i].workdir,
                                                .limits = cases[i].limits});
        if (outcome->end.kind != RUNNER_SPAWN_FAILED || outcome->pid != 0 ||
            strncmp(outcome->error, cases[i].error, strlen(cases[i].error)) != 0) {
            fail_msg("%s: kind %d, pid %d, '%s'", cases[i].error, outcome->end.kind, outcome->pid,
                     outcome->error);
        }
    }
    harness_close(harness);
}

static void test_refused_starts(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    assert_false(
        harness_try_start(harness, &(struct task){.shell = ":", .user = "no-such-user"}, 1, &err));
    assert_string_equal(err.text,
                        "cannot start job test-job: there is no user no-such-user on this "
                        "machine: create it, or change the job's user");
    size_t size = (size_t)300 * 1024;
    char *large = malloc(size);
    assert_non_null(large);
    memset(large, 'x', size);
    large[size - 1] = '\0';
    assert_false(harness_try_start(harness, &(struct task){.shell = large}, 1, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    large[100] = '\0';
    assert_int_equal(harness_run(harness, &(struct task){.shell = "exit 9"})->end.exit_code, 9);
    free(large);
    harness_close(harness);
}

static void test_many_arguments(void **state)
{
    (void)state;
    enum { COUNT = 8000 };
    const char *argv[COUNT + 5] = {"/bin/sh", "-c", "echo $#", "sh"};
    for (size_t i = 0; i < COUNT; i++) {
        argv[4 + i] = "argument";
    }
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    assert_string_equal(buf_string(&harness_run(harness, &(struct task){.argv = argv})->output),
                        "8000\n");
    // One argument over the kernel's own limit for one.
    size_t size = (size_t)150 * 1024;
    char *large = calloc(1, size);
    assert_non_null(large);
    memset(large, 'x', size - 1);
    const char *const one[] = {"/bin/echo", large, NULL};
    const struct outcome *outcome = harness_run(harness, &(struct task){.argv = one});
    assert_int_equal(outcome->end.kind, RUNNER_SPAWN_FAILED);
    assert_non_null(strstr(outcome->error, "argument list too long (step execve"));
    free(large);
    harness_close(harness);
}

// As nobody, with no process allowed: what the runner says about a fork that fails, into a pipe.
static void fork_failure_as_nobody(int write_fd)
{
    if (setgid(65534) != 0 || setuid(65534) != 0) {
        _exit(1);
    }
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    struct rlimit none = {0, 0};
    if (prlimit(process_runner_pid(harness->runner), RLIMIT_NPROC, &none, NULL) != 0) {
        _exit(2);
    }
    const struct outcome *outcome = harness_run(harness, &(struct task){.shell = ":"});
    dprintf(write_fd, "%d %s", outcome->end.kind, outcome->error);
    harness_close(harness);
    _exit(0);
}

static void test_fork_failure(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    int pair[2];
    assert_int_equal(pipe(pair), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fork_failure_as_nobody(pair[1]);
    }
    close(pair[1]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    char text[1024] = "";
    assert_true(read(pair[0], text, sizeof text - 1) > 0);
    close(pair[0]);
    char expected[256];
    snprintf(expected, sizeof expected,
             "%d cannot start /bin/sh: resource temporarily unavailable (step fork, as user "
             "nobody): raise",
             RUNNER_SPAWN_FAILED);
    text[strlen(expected)] = '\0';
    assert_string_equal(text, expected);
}

// ---- many ---------------------------------------------------------------------------------------

static void test_500_at_once(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    for (int i = 0; i < COUNT; i++) {
        char text[64];
        // None ends before all are running: each waits for our word.
        snprintf(text, sizeof text, "echo %d; exec sleep 86400", i);
        harness_start(harness, &(struct task){.shell = text, .kill_after = DURATION_S(60)});
    }
    for (uint64_t run = 1; run <= COUNT; run++) {
        char text[64];
        snprintf(text, sizeof text, "%d\n", (int)run - 1);
        harness_wait_output(harness, run, text);
    }
    assert_int_equal(harness->ended, 0);
    for (uint64_t run = 1; run <= COUNT; run++) {
        harness_stop(harness, run, run % 2 == 0);
    }
    for (uint64_t run = 1; run <= COUNT; run++) {
        const struct outcome *outcome = harness_wait(harness, run);
        assert_int_equal(outcome->end.kind, RUNNER_CANCELLED);
        assert_int_equal(outcome->end.signal, run % 2 == 0 ? SIGKILL : SIGTERM);
    }
    harness_close(harness);
}

static void test_nothing_is_leaked(void **state)
{
    (void)state;
    int before = harness_count_descriptors();
    struct harness *harness = harness_open(OUTPUT_MAX, -1, MONO_NEVER);
    char folder[64];
    snprintf(folder, sizeof folder, "ls /proc/%d/fd | wc -l", process_runner_pid(harness->runner));
    char counts[2][32];
    harness_run(harness, &(struct task){.shell = ":"}); // it has all that it keeps open
    for (int round = 0; round < 2; round++) {
        // In the parent the runner's descriptors can be counted while nothing runs.
        FILE *shell = popen(folder, "r");
        assert_non_null(shell);
        assert_non_null(fgets(counts[round], sizeof counts[round], shell));
        pclose(shell);
        static const char *const missing[] = {"/nonexistent", NULL};
        for (int i = 0; i < 50; i++) {
            harness_run(harness, &(struct task){.shell = "echo x; exit 1"});
            harness_run(harness, &(struct task){.argv = missing});
            if (geteuid() == 0) {
                harness_run(harness, &(struct task){.argv = missing, .user = "nobody"});
            }
        }
    }
    assert_string_equal(counts[0], counts[1]);
    harness_close(harness);
    assert_int_equal(harness_count_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // no child, no zombie
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HARNESS_TEST(test_ends),
        HARNESS_TEST(test_environment_is_exact),
        HARNESS_TEST(test_program_is_found_by_the_jobs_path),
        HARNESS_TEST(test_working_directory),
        HARNESS_TEST(test_other_user),
        HARNESS_TEST(test_limits),
        HARNESS_TEST(test_input_and_report),
        HARNESS_TEST(test_spawn_failures),
        HARNESS_TEST(test_refused_starts),
        HARNESS_TEST(test_many_arguments),
        HARNESS_TEST(test_fork_failure),
        HARNESS_TEST(test_500_at_once),
        HARNESS_TEST(test_nothing_is_leaked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
