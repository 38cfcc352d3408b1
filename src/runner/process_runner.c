// SPDX-License-Identifier: MIT
// The scheduler's side of the runner process: resolves what is to be started, queues messages,
// calls the events.
#include "runner/process_runner.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "runner/launch.h"
#include "runner/orphans.h"
#include "runner/supervisor.h"
#include "runner/table.h"
#include "runner/tree.h"
#include "time/clock.h"

#define QUEUE_MAX ((size_t)64 * 1024 * 1024)
#define STARTS_MAX                                                                                 \
    ((size_t)32 * 1024 * 1024) // of descriptions not yet started; stops and feeds have more
#define READ_MAX                                                                                   \
    16 // rounds in one call, so that a flood of output leaves the loop time for the rest

struct open_run {
    struct open_run *next, *previous;
    uint64_t run; // the caller's handle
    uint64_t tag;
    pid_t pid;          // 0 = not known yet
    size_t description; // bytes on their way; 0 once started
    char run_id[UUID_TEXT_SIZE];
};

struct process_runner {
    struct runner port; // first: the port is the whole
    struct channel channel;
    pid_t pid; // 0 = dead and buried
    struct open_run *runs;
    struct table by_run, by_tag;
    struct tree_family family;
    uint64_t next_tag;
    size_t descriptions;
    int64_t output_max;
    struct identity_cache identities;
    int unread;            // of what we said, by the last look; in the kernel's measure
    struct mono read_last; // when less than before was unread, or nothing
};

static struct process_runner *from_port(const struct runner *runner)
{
    return CONTAINER_OF((uintptr_t)runner, struct process_runner, port);
}

// ---- open runs ----------------------------------------------------------------------------------

static void open_run_add(struct process_runner *runner, const struct runner_start *start,
                         uint64_t tag, size_t description)
{
    struct open_run *run = alloc_zero(1, sizeof *run);
    *run = (struct open_run){
        .next = runner->runs, .run = start->run, .tag = tag, .description = description};
    uuid_format(start->run_id, run->run_id);
    if (runner->runs != NULL) {
        runner->runs->previous = run;
    }
    runner->runs = run;
    runner->descriptions += description;
    table_put(&runner->by_run, run->run, run);
    table_put(&runner->by_tag, run->tag, run);
}

static void open_run_arrived(struct process_runner *runner, struct open_run *run)
{
    runner->descriptions -= run->description;
    run->description = 0;
}

static void open_run_remove(struct process_runner *runner, struct open_run *run)
{
    open_run_arrived(runner, run);
    *(run->previous == NULL ? &runner->runs : &run->previous->next) = run->next;
    if (run->next != NULL) {
        run->next->previous = run->previous;
    }
    table_remove(&runner->by_run, run->run);
    table_remove(&runner->by_tag, run->tag);
    free(run);
}

// ---- the port -----------------------------------------------------------------------------------

static bool queue_start(struct process_runner *runner, const struct runner_start *start,
                        const struct identity *identity, struct error *err)
{
    uint64_t tag = runner->next_tag;
    size_t before = runner->channel.out.length;
    struct environment environment;
    environment_build(&environment, start, identity);
    bool fits =
        launch_encode(&runner->channel, tag, start, identity, &environment, runner->output_max);
    environment_release(&environment);
    if (!fits) {
        return error_set(
            err, ERROR_LIMIT,
            "the command, environment and parameters of job %s are over 256 KB: pass large "
            "data in a file",
            start->job->name);
    }
    runner->next_tag++;
    open_run_add(runner, start, tag, runner->channel.out.length - before);
    return true;
}

static bool start(struct runner *port, const struct runner_start *start, struct error *err)
{
    struct process_runner *runner = from_port(port);
    const struct job *job = start->job;
    CHECK(start->run != 0 && table_get(&runner->by_run, start->run) == NULL);
    CHECK(job->command->argv != NULL && job->command->argv[0] != NULL);
    if (runner->pid == 0) {
        return error_set(err, ERROR_SPAWN,
                         "cannot start job %s: the runner process is gone; another one is being "
                         "started, then run it again",
                         job->name);
    }
    if (runner->descriptions > STARTS_MAX) {
        return error_set(err, ERROR_LIMIT,
                         "cannot start job %s: the runner process has %zu MB of other starts to do "
                         "first; lower node.max_running, or give jobs less environment",
                         job->name, runner->descriptions >> 20);
    }
    const struct identity *identity = NULL;
    if (!identity_cache_get(&runner->identities, job->command->user, clock_mono(clock_system()),
                            &identity, err)) {
        return error_wrap(err, "cannot start job %s", job->name);
    }
    return queue_start(runner, start, identity, err);
}

static void stop(struct runner *port, uint64_t run, bool at_once)
{
    struct process_runner *runner = from_port(port);
    const struct open_run *open = table_get(&runner->by_run, run);
    if (open != NULL && runner->pid != 0) {
        message_begin(&runner->channel, MESSAGE_STOP, open->tag);
        message_put_number(&runner->channel, at_once);
        CHECK(message_end(&runner->channel));
    }
}

static void feed(struct runner *port, struct mono deadline)
{
    struct process_runner *runner = from_port(port);
    if (runner->pid != 0) {
        message_begin(&runner->channel, MESSAGE_FEED, 0);
        message_put_number(&runner->channel, (uint64_t)deadline.us);
        CHECK(message_end(&runner->channel));
        process_runner_write(port); // at once: the owner may be about to do something long
    }
}

static const struct runner_ops process_ops = {.start = start, .stop = stop, .feed = feed};

// ---- what the runner says -----------------------------------------------------------------------

static bool take_end(struct process_runner *runner, struct open_run *run, struct message *message)
{
    struct runner_end end = {
        .kind = (enum runner_end_kind)message_number(message),
        .exit_code = (int)message_number(message),
        .signal = (int)message_number(message),
        .leftovers = (int)message_number(message),
    };
    end.duration.us = (int64_t)message_number(message);
    end.cpu.us = (int64_t)message_number(message);
    end.memory_peak = (int64_t)message_number(message);
    end.output_bytes = (int64_t)message_number(message);
    end.output_cut = message_number(message) != 0;
    end.error = message_text(message);
    end.report = message_text(message);
    if (message->bad || end.kind > RUNNER_GONE) {
        return false;
    }
    uint64_t handle = run->run;
    open_run_remove(runner, run);
    runner->port.events.on_end(runner->port.events.context, handle, &end);
    return true;
}

static bool take_message(struct process_runner *runner, struct message *message)
{
    struct open_run *run = table_get(&runner->by_tag, message->tag);
    const struct runner_events *events = &runner->port.events;
    if (run == NULL) {
        return false;
    }
    switch (message->type) {
    case MESSAGE_STARTED:
        run->pid = (pid_t)message_number(message);
        open_run_arrived(runner, run);
        events->on_started(events->context, run->run, run->pid);
        return !message->bad;
    case MESSAGE_OUTPUT:
        events->on_output(events->context, run->run, message->bytes, message->length);
        return true;
    case MESSAGE_END:
        return take_end(runner, run, message);
    case MESSAGE_START:
    case MESSAGE_STOP:
    case MESSAGE_FEED:
        break;
    }
    return false;
}

// For the search of orphans without a tag.
static uint64_t recognise(void *context, const struct tree_process *process, const char *run_id)
{
    const struct process_runner *runner = context;
    for (const struct open_run *run = runner->runs; run != NULL; run = run->next) {
        if ((run->pid != 0 && process->session == run->pid) ||
            (run_id != NULL && strcmp(run_id, run->run_id) == 0)) {
            return run->tag;
        }
    }
    return 0;
}

// The runner is dead, or made no sense: nothing of its runs may stay when this returns.
static int bury_runner(struct process_runner *runner)
{
    kill(runner->pid, SIGKILL);
    while (waitpid(runner->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    runner->pid = 0;
    return orphans_kill(&runner->family);
}

static void end_all(struct process_runner *runner, const char *error)
{
    struct runner_end end = {.kind = RUNNER_GONE, .error = error};
    while (runner->runs != NULL) {
        uint64_t handle = runner->runs->run;
        open_run_remove(runner, runner->runs);
        runner->port.events.on_end(runner->port.events.context, handle, &end);
    }
}

bool process_runner_read(struct runner *port)
{
    struct process_runner *runner = from_port(port);
    bool alive = runner->pid != 0;
    bool more = alive;
    for (int i = 0; i < READ_MAX && more && alive; i++) {
        struct message message;
        bool corrupt = false;
        alive = channel_fill(&runner->channel, &more);
        while (channel_next(&runner->channel, &message, &corrupt)) {
            if (!take_message(runner, &message)) {
                corrupt = true;
                break;
            }
        }
        alive = alive && !corrupt;
    }
    if (!alive && runner->pid != 0) {
        int left = bury_runner(runner);
        end_all(runner, left == 0
                            ? "the runner process died, or ended everything at the trust deadline"
                            : "the runner process died; processes that hang inside the kernel "
                              "could not be ended yet");
    }
    return alive;
}

// ---- making and ending --------------------------------------------------------------------------

// Tags differ between runners and restarts, so that nobody ends what is not his. Never 0: small
// numbers have a meaning of their own.
static uint64_t random_first_tag(void)
{
    uint32_t salt = 0;
    CHECK(getrandom(&salt, sizeof salt, 0) == (ssize_t)sizeof salt);
    return ((uint64_t)(salt >> 4) + 1) * TREE_TAGS;
}

static struct process_runner *runner_new(const struct process_runner_options *options, int fd,
                                         pid_t pid, uint64_t first_tag)
{
    struct process_runner *runner = alloc_zero(1, sizeof *runner);
    *runner = (struct process_runner){
        .port = {.ops = &process_ops},
        .pid = pid,
        .family = {.root = getpid(), .first_tag = first_tag, .recognise = recognise},
        .next_tag = first_tag + 1,
        .output_max = options->output_max,
        .read_last = clock_mono(clock_system()),
    };
    runner->family.context = runner;
    channel_init(&runner->channel, fd, QUEUE_MAX);
    return runner;
}

// The runner blocks all signals as well: until it does they are none of its matter, and what the
// scheduler does at one must not be done in a copy of it.
static pid_t fork_deaf(void)
{
    sigset_t all, before;
    sigfillset(&all);
    CHECK(sigprocmask(SIG_SETMASK, &all, &before) == 0);
    pid_t pid = fork();
    int reason = errno;
    if (pid != 0) {
        CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
    }
    errno = reason;
    return pid;
}

bool process_runner_new(const struct process_runner_options *options, struct runner **runner_out,
                        struct error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        return error_set(err, ERROR_IO,
                         "cannot make the channel to the runner process: %s; raise the limit on "
                         "open files (ulimit -n, LimitNOFILE=)",
                         strerror(errno));
    }
    uint64_t first_tag = random_first_tag();
    pid_t pid = fork_deaf();
    if (pid < 0) {
        int reason = errno;
        close(pair[0]);
        close(pair[1]);
        return error_set(err, ERROR_SPAWN,
                         "cannot start the runner process: %s; raise the limit on processes "
                         "(ulimit -u, TasksMax=)",
                         strerror(reason));
    }
    if (pid == 0) {
        struct supervisor_options inner = {.channel_fd = pair[1],
                                           .lock_fd = options->lock_fd,
                                           .first_tag = first_tag,
                                           .deadline = options->deadline};
        supervisor_main(&inner);
    }
    close(pair[1]);
    // If the runner is killed, its orphans come to us, not to the system's first process.
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
    *runner_out = &runner_new(options, pair[0], pid, first_tag)->port;
    return true;
}

bool process_runner_kill_if_hung(struct runner *port, struct duration limit)
{
    struct process_runner *runner = from_port(port);
    struct mono now = clock_mono(clock_system());
    int unread = 0;
    if (runner->pid == 0 || ioctl(runner->channel.fd, SIOCOUTQ, &unread) != 0) {
        return false;
    }
    if (unread == 0 || unread < runner->unread) {
        runner->read_last = now;
    }
    runner->unread = unread;
    return mono_since(now, runner->read_last).us >= limit.us && kill(runner->pid, SIGKILL) == 0;
}

int process_runner_fd(const struct runner *runner)
{
    return from_port(runner)->channel.fd;
}

bool process_runner_wants_write(const struct runner *runner)
{
    const struct process_runner *process_runner = from_port(runner);
    return process_runner->pid != 0 && channel_has_output(&process_runner->channel);
}

void process_runner_write(struct runner *port)
{
    struct process_runner *runner = from_port(port);
    // A closed channel shows when it is read, where what the runner said last still is; what can't
    // be sent any more must not keep the owner writing.
    if (runner->pid != 0 && !channel_flush(&runner->channel)) {
        buf_clear(&runner->channel.out);
    }
}

int process_runner_pid(const struct runner *runner)
{
    return from_port(runner)->pid;
}

uint64_t process_runner_mark(const struct runner *runner)
{
    return from_port(runner)->family.first_tag;
}

static uint64_t recognise_nothing(void *context, const struct tree_process *process,
                                  const char *run_id)
{
    (void)context;
    (void)process;
    (void)run_id;
    return 0;
}

int process_runner_end_left(uint64_t mark)
{
    struct tree_family family = {
        .root = TREE_NO_ROOT, .first_tag = mark, .recognise = recognise_nothing};
    return orphans_kill(&family);
}

void process_runner_set_output_max(struct runner *runner, int64_t bytes)
{
    from_port(runner)->output_max = bytes;
}

void process_runner_free(struct runner *port)
{
    if (port == NULL) {
        return;
    }
    struct process_runner *runner = from_port(port);
    channel_release(&runner->channel);
    if (runner->pid != 0) {
        int status = 0;
        kill(runner->pid, SIGCONT); // a stopped one would never notice
        while (waitpid(runner->pid, &status, 0) < 0 && errno == EINTR) {
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            orphans_kill(&runner->family);
        }
    }
    while (runner->runs != NULL) {
        open_run_remove(runner, runner->runs);
    }
    table_release(&runner->by_run);
    table_release(&runner->by_tag);
    identity_cache_release(&runner->identities);
    free(runner);
}
