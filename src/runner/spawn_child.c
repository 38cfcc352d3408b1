// SPDX-License-Identifier: MIT
#include "runner/spawn_child.h"

#include <errno.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "runner/tree.h"

static struct spawn_failure failed(enum spawn_step step)
{
    return (struct spawn_failure){.step = step, .error = errno};
}

static const struct spawn_failure none = {.error = 0};

static bool limit(__rlimit_resource_t resource, uint64_t soft, uint64_t hard)
{
    struct rlimit both = {.rlim_cur = soft, .rlim_max = hard};
    return setrlimit(resource, &both) == 0;
}

// Marks this process and all that will descend from it, whatever they do to sessions and
// environments. A process under a real-time scheduler is counted against this limit only after
// decades. Where the hard limit is lower it can't be set: the run is then known by its session and
// its environment.
static void set_tag(uint64_t tag)
{
    struct rlimit old;
    if (getrlimit(RLIMIT_RTTIME, &old) == 0) {
        (void)limit(RLIMIT_RTTIME, TREE_TAG_BASE + tag, old.rlim_max);
    }
}

static struct spawn_failure set_limits(const struct spawn_plan *plan)
{
    const struct job_limits *limits = &plan->launch->limits;
    struct rlimit old;
    uint64_t files = (uint64_t)limits->open_files;
    if (files > 0 && !limit(RLIMIT_NOFILE, files, files)) {
        return failed(SPAWN_STEP_OPEN_FILES);
    }
    if (files == 0 && getrlimit(RLIMIT_NOFILE, &old) == 0) {
        (void)limit(RLIMIT_NOFILE, plan->setting->open_files_own, old.rlim_max);
    }
    // The soft limit's SIGXCPU can be caught; the second after it can't.
    uint64_t seconds = (uint64_t)limits->cpu_time;
    if (seconds > 0 && !limit(RLIMIT_CPU, seconds, seconds + 1)) {
        return failed(SPAWN_STEP_CPU_TIME);
    }
    if (limits->nice != 0 && setpriority(PRIO_PROCESS, 0, limits->nice) != 0) {
        return failed(SPAWN_STEP_NICE);
    }
    set_tag(plan->launch->tag);
    return none;
}

static struct spawn_failure set_streams(const struct spawn_plan *plan)
{
    if (dup2(plan->input_fd, STDIN_FILENO) < 0 || dup2(plan->output_fd, STDOUT_FILENO) < 0 ||
        dup2(plan->output_fd, STDERR_FILENO) < 0) {
        return failed(SPAWN_STEP_STREAMS);
    }
    return none;
}

static struct spawn_failure drop_privileges(const struct launch *launch)
{
    uid_t before = geteuid();
    if (setgroups(launch->group_count, launch->groups) != 0) {
        return failed(SPAWN_STEP_GROUPS);
    }
    if (setresgid(launch->gid, launch->gid, launch->gid) != 0) {
        return failed(SPAWN_STEP_GID);
    }
    if (setresuid(launch->uid, launch->uid, launch->uid) != 0) {
        return failed(SPAWN_STEP_UID);
    }
    // A drop that can be undone is none.
    if (launch->uid != 0 && before != launch->uid && setresuid(before, before, before) == 0) {
        errno = EPERM;
        return failed(SPAWN_STEP_REGAIN);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return failed(SPAWN_STEP_PRIVILEGES);
    }
    return none;
}

static struct spawn_failure enter_directory(const struct launch *launch)
{
    if (launch->workdir != NULL) {
        return chdir(launch->workdir) == 0 ? none : failed(SPAWN_STEP_DIRECTORY);
    }
    return chdir(launch->home) == 0 || chdir("/") == 0 ? none : failed(SPAWN_STEP_DIRECTORY);
}

// As a shell looks for a command: what is missing is passed over, what may not be executed is
// remembered.
static struct spawn_failure execute(const struct spawn_plan *plan)
{
    int refused = 0;
    for (const char *const *program = plan->programs; *program != NULL; program++) {
        execve(*program, plan->launch->argv, plan->launch->envp);
        if (errno == EACCES) {
            refused = EACCES;
        } else if (errno != ENOENT && errno != ENOTDIR) {
            return failed(SPAWN_STEP_EXEC);
        }
    }
    errno = refused != 0 ? refused : ENOENT;
    return failed(SPAWN_STEP_EXEC);
}

// The parent-death signal must come after the change of user, which clears it; when the runner died
// before it was set, nobody would send it any more.
static struct spawn_failure bind_to_runner(const struct spawn_setting *setting)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return failed(SPAWN_STEP_PARENT);
    }
    if (getppid() != setting->runner) {
        errno = ESRCH;
        return failed(SPAWN_STEP_PARENT);
    }
    return none;
}

struct spawn_failure spawn_child(const struct spawn_plan *plan)
{
    const struct launch *launch = plan->launch;
    if (setsid() < 0) {
        return failed(SPAWN_STEP_SESSION);
    }
    struct spawn_failure failure = set_limits(plan);
    if (failure.error == 0) {
        failure = set_streams(plan);
    }
    if (failure.error == 0 && launch->is_other_user) {
        failure = drop_privileges(launch);
    }
    if (failure.error == 0) {
        failure = bind_to_runner(plan->setting);
    }
    if (failure.error == 0) {
        failure = enter_directory(launch);
    }
    if (failure.error != 0) {
        return failure;
    }
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
        return failed(SPAWN_STEP_DESCRIPTORS);
    }
    uint64_t memory = (uint64_t)launch->limits.memory;
    if (memory > 0 && !limit(RLIMIT_AS, memory, memory)) {
        return failed(SPAWN_STEP_MEMORY);
    }
    sigset_t nothing;
    sigemptyset(&nothing);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
    return execute(plan);
}
