// SPDX-License-Identifier: MIT
// The runner process's own view of one run, and the state of the runner process. Private to the
// files of this room that run inside it: supervisor.c (the loop), reap.c (who ended, who is left),
// ending.c (TERM, KILL), report.c (output and the end).
#pragma once

#include <sys/types.h>

#include "base/heap.h"
#include "runner/message.h"
#include "runner/output.h"
#include "runner/runner.h"
#include "runner/spawn.h"
#include "runner/table.h"
#include "runner/tree.h"

enum active_phase {
    ACTIVE_RUNNING,
    ACTIVE_TERMINATING, // TERM was sent, KILL comes at kill_at
    ACTIVE_KILLING,     // KILL again and again until nothing is left
    ACTIVE_REPORTING,   // nothing is left; output and end wait for room in the channel
};

enum watch_kind { WATCH_CHANNEL, WATCH_SIGNAL, WATCH_TIMER, WATCH_OUTPUT, WATCH_STATUS };
struct watch {
    enum watch_kind kind;
    struct active *active; // of output and status
};

struct active {
    struct active *next, *previous;
    uint64_t tag;
    char *run_id;
    char *program;
    char *user;
    pid_t leader;
    bool leader_gone; // and reaped
    int wait_status;
    enum active_phase phase;
    // We ended it, and why; otherwise the first process's own end counts.
    bool ended_by_us;
    enum runner_end_kind cause;
    bool spawn_failed;
    char *error;
    struct mono started, ended;
    struct duration kill_after;
    struct heap_node timer;
    struct mono wake_at; // timeout, KILL, or the next try to kill
    struct duration backoff;
    int kill_rounds;
    bool must_check; // a process of it ended
    bool must_sweep; // its processes must be looked for
    bool term_sent;
    int adopted; // direct children of ours, the first one not counted, that belong to it
    int leftovers;
    struct duration cpu;
    int64_t memory_peak;
    struct output output;
    int output_fd, status_fd; // -1 = closed
    int input_fd;             // where its report will be; -1 = it has none
    bool parked;              // output is not read while the scheduler does not read
    bool tail_begun;
    struct watch output_watch, status_watch;
};

struct pending { // a start that was not carried out yet
    struct pending *next;
    uint64_t tag;
    size_t length;
    char *bytes; // the message's body
};

struct supervisor {
    struct channel channel;
    int epoll_fd, signal_fd, timer_fd;
    struct watch channel_watch, signal_watch, timer_watch;
    bool channel_wants_write;
    struct spawn_setting setting;
    struct tree_family family;
    struct tree tree;
    struct table by_tag;   // tag → struct active
    struct table children; // pid → tag, or CHILD_STRAY, CHILD_FOREIGN
    int strays;            // killed and not yet reaped: perhaps of the run that ends now
    struct active *actives;
    struct active *buried; // freed at the end of the turn: events of this turn may still name them
    struct heap timers;
    struct mono now; // one for each turn
    struct mono deadline;
    struct mono armed; // what the timer is set to
    struct pending *pending_first, *pending_last;
    pid_t *pids;
    size_t pid_capacity;
    char *scratch; // SCRATCH_SIZE, for reading output
};

#define SCRATCH_SIZE ((size_t)64 * 1024)
// Instead of a tag (those are larger): of no run that we know. Killed, or not ours to kill.
#define CHILD_STRAY   ((uint64_t)1)
#define CHILD_FOREIGN ((uint64_t)2)

static inline struct active *active_by_tag(const struct supervisor *supervisor, uint64_t tag)
{
    return table_get(&supervisor->by_tag, tag);
}

void active_wake(struct supervisor *supervisor, struct active *active, struct mono at);

// ---- reap.c
void reap_all(struct supervisor *supervisor);
// Decides for every run of which a process ended whether it is over.
void reap_check(struct supervisor *supervisor);
void reap_family(struct supervisor *supervisor); // prepares the scans

// ---- ending.c
void ending_begin(struct supervisor *supervisor, struct active *active, bool at_once);
void ending_wake(struct supervisor *supervisor, struct active *active); // its timer came
void ending_sweep(struct supervisor *supervisor);
void ending_everything(struct supervisor *supervisor); // returns when no process is left

// ---- report.c
void report_started(struct supervisor *supervisor, const struct active *active);
// The program runs, or could not be started: what a child that was forked apart says.
void report_status(struct supervisor *supervisor, struct active *active);
void report_output(struct supervisor *supervisor, struct active *active); // its pipe is readable
void report_finish(struct supervisor *supervisor, struct active *active); // nothing of it is left
// Goes on with what waits, as far as the channel has room. True: it is full, and something may
// still wait.
bool report_pump(struct supervisor *supervisor);
// A start that did not become a run.
void report_failed_start(struct supervisor *supervisor, uint64_t tag, enum runner_end_kind kind,
                         const char *error_or_null);
