// SPDX-License-Identifier: MIT
#include "runner/spawn.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "runner/spawn_child.h"

static const char *const step_names[] = {
    [SPAWN_STEP_PIPE] = "pipe",
    [SPAWN_STEP_FORK] = "fork",
    [SPAWN_STEP_SESSION] = "setsid",
    [SPAWN_STEP_OPEN_FILES] = "limits.open_files",
    [SPAWN_STEP_CPU_TIME] = "limits.cpu_time",
    [SPAWN_STEP_NICE] = "limits.nice",
    [SPAWN_STEP_STREAMS] = "dup2",
    [SPAWN_STEP_GROUPS] = "setgroups",
    [SPAWN_STEP_GID] = "setresgid",
    [SPAWN_STEP_UID] = "setresuid",
    [SPAWN_STEP_REGAIN] = "privileges could be regained",
    [SPAWN_STEP_PARENT] = "parent-death signal",
    [SPAWN_STEP_PRIVILEGES] = "no_new_privs",
    [SPAWN_STEP_DIRECTORY] = "chdir",
    [SPAWN_STEP_DESCRIPTORS] = "close_range",
    [SPAWN_STEP_MEMORY] = "limits.memory",
    [SPAWN_STEP_EXEC] = "execve",
};

static const char *remedy(const struct spawn_failure *failure)
{
    switch (failure->step) {
    case SPAWN_STEP_FORK:
        return ": raise the limit on processes (ulimit -u, TasksMax=, pids.max) or lower "
               "node.max_running";
    case SPAWN_STEP_PIPE:
        return ": raise the limit on open files (ulimit -n, LimitNOFILE=) or lower "
               "node.max_running";
    case SPAWN_STEP_GROUPS:
    case SPAWN_STEP_GID:
    case SPAWN_STEP_UID:
        return ": run ironcron as root to start jobs of other users, or remove the job's user";
    case SPAWN_STEP_OPEN_FILES:
    case SPAWN_STEP_NICE:
        return ": only root may raise this limit";
    case SPAWN_STEP_DIRECTORY:
        return ": the job's workdir must exist and be open to its user";
    case SPAWN_STEP_EXEC:
        break;
    default:
        return "";
    }
    switch (failure->error) {
    case ENOENT:
        return ": the program, or the interpreter in its first line, does not exist";
    case ENOEXEC:
        return ": it is neither a program for this machine nor a script that begins with #!";
    case E2BIG:
        return ": one argument or variable may have 128 KB";
    case EAGAIN:
        return ": the user has as many processes as its limit allows (ulimit -u)";
    default:
        return "";
    }
}

static bool failure_text(const struct spawn_failure *failure, const char *program, const char *user,
                         struct error *err)
{
    char reason[128];
    snprintf(reason, sizeof reason, "%s", strerror(failure->error));
    reason[0] = (char)tolower((unsigned char)reason[0]);
    return error_set(err, ERROR_SPAWN, "cannot start %.512s: %s (step %s, as user %.64s)%s",
                     program, reason, step_names[failure->step], user, remedy(failure));
}

// The job's own PATH decides; the search itself happens as its user, in the child. Returns the
// memory of the paths, which the caller frees.
static char *find_programs(struct spawn_plan *plan)
{
    const char *name = plan->launch->argv[0];
    if (strchr(name, '/') != NULL || name[0] == '\0') {
        plan->programs[0] = name;
        return NULL;
    }
    const char *element = environment_value(plan->launch->envp, "PATH");
    element = element == NULL ? JOB_PATH : element;
    size_t room = strlen(element) + SPAWN_PROGRAMS_MAX * (strlen(name) + 3);
    char *memory = alloc_zero(room, 1);
    char *at = memory;
    for (size_t count = 0; count < SPAWN_PROGRAMS_MAX; count++) {
        int length = (int)strcspn(element, ":");
        plan->programs[count] = at;
        // An empty element means the working directory (POSIX, chapter 8.3).
        at += 1 + snprintf(at, room - (size_t)(at - memory), "%.*s/%s", length == 0 ? 1 : length,
                           length == 0 ? "." : element, name);
        if (element[length] == '\0') {
            break;
        }
        element += length + 1;
    }
    return memory;
}

// Shares our memory until the program runs: the cost does not depend on how much we have. Only for
// our own user: others could stop the child in between, and us with it. Everything that the child
// changes is in *failure.
__attribute__((noinline)) static pid_t start_shared(const struct spawn_plan *plan,
                                                    volatile struct spawn_failure *failure)
{
    pid_t pid = vfork();
    if (pid == 0) {
        struct spawn_failure reason = spawn_child(plan);
        failure->step = reason.step;
        failure->error = reason.error;
        _exit(127);
    }
    return pid;
}

static pid_t start_apart(const struct spawn_plan *plan, int status_fd)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct spawn_failure reason = spawn_child(plan);
        (void)!write(status_fd, &reason, sizeof reason);
        _exit(127);
    }
    return pid;
}

static bool start_pid(const struct spawn_plan *plan, struct spawned *spawned, int status_write_fd,
                      struct spawn_failure *failure)
{
    volatile struct spawn_failure shared = {.error = 0};
    spawned->pid =
        status_write_fd >= 0 ? start_apart(plan, status_write_fd) : start_shared(plan, &shared);
    if (spawned->pid < 0) {
        *failure = (struct spawn_failure){.step = SPAWN_STEP_FORK, .error = errno};
        return false;
    }
    if (shared.error != 0) {
        *failure = (struct spawn_failure){.step = shared.step, .error = shared.error};
        waitpid(spawned->pid, NULL, 0);
        return false;
    }
    return true;
}

// A file in memory: nothing of it shows in the arguments or the environment. -1: none, or errno.
static int make_input(const char *input)
{
    int fd = input == NULL ? -1 : memfd_create("input", MFD_CLOEXEC);
    size_t length = input == NULL ? 0 : strlen(input);
    if (fd >= 0 && pwrite(fd, input, length, 0) != (ssize_t)length) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

static void close_pair(const int pair[2])
{
    if (pair[0] >= 0) {
        close(pair[0]);
        close(pair[1]);
    }
}

static bool start_with_pipes(struct spawn_plan *plan, const int output[2], const int status[2],
                             struct spawned *spawned_out, struct spawn_failure *failure)
{
    struct spawned spawned = {
        .output_fd = output[0], .status_fd = status[0], .input_fd = plan->own_input_fd};
    plan->output_fd = output[1];
    char *memory = find_programs(plan);
    bool started = start_pid(plan, &spawned, status[1], failure);
    free(memory);
    if (started) {
        *spawned_out = spawned;
    }
    return started;
}

bool spawn_start(const struct spawn_setting *setting, const struct launch *launch,
                 struct spawned *spawned_out, struct error *err)
{
    struct spawn_plan plan = {
        .setting = setting, .launch = launch, .own_input_fd = make_input(launch->input)};
    plan.input_fd = plan.own_input_fd >= 0 ? plan.own_input_fd : setting->null_fd;
    struct spawn_failure failure = {.step = SPAWN_STEP_PIPE};
    int output[2] = {-1, -1};
    int status[2] = {-1, -1};
    // Only our end is non-blocking: the two are separate, and programs do not expect it.
    if ((launch->input != NULL && plan.own_input_fd < 0) || pipe2(output, O_CLOEXEC) != 0 ||
        fcntl(output[0], F_SETFL, O_NONBLOCK) != 0 ||
        (launch->is_other_user && pipe2(status, O_CLOEXEC | O_NONBLOCK) != 0)) {
        failure.error = errno;
    }
    if (failure.error != 0 || !start_with_pipes(&plan, output, status, spawned_out, &failure)) {
        close_pair(output);
        close_pair(status);
        if (plan.own_input_fd >= 0) {
            close(plan.own_input_fd);
        }
        return failure_text(&failure, launch->argv[0], launch->user, err);
    }
    close(output[1]);
    if (status[1] >= 0) {
        close(status[1]);
    }
    return true;
}

enum spawn_progress spawn_status(int status_fd, const char *program, const char *user,
                                 struct error *err)
{
    struct spawn_failure failure = {.error = 0};
    ssize_t n = read(status_fd, &failure, sizeof failure);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return SPAWN_PENDING;
    }
    // The program's start closed the other end.
    if (n != (ssize_t)sizeof failure) {
        return SPAWN_RUNNING;
    }
    failure_text(&failure, program, user, err);
    return SPAWN_FAILED;
}
