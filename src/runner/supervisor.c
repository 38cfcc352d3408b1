// SPDX-License-Identifier: MIT
#include "runner/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "runner/active.h"
#include "runner/launch.h"
#include "time/clock.h"

#define EVENTS_MAX    64
#define STARTS_A_TURN 16 // so that many starts do not keep us from reading output and deadlines
// Never reached: report.c stops reading long before.
#define OUT_MAX ((size_t)1024 * 1024 * 1024)

// ---- becoming the runner ------------------------------------------------------------------------

// Signals are for the scheduler: a Ctrl-C at the terminal reaches it, and it drains. All are
// blocked and at their defaults here, which is also what children start from; SIGCHLD comes as a
// descriptor.
static void take_signals(struct supervisor *supervisor)
{
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction standard = {.sa_handler = SIG_DFL};
        (void)sigaction(signal, &standard, NULL);
    }
    sigset_t all, child;
    sigfillset(&all);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
    supervisor->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    CHECK(supervisor->signal_fd >= 0);
}

static void close_between(int first, int last)
{
    if (first <= last) {
        close_range((unsigned)first, (unsigned)last, 0);
    }
}

// Only the channel, the lock and standard error stay: a copied listening socket would keep its port
// taken.
static void keep_descriptors(const struct supervisor_options *options)
{
    int low = options->channel_fd < options->lock_fd ? options->channel_fd : options->lock_fd;
    int high = options->channel_fd > options->lock_fd ? options->channel_fd : options->lock_fd;
    low = low < 0 ? high : low;
    close_between(3, low - 1);
    close_between(low + 1, high - 1);
    close_range((unsigned)high + 1, ~0U, 0);
    (void)fcntl(low, F_SETFD, FD_CLOEXEC);
    (void)fcntl(high, F_SETFD, FD_CLOEXEC);
}

static void take_limits(struct supervisor *supervisor)
{
    struct rlimit files;
    CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
    supervisor->setting.open_files_own = files.rlim_cur;
    files.rlim_cur = files.rlim_max; // one descriptor for each run
    (void)setrlimit(RLIMIT_NOFILE, &files);
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    umask(022);
}

static void become_runner(struct supervisor *supervisor, const struct supervisor_options *options)
{
    keep_descriptors(options);
    setsid();
    CHECK(prctl(PR_SET_NAME, "ironcron-runner", 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
    take_signals(supervisor);
    take_limits(supervisor);
    supervisor->setting.runner = getpid();
    supervisor->setting.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(supervisor->setting.null_fd >= 0);
    dup2(supervisor->setting.null_fd, STDIN_FILENO);
    dup2(supervisor->setting.null_fd, STDOUT_FILENO);
}

static void watch(struct supervisor *supervisor, int fd, struct watch *watch)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};
    CHECK(epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
}

static bool wakes_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct active *x = CONTAINER_OF((uintptr_t)a, const struct active, timer);
    const struct active *y = CONTAINER_OF((uintptr_t)b, const struct active, timer);
    return x->wake_at.us != y->wake_at.us ? x->wake_at.us < y->wake_at.us : x->tag < y->tag;
}

static void supervisor_init(struct supervisor *supervisor, const struct supervisor_options *options)
{
    become_runner(supervisor, options);
    channel_init(&supervisor->channel, options->channel_fd, OUT_MAX);
    supervisor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    // A clock that goes on during suspend: after it, what is overdue is due at once.
    supervisor->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    CHECK(supervisor->epoll_fd >= 0 && supervisor->timer_fd >= 0);
    supervisor->channel_watch.kind = WATCH_CHANNEL;
    supervisor->signal_watch.kind = WATCH_SIGNAL;
    supervisor->timer_watch.kind = WATCH_TIMER;
    watch(supervisor, options->channel_fd, &supervisor->channel_watch);
    watch(supervisor, supervisor->signal_fd, &supervisor->signal_watch);
    watch(supervisor, supervisor->timer_fd, &supervisor->timer_watch);
    heap_init(&supervisor->timers, wakes_before);
    supervisor->family.root = getpid();
    supervisor->family.first_tag = options->first_tag;
    reap_family(supervisor);
    supervisor->deadline = options->deadline;
    supervisor->armed = MONO_NEVER;
    supervisor->scratch = alloc_zero(SCRATCH_SIZE, 1);
}

// ---- starting -----------------------------------------------------------------------------------

void active_wake(struct supervisor *supervisor, struct active *active, struct mono at)
{
    heap_remove(&supervisor->timers, &active->timer);
    active->wake_at = at;
    heap_push(&supervisor->timers, &active->timer);
}

static struct active *active_new(struct supervisor *supervisor, const struct launch *launch,
                                 const struct spawned *spawned)
{
    struct active *active = alloc_zero(1, sizeof *active);
    *active = (struct active){
        .next = supervisor->actives,
        .tag = launch->tag,
        .run_id = alloc_string(launch->run_id),
        .program = alloc_string(launch->argv[0]),
        .user = alloc_string(launch->user),
        .leader = spawned->pid,
        .started = supervisor->now,
        .kill_after = launch->kill_after,
        .output_fd = spawned->output_fd,
        .status_fd = spawned->status_fd,
        .input_fd = spawned->input_fd,
        .output_watch = {.kind = WATCH_OUTPUT, .active = active},
        .status_watch = {.kind = WATCH_STATUS, .active = active},
    };
    output_init(&active->output, launch->output_max);
    if (supervisor->actives != NULL) {
        supervisor->actives->previous = active;
    }
    supervisor->actives = active;
    table_put(&supervisor->by_tag, active->tag, active);
    table_put(&supervisor->children, (uint64_t)active->leader, (void *)(uintptr_t)active->tag);
    return active;
}

static void active_free(struct active *active)
{
    output_release(&active->output);
    if (active->input_fd >= 0) {
        close(active->input_fd);
    }
    free(active->run_id);
    free(active->program);
    free(active->user);
    free(active->error);
    free(active);
}

static void start(struct supervisor *supervisor, const struct launch *launch)
{
    struct spawned spawned;
    struct error err = ERROR_INIT;
    if (!spawn_start(&supervisor->setting, launch, &spawned, &err)) {
        report_failed_start(supervisor, launch->tag, RUNNER_SPAWN_FAILED, err.text);
        return;
    }
    struct active *active = active_new(supervisor, launch, &spawned);
    watch(supervisor, active->output_fd, &active->output_watch);
    if (active->status_fd >= 0) {
        watch(supervisor, active->status_fd, &active->status_watch);
    } else {
        report_started(supervisor, active);
    }
    if (launch->timeout.us > 0) {
        active_wake(supervisor, active, mono_add(active->started, launch->timeout));
    }
}

static void pending_add(struct supervisor *supervisor, const struct message *message)
{
    struct pending *pending = alloc_zero(1, sizeof *pending);
    *pending = (struct pending){.tag = message->tag,
                                .length = message->length,
                                .bytes = alloc_bytes(message->bytes, message->length)};
    if (supervisor->pending_first == NULL) {
        supervisor->pending_first = pending;
    } else {
        supervisor->pending_last->next = pending;
    }
    supervisor->pending_last = pending;
}

static void pending_free(struct pending *pending)
{
    free(pending->bytes);
    free(pending);
}

static void start_pending(struct supervisor *supervisor)
{
    for (int i = 0; i < STARTS_A_TURN && supervisor->pending_first != NULL; i++) {
        struct pending *pending = supervisor->pending_first;
        supervisor->pending_first = pending->next;
        struct message message = {
            .tag = pending->tag, .bytes = pending->bytes, .length = pending->length};
        struct launch launch;
        CHECK(launch_decode(&message, &launch));
        start(supervisor, &launch);
        launch_release(&launch);
        pending_free(pending);
    }
}

static bool pending_cancel(struct supervisor *supervisor, uint64_t tag)
{
    struct pending *before = NULL;
    for (struct pending *pending = supervisor->pending_first; pending != NULL;
         before = pending, pending = pending->next) {
        if (pending->tag == tag) {
            *(before == NULL ? &supervisor->pending_first : &before->next) = pending->next;
            if (pending->next == NULL) {
                supervisor->pending_last = before;
            }
            pending_free(pending);
            report_failed_start(supervisor, tag, RUNNER_CANCELLED, NULL);
            return true;
        }
    }
    return false;
}

// ---- messages -----------------------------------------------------------------------------------

static void stop(struct supervisor *supervisor, uint64_t tag, bool at_once)
{
    struct active *active = active_by_tag(supervisor, tag);
    if (active == NULL) {
        (void)pending_cancel(supervisor, tag);
        return;
    }
    if (active->phase == ACTIVE_RUNNING) {
        active->ended_by_us = true;
        active->cause = RUNNER_CANCELLED;
    }
    if (active->phase != ACTIVE_REPORTING) {
        ending_begin(supervisor, active, at_once);
    }
}

// False: the scheduler is gone, or speaks another language.
static bool take_messages(struct supervisor *supervisor, bool *more_out)
{
    bool corrupt = false;
    struct message message;
    bool alive = channel_fill(&supervisor->channel, more_out);
    while (channel_next(&supervisor->channel, &message, &corrupt)) {
        switch (message.type) {
        case MESSAGE_START:
            pending_add(supervisor, &message);
            break;
        case MESSAGE_STOP:
            stop(supervisor, message.tag, message_number(&message) != 0);
            break;
        case MESSAGE_FEED:
            supervisor->deadline.us = (int64_t)message_number(&message);
            break;
        case MESSAGE_STARTED:
        case MESSAGE_OUTPUT:
        case MESSAGE_END:
            return false;
        }
    }
    return alive && !corrupt;
}

// ---- the loop -----------------------------------------------------------------------------------

struct turn {
    bool messages; // the channel has something, or is closed
    bool exits;    // a child ended
};

static void take_event(struct supervisor *supervisor, const struct watch *watch, struct turn *turn)
{
    uint64_t expirations;
    struct signalfd_siginfo info;
    switch (watch->kind) {
    case WATCH_CHANNEL:
        turn->messages = true;
        break;
    case WATCH_SIGNAL:
        (void)!read(supervisor->signal_fd, &info, sizeof info);
        turn->exits = true;
        break;
    case WATCH_TIMER:
        (void)!read(supervisor->timer_fd, &expirations, sizeof expirations);
        supervisor->armed = MONO_NEVER;
        break;
    case WATCH_OUTPUT:
        report_output(supervisor, watch->active);
        break;
    case WATCH_STATUS:
        report_status(supervisor, watch->active);
        break;
    }
}

static void wait_for_events(struct supervisor *supervisor, bool idle, struct turn *turn)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(supervisor->epoll_fd, events, EVENTS_MAX, idle ? -1 : 0);
    supervisor->now = clock_mono(clock_system());
    for (int i = 0; i < count; i++) {
        take_event(supervisor, events[i].data.ptr, turn);
    }
}

// The deadline is for what runs. Where nothing does it ends nothing: the next word may come later.
static bool is_idle(const struct supervisor *supervisor)
{
    return supervisor->actives == NULL && supervisor->pending_first == NULL;
}

static void arm_timer(struct supervisor *supervisor)
{
    struct mono next = is_idle(supervisor) ? MONO_NEVER : supervisor->deadline;
    const struct heap_node *top = heap_top(&supervisor->timers);
    if (top != NULL) {
        const struct active *active = CONTAINER_OF((uintptr_t)top, const struct active, timer);
        next = mono_before(active->wake_at, next) ? active->wake_at : next;
    }
    if (next.us == supervisor->armed.us) {
        return;
    }
    int64_t us = next.us < 1 ? 1 : next.us;
    struct itimerspec at = {.it_value = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}};
    if (next.us == MONO_NEVER.us) {
        at = (struct itimerspec){0};
    }
    CHECK(timerfd_settime(supervisor->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0);
    supervisor->armed = next;
}

static void fire_timers(struct supervisor *supervisor)
{
    for (;;) {
        struct heap_node *top = heap_top(&supervisor->timers);
        if (top == NULL) {
            return;
        }
        struct active *active = CONTAINER_OF(top, struct active, timer);
        if (mono_before(supervisor->now, active->wake_at)) {
            return;
        }
        heap_remove(&supervisor->timers, top);
        ending_wake(supervisor, active);
    }
}

static bool flush(struct supervisor *supervisor)
{
    bool alive = channel_flush(&supervisor->channel);
    bool wants_write = channel_has_output(&supervisor->channel);
    if (wants_write != supervisor->channel_wants_write) {
        struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0u),
                                    .data.ptr = &supervisor->channel_watch};
        CHECK(epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_MOD, supervisor->channel.fd, &event) == 0);
        supervisor->channel_wants_write = wants_write;
    }
    return alive;
}

static void free_buried(struct supervisor *supervisor)
{
    while (supervisor->buried != NULL) {
        struct active *active = supervisor->buried;
        supervisor->buried = active->next;
        active_free(active);
    }
}

// One turn; false: the end has come.
static bool supervisor_turn(struct supervisor *supervisor, bool *busy)
{
    struct turn turn = {.messages = *busy};
    wait_for_events(supervisor, !*busy, &turn);
    bool more = false;
    if (turn.messages && !take_messages(supervisor, &more)) {
        return false;
    }
    if (turn.exits) {
        reap_all(supervisor);
    }
    // After the messages: a deadline that was prolonged in time counts, however late we read it.
    if (!is_idle(supervisor) && !mono_before(supervisor->now, supervisor->deadline)) {
        return false;
    }
    start_pending(supervisor);
    fire_timers(supervisor);
    reap_check(supervisor);
    ending_sweep(supervisor);
    bool waits = report_pump(supervisor);
    bool alive = flush(supervisor);
    free_buried(supervisor);
    arm_timer(supervisor);
    // What waits goes on when the channel says that it has room; when it took everything at once,
    // it won't.
    *busy = more || supervisor->pending_first != NULL ||
            (waits && !channel_has_output(&supervisor->channel));
    return alive;
}

void supervisor_main(const struct supervisor_options *options)
{
    struct supervisor supervisor = {0};
    supervisor_init(&supervisor, options);
    bool busy = false;
    arm_timer(&supervisor);
    while (supervisor_turn(&supervisor, &busy)) {
    }
    ending_everything(&supervisor);
    _exit(0);
}
