// SPDX-License-Identifier: MIT
// The end of a run that does not end by itself: TERM to every process, KILL to what is left after
// kill_after, repeated until nothing is.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "runner/active.h"
#include "time/clock.h"

#define FIRST_RETRY    DURATION_MS(2)
#define LAST_RETRY     DURATION_S(1)
#define STOP_ROUNDS    8  // of stopping what was forked while we stopped the others
#define REFUSED_ROUNDS 12 // then we give up on processes that the system does not let us signal

static void kill_now(struct supervisor *supervisor, struct active *active)
{
    active->phase = ACTIVE_KILLING;
    active->must_sweep = true;
    active->backoff = FIRST_RETRY;
    active_wake(supervisor, active, mono_add(supervisor->now, active->backoff));
}

void ending_begin(struct supervisor *supervisor, struct active *active, bool at_once)
{
    if (at_once || active->kill_after.us <= 0) {
        if (active->phase != ACTIVE_KILLING) {
            kill_now(supervisor, active);
        }
        return;
    }
    if (active->phase == ACTIVE_RUNNING) {
        active->phase = ACTIVE_TERMINATING;
        active->must_sweep = true;
        active_wake(supervisor, active, mono_add(supervisor->now, active->kill_after));
    }
}

void ending_wake(struct supervisor *supervisor, struct active *active)
{
    switch (active->phase) {
    case ACTIVE_RUNNING:
        active->ended_by_us = true;
        active->cause = RUNNER_TIMED_OUT;
        ending_begin(supervisor, active, false);
        break;
    case ACTIVE_TERMINATING:
        kill_now(supervisor, active);
        break;
    case ACTIVE_KILLING:
        active->must_sweep = true;
        active->must_check = true;
        active->backoff.us =
            active->backoff.us * 2 < LAST_RETRY.us ? active->backoff.us * 2 : LAST_RETRY.us;
        active_wake(supervisor, active, mono_add(supervisor->now, active->backoff));
        break;
    case ACTIVE_REPORTING:
        break;
    }
}

// Only what lives: an ended process waits for its parent, which is ended as well.
static struct active *swept(const struct supervisor *supervisor, const struct tree_process *process)
{
    if (process->zombie) {
        return NULL;
    }
    struct active *active = active_by_tag(supervisor, process->tag);
    return active != NULL && active->must_sweep ? active : NULL;
}

// Runs that fork faster than one look can kill are stopped first: what is stopped forks no more.
static void stop_all(struct supervisor *supervisor)
{
    for (int round = 0; round < STOP_ROUNDS; round++) {
        bool any = false;
        for (size_t i = 0; i < supervisor->tree.count; i++) {
            const struct tree_process *process = &supervisor->tree.processes[i];
            const struct active *active = swept(supervisor, process);
            if (active != NULL && active->phase == ACTIVE_KILLING && active->kill_rounds > 0 &&
                !process->stopped) {
                any = true;
                tree_signal(process, SIGSTOP);
            }
        }
        if (!any) {
            return;
        }
        tree_scan(&supervisor->tree, &supervisor->family);
    }
}

struct sweep_count {
    int living, refused;
};

static void signal_one(struct active *active, const struct tree_process *process,
                       struct sweep_count *count)
{
    count->living++;
    if (active->phase == ACTIVE_KILLING) {
        count->refused += !tree_signal(process, SIGKILL);
    } else if (!active->term_sent) {
        tree_signal(process, SIGTERM);
        tree_signal(process, SIGCONT); // a stopped process would not notice
    }
}

static void give_up(struct supervisor *supervisor, struct active *active, int refused)
{
    char text[256];
    snprintf(text, sizeof text,
             "processes of the run (%d) took another user's rights and could not be ended: run "
             "ironcron as root, or start them through the service manager",
             refused);
    free(active->error);
    active->error = alloc_string(text);
    report_finish(supervisor, active);
}

static void sweep_one(struct supervisor *supervisor, struct active *active)
{
    struct sweep_count count = {0};
    for (size_t i = 0; i < supervisor->tree.count; i++) {
        if (swept(supervisor, &supervisor->tree.processes[i]) == active) {
            signal_one(active, &supervisor->tree.processes[i], &count);
        }
    }
    active->must_sweep = false;
    // Counted once, at the first look after the first process: what we kill takes a while to go.
    if (active->leader_gone && active->leftovers == 0 && active->kill_rounds == 0) {
        active->leftovers = count.living;
    }
    if (active->phase == ACTIVE_TERMINATING) {
        active->term_sent = true;
        return;
    }
    active->kill_rounds++;
    if (active->leader_gone && count.refused > 0 && count.refused == count.living &&
        active->kill_rounds > REFUSED_ROUNDS) {
        give_up(supervisor, active, count.refused);
    }
}

void ending_sweep(struct supervisor *supervisor)
{
    bool any = false;
    for (struct active *active = supervisor->actives; active != NULL; active = active->next) {
        any = any || active->must_sweep;
    }
    if (!any) {
        return;
    }
    tree_scan(&supervisor->tree, &supervisor->family);
    stop_all(supervisor);
    for (struct active *active = supervisor->actives; active != NULL; active = active->next) {
        if (active->must_sweep) {
            sweep_one(supervisor, active);
        }
    }
}

static void wait_for_end(const struct supervisor *supervisor, int timeout_ms)
{
    struct pollfd ready = {.fd = supervisor->signal_fd, .events = POLLIN};
    struct signalfd_siginfo info;
    if (poll(&ready, 1, timeout_ms) == 1) {
        (void)!read(supervisor->signal_fd, &info, sizeof info);
    }
}

// Everything that descends from us or carries one of our tags. Returns how many may still end.
static int kill_round(struct supervisor *supervisor, int round)
{
    int living = 0;
    int refused = 0;
    tree_scan(&supervisor->tree, &supervisor->family);
    for (int signal = round == 0 ? SIGKILL : SIGSTOP;; signal = SIGKILL) {
        living = refused = 0;
        for (size_t i = 0; i < supervisor->tree.count; i++) {
            const struct tree_process *process = &supervisor->tree.processes[i];
            if (!process->zombie && (process->descendant || process->tag != 0)) {
                living++;
                refused += !tree_signal(process, signal);
            }
        }
        if (signal == SIGKILL) {
            break;
        }
    }
    return round > REFUSED_ROUNDS ? living - refused : living;
}

static bool has_no_child(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
}

void ending_everything(struct supervisor *supervisor)
{
    // The groups first, without a look at /proc: most processes are gone before it was read.
    for (struct active *active = supervisor->actives; active != NULL; active = active->next) {
        if (!active->leader_gone) {
            kill(-active->leader, SIGKILL);
            kill(active->leader, SIGKILL); // it may not lead its group yet
        }
    }
    reap_all(supervisor);
    for (int round = 0;; round++) {
        int living = kill_round(supervisor, round);
        reap_all(supervisor);
        // The dead must be reaped as well: what we leave would come to the scheduler.
        if (living == 0 && (has_no_child() || round > REFUSED_ROUNDS)) {
            return;
        }
        wait_for_end(supervisor, round < 6 ? 2 << round : 100);
    }
}
