// SPDX-License-Identifier: MIT
// Output on its way to the scheduler, and the end of a run.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "runner/active.h"

// While more than this waits for the scheduler no pipe is read whose bytes would have to be kept:
// the writing processes wait, our memory does not grow.
#define CHANNEL_FULL ((size_t)2 * 1024 * 1024)
#define REPORT_MAX   8192
#define DRAIN_ROUNDS 32 // a pipe holds 1 MB at most; somebody outside the run could write for ever

static bool is_full(const struct supervisor *supervisor)
{
    return supervisor->channel.out.length > CHANNEL_FULL;
}

static void send_end(struct supervisor *supervisor, uint64_t tag, const struct runner_end *end)
{
    struct channel *channel = &supervisor->channel;
    message_begin(channel, MESSAGE_END, tag);
    message_put_number(channel, (uint64_t)end->kind);
    message_put_number(channel, (uint64_t)end->exit_code);
    message_put_number(channel, (uint64_t)end->signal);
    message_put_number(channel, (uint64_t)end->leftovers);
    message_put_number(channel, (uint64_t)end->duration.us);
    message_put_number(channel, (uint64_t)end->cpu.us);
    message_put_number(channel, (uint64_t)end->memory_peak);
    message_put_number(channel, (uint64_t)end->output_bytes);
    message_put_number(channel, end->output_cut);
    message_put_text(channel, end->error);
    message_put_text(channel, end->report);
    CHECK(message_end(channel));
}

static void send_output(struct supervisor *supervisor, uint64_t tag, const char *bytes,
                        size_t length)
{
    if (length > 0) {
        message_begin(&supervisor->channel, MESSAGE_OUTPUT, tag);
        message_put_bytes(&supervisor->channel, bytes, length);
        CHECK(message_end(&supervisor->channel));
    }
}

void report_started(struct supervisor *supervisor, const struct active *active)
{
    message_begin(&supervisor->channel, MESSAGE_STARTED, active->tag);
    message_put_number(&supervisor->channel, (uint64_t)active->leader);
    CHECK(message_end(&supervisor->channel));
}

void report_failed_start(struct supervisor *supervisor, uint64_t tag, enum runner_end_kind kind,
                         const char *error_or_null)
{
    struct runner_end end = {.kind = kind, .error = error_or_null};
    send_end(supervisor, tag, &end);
}

static void close_watched(struct supervisor *supervisor, int *fd)
{
    if (*fd >= 0) {
        // Explicitly: a child between fork and exec still holds a copy, which would keep it
        // watched.
        epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
        close(*fd);
        *fd = -1;
    }
}

void report_status(struct supervisor *supervisor, struct active *active)
{
    struct error err = ERROR_INIT;
    if (active->status_fd < 0) {
        return;
    }
    enum spawn_progress progress =
        spawn_status(active->status_fd, active->program, active->user, &err);
    if (progress == SPAWN_PENDING) {
        return;
    }
    close_watched(supervisor, &active->status_fd);
    if (progress == SPAWN_RUNNING) {
        report_started(supervisor, active);
        return;
    }
    active->spawn_failed = true;
    active->error = alloc_string(err.text);
}

// One read; false when there is nothing more for now, or for ever.
static bool read_once(struct supervisor *supervisor, struct active *active)
{
    ssize_t n = read(active->output_fd, supervisor->scratch, SCRATCH_SIZE);
    if (n > 0) {
        size_t head = 0;
        output_add(&active->output, supervisor->scratch, (size_t)n, &head);
        send_output(supervisor, active->tag, supervisor->scratch, head);
        return true;
    }
    // The end of the output is not the end of the run: a process may close it and live on.
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_watched(supervisor, &active->output_fd);
    }
    return false;
}

void report_output(struct supervisor *supervisor, struct active *active)
{
    if (active->output_fd < 0) {
        return;
    }
    if (active->output.head_left > 0 && is_full(supervisor)) {
        // Not watched at all: a closed pipe would be reported again and again.
        epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_DEL, active->output_fd, NULL);
        active->parked = true;
        return;
    }
    (void)read_once(supervisor, active);
}

void report_finish(struct supervisor *supervisor, struct active *active)
{
    for (int i = 0; i < DRAIN_ROUNDS && active->output_fd >= 0; i++) {
        if (!read_once(supervisor, active)) {
            break;
        }
    }
    close_watched(supervisor, &active->output_fd);
    close_watched(supervisor, &active->status_fd);
    heap_remove(&supervisor->timers, &active->timer);
    active->must_check = active->must_sweep = false;
    active->ended = supervisor->now;
    active->phase = ACTIVE_REPORTING;
}

static struct runner_end end_of(const struct active *active)
{
    int status = active->wait_status;
    struct runner_end end = {
        .kind = WIFSIGNALED(status) ? RUNNER_SIGNALLED : RUNNER_EXITED,
        .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .leftovers = active->leftovers,
        .duration = mono_since(active->ended, active->started),
        .cpu = active->cpu,
        .memory_peak = active->memory_peak,
        .output_bytes = active->output.total,
        .output_cut = active->output.left_out > 0,
        .error = active->error,
    };
    if (active->ended_by_us) {
        end.kind = active->cause;
    } else if (active->spawn_failed) {
        end.kind = RUNNER_SPAWN_FAILED;
    }
    return end;
}

static void bury(struct supervisor *supervisor, struct active *active)
{
    struct active **link =
        active->previous == NULL ? &supervisor->actives : &active->previous->next;
    *link = active->next;
    if (active->next != NULL) {
        active->next->previous = active->previous;
    }
    table_remove(&supervisor->by_tag, active->tag);
    active->next = supervisor->buried;
    supervisor->buried = active;
}

// False: it has none.
static bool read_report(const struct active *active, char report[REPORT_MAX + 1])
{
    if (active->input_fd < 0) {
        return false;
    }
    ssize_t length = pread(active->input_fd, report, REPORT_MAX, 0);
    report[length > 0 ? length : 0] = '\0';
    return true;
}

// The kept tail, piece by piece as there is room, then the end.
static void report_rest(struct supervisor *supervisor, struct active *active)
{
    if (!active->tail_begun) {
        char marker[OUTPUT_MARKER_SIZE];
        output_marker(&active->output, marker);
        send_output(supervisor, active->tag, marker, strlen(marker));
        active->tail_begun = true;
    }
    while (!is_full(supervisor)) {
        const char *piece = NULL;
        size_t length = output_take(&active->output, SCRATCH_SIZE, &piece);
        if (length == 0) {
            struct runner_end end = end_of(active);
            char report[REPORT_MAX + 1];
            end.report = read_report(active, report) ? report : NULL;
            send_end(supervisor, active->tag, &end);
            bury(supervisor, active);
            return;
        }
        send_output(supervisor, active->tag, piece, length);
    }
}

static void unpark(struct supervisor *supervisor, struct active *active)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &active->output_watch};
    if (active->output_fd >= 0) {
        CHECK(epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_ADD, active->output_fd, &event) == 0);
    }
    active->parked = false;
}

bool report_pump(struct supervisor *supervisor)
{
    struct active *next = NULL;
    for (struct active *active = supervisor->actives; active != NULL; active = next) {
        next = active->next;
        if (active->phase != ACTIVE_REPORTING && !active->parked) {
            continue;
        }
        if (is_full(supervisor)) {
            return true;
        }
        if (active->parked) {
            unpark(supervisor, active);
        }
        if (active->phase == ACTIVE_REPORTING) {
            report_rest(supervisor, active);
        }
    }
    return is_full(supervisor);
}
