// SPDX-License-Identifier: MIT
// Who ended, and who is left. The runner is the subreaper of all that it starts: when a run's first
// process is gone, whatever else of the run lives descends from a direct child of ours. So a run is
// over exactly when its first process is reaped and no adopted child belongs to it; no search
// through all processes is needed for a run that leaves nothing behind.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "runner/active.h"

static void *tag_value(uint64_t tag)
{
    return (void *)(uintptr_t)tag;
}

static uint64_t child_tag(const struct supervisor *supervisor, pid_t pid)
{
    return (uint64_t)(uintptr_t)table_get(&supervisor->children, (uint64_t)pid);
}

static void account(struct active *active, const struct rusage *usage)
{
    int64_t us = ((int64_t)usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 +
                 usage->ru_utime.tv_usec + usage->ru_stime.tv_usec;
    int64_t memory = (int64_t)usage->ru_maxrss * 1024;
    active->cpu.us += us;
    active->memory_peak = memory > active->memory_peak ? memory : active->memory_peak;
}

// Any run may have waited for it.
static void stray_ended(struct supervisor *supervisor)
{
    supervisor->strays--;
    for (struct active *active = supervisor->actives; active != NULL; active = active->next) {
        active->must_check = true;
    }
}

static void reap_one(struct supervisor *supervisor, pid_t pid)
{
    uint64_t tag = child_tag(supervisor, pid);
    bool known = tag != 0;
    if (!known) {
        // Still readable: the process is not reaped yet.
        tag = tree_tag(&supervisor->family, pid);
    }
    int status = 0;
    struct rusage usage;
    if (wait4(pid, &status, WNOHANG, &usage) != pid) {
        return;
    }
    table_remove(&supervisor->children, (uint64_t)pid);
    if (tag == CHILD_STRAY) {
        stray_ended(supervisor);
    }
    struct active *active = active_by_tag(supervisor, tag);
    if (active == NULL) {
        return;
    }
    account(active, &usage);
    active->must_check = true;
    if (pid == active->leader && !active->leader_gone) {
        active->leader_gone = true;
        active->wait_status = status;
    } else if (known) {
        active->adopted--;
    }
}

void reap_all(struct supervisor *supervisor)
{
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
            return;
        }
        reap_one(supervisor, info.si_pid);
    }
}

// For scans: a direct child without a tag is a first process that has not set it yet, or one of a
// run that could not (the hard limit is lower).
static uint64_t recognise(void *context, const struct tree_process *process, const char *run_id)
{
    const struct supervisor *supervisor = context;
    uint64_t known = child_tag(supervisor, process->pid);
    if (known > CHILD_FOREIGN) {
        return known;
    }
    for (struct active *active = supervisor->actives; active != NULL; active = active->next) {
        if (process->session == active->leader ||
            (run_id != NULL && strcmp(run_id, active->run_id) == 0)) {
            return active->tag;
        }
    }
    return 0;
}

void reap_family(struct supervisor *supervisor)
{
    supervisor->family.recognise = recognise;
    supervisor->family.context = supervisor;
}

static uint64_t tag_by_scan(struct supervisor *supervisor, pid_t pid, bool *scanned)
{
    if (!*scanned) {
        tree_scan(&supervisor->tree, &supervisor->family);
        *scanned = true;
    }
    for (size_t i = 0; i < supervisor->tree.count; i++) {
        if (supervisor->tree.processes[i].pid == pid) {
            return supervisor->tree.processes[i].tag;
        }
    }
    return 0;
}

static size_t list_children(struct supervisor *supervisor, bool *scanned)
{
    size_t count = 0;
    if (tree_children(&supervisor->pids, &count, &supervisor->pid_capacity)) {
        return count;
    }
    tree_scan(&supervisor->tree, &supervisor->family);
    *scanned = true;
    for (size_t i = 0; i < supervisor->tree.count; i++) {
        if (supervisor->tree.processes[i].parent == supervisor->family.root) {
            ARRAY_RESERVE(supervisor->pids, count, supervisor->pid_capacity);
            supervisor->pids[count++] = supervisor->tree.processes[i].pid;
        }
    }
    return count;
}

// It took off every mark: nobody answers for it, so it may not stay. It is our child, so the pid
// can't be somebody else's.
static void adopt_stray(struct supervisor *supervisor, pid_t pid)
{
    bool killed = kill(pid, SIGKILL) == 0;
    supervisor->strays += killed;
    table_put(&supervisor->children, (uint64_t)pid,
              tag_value(killed ? CHILD_STRAY : CHILD_FOREIGN));
}

// Finds out whose every child is that came to us since the last time.
static void adopt(struct supervisor *supervisor)
{
    bool scanned = false;
    size_t count = list_children(supervisor, &scanned);
    for (size_t i = 0; i < count; i++) {
        pid_t pid = supervisor->pids[i];
        if (child_tag(supervisor, pid) != 0) {
            continue;
        }
        uint64_t tag = tree_tag(&supervisor->family, pid);
        tag = tag != 0 ? tag : tag_by_scan(supervisor, pid, &scanned);
        struct active *active = active_by_tag(supervisor, tag);
        if (active == NULL) {
            adopt_stray(supervisor, pid);
            continue;
        }
        active->adopted++;
        table_put(&supervisor->children, (uint64_t)pid, tag_value(tag));
    }
}

static void check_one(struct supervisor *supervisor, struct active *active)
{
    if (!active->leader_gone) {
        return;
    }
    if (active->adopted == 0) {
        if (supervisor->strays > 0) {
            return;
        }
        report_status(supervisor, active);
        report_finish(supervisor, active);
    } else if (active->phase == ACTIVE_RUNNING) {
        ending_begin(supervisor, active, false);
    } else if (active->phase == ACTIVE_TERMINATING && active->leftovers == 0) {
        active->must_sweep = true; // to count them
    }
}

void reap_check(struct supervisor *supervisor)
{
    bool any = false;
    for (struct active *active = supervisor->actives; active != NULL; active = active->next) {
        any = any || (active->must_check && active->leader_gone);
    }
    if (any) {
        adopt(supervisor);
    }
    for (struct active *active = supervisor->actives; active != NULL; active = active->next) {
        if (active->must_check && active->phase != ACTIVE_REPORTING) {
            check_one(supervisor, active);
        }
        active->must_check = false;
    }
}
