// SPDX-License-Identifier: MIT
#include "serve/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/problem.h"

#define CHANNEL     3              // descriptor of a copy
#define WAIT_MOST   DURATION_S(5)  // for one's turn
#define ANSWER_MOST DURATION_S(25) // less than a client is given to take its answer
#define FRAME_MAX   (HTTP_RESPONSE_MAX + 65536)
#define PIECE       ((size_t)256 * 1024) // read in one turn of the loop

struct aside {
    struct asides *all;
    struct aside *next;
    struct mono asked_at;
    bool has_begun, is_over, is_forgotten, is_late;
    pid_t pid; // 0 = none, or it is reaped
    int pidfd;
    int fd;
    uv_poll_t *poll;   // NULL = nothing more comes
    struct buf frames; // what came and is not taken yet
    bool has_answer;
    struct http_response answer;
};

// ---- what is told -------------------------------------------------------------------------------

// Both sides are the same program: addresses of what is static are the same, too.
enum frame_kind { FRAME_WRITTEN, FRAME_EVENT, FRAME_ANSWER };
struct frame {
    enum frame_kind kind;
    const char *name;              // EVENT
    struct http_response response; // ANSWER, without its body
    size_t length;                 // of what follows
};

static void send_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = write(fd, at, length);
        if (sent < 0 && errno != EINTR) {
            _exit(1); // nobody listens any more
        }
        at += sent > 0 ? sent : 0;
        length -= sent > 0 ? (size_t)sent : 0;
    }
}

static void send_frame(int fd, const struct frame *frame, const char *bytes)
{
    send_all(fd, frame, sizeof *frame);
    send_all(fd, bytes, frame->length);
}

void aside_tell_written(struct aside_channel *channel)
{
    send_frame(channel->fd, &(struct frame){.kind = FRAME_WRITTEN}, "");
}

void aside_tell_event(struct aside_channel *channel, const char *name, json_t *event)
{
    char *text = json_dumps(event, JSON_COMPACT);
    json_decref(event);
    send_frame(channel->fd,
               &(struct frame){.kind = FRAME_EVENT, .name = name, .length = strlen(text)}, text);
    free(text);
}

static void send_answer(int fd, const struct http_response *response)
{
    struct frame frame = {
        .kind = FRAME_ANSWER, .response = *response, .length = response->body.length};
    send_frame(fd, &frame, response->body.data);
}

static void take_frame(struct aside *aside, const struct frame *frame, const char *bytes)
{
    struct asides *all = aside->all;
    switch (frame->kind) {
    case FRAME_WRITTEN:
        all->on_written(all->context);
        break;
    case FRAME_EVENT:
        all->on_event(all->context, frame->name, json_loadb(bytes, frame->length, 0, NULL));
        break;
    case FRAME_ANSWER:
        aside->has_answer = true;
        aside->answer = frame->response;
        buf_init(&aside->answer.body, HTTP_RESPONSE_MAX);
        buf_add(&aside->answer.body, bytes, frame->length);
        break;
    }
}

static void take_frames(struct aside *aside)
{
    struct frame frame;
    size_t at = 0;
    while (aside->frames.length - at >= sizeof frame) {
        memcpy(&frame, aside->frames.data + at, sizeof frame);
        if (aside->frames.length - at - sizeof frame < frame.length) {
            break;
        }
        take_frame(aside, &frame, aside->frames.data + at + sizeof frame);
        at += sizeof frame + frame.length;
    }
    buf_remove_front(&aside->frames, at);
}

// ---- its process --------------------------------------------------------------------------------

static void end_process(const struct aside *aside)
{
    if (aside->pid > 0) {
        (void)pidfd_send_signal(aside->pidfd, SIGKILL, NULL, 0);
    }
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void stop_listening(struct aside *aside)
{
    if (aside->poll != NULL) {
        uv_poll_stop(aside->poll);
        uv_close((uv_handle_t *)aside->poll, free_handle);
        aside->poll = NULL;
        close(aside->fd);
        aside->all->running--;
    }
}

static void on_end(struct aside *aside)
{
    stop_listening(aside);
    end_process(aside);
    aside->is_over = true;
    buf_release(&aside->frames);
    aside->all->on_answer(aside->all->context);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct aside *aside = poll->data;
    char *bytes = alloc_zero(PIECE, 1);
    ssize_t length = read(aside->fd, bytes, PIECE);
    if (length > 0) {
        buf_add(&aside->frames, bytes, (size_t)length);
        take_frames(aside);
    }
    free(bytes);
    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR) ||
        aside->frames.overflow || aside->has_answer) {
        on_end(aside);
    }
}

// The copy lets go of everything that is the node's: its lock, its runner, its connections. What
// signals do to it is what they do to anybody.
static void become_aside(int fd, pid_t parent)
{
    sigset_t none;
    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, number == SIGPIPE ? SIG_IGN : SIG_DFL);
    }
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool has_channel = fd == CHANNEL || dup3(fd, CHANNEL, O_CLOEXEC) == CHANNEL;
    if (getppid() != parent || !has_channel || close_range(CHANNEL + 1, ~0U, 0) != 0) {
        _exit(1);
    }
}

static pid_t copy(const int ends[2], aside_work_fn *work, void *context,
                  const struct http_request *request)
{
    pid_t parent = getpid();
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        struct http_response response;
        struct aside_channel channel = {.fd = CHANNEL};
        become_aside(ends[1], parent);
        http_response_init(&response);
        work(context, &channel, request, &response);
        send_answer(channel.fd, &response);
        _exit(0);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static bool begin(struct aside *aside, aside_work_fn *work, void *context,
                  const struct http_request *request)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    pid_t pid = copy(ends, work, context, request);
    close(ends[1]);
    int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    if (pidfd < 0) {
        close(ends[0]);
        if (pid > 0) { // ours, and not reaped yet: the number is its own
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, NULL, 0);
        }
        return false;
    }
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    aside->pid = pid;
    aside->pidfd = pidfd;
    aside->fd = ends[0];
    aside->has_begun = true;
    aside->all->running++;
    aside->poll = alloc_zero(1, sizeof *aside->poll);
    uv_poll_init(aside->all->loop, aside->poll, aside->fd);
    aside->poll->data = aside;
    uv_poll_start(aside->poll, UV_READABLE, on_readable);
    return true;
}

// ---- requests -----------------------------------------------------------------------------------

static struct aside *aside_new(struct asides *asides)
{
    struct aside *aside = alloc_zero(1, sizeof *aside);
    aside->all = asides;
    aside->next = asides->first;
    aside->asked_at = clock_mono(asides->clock);
    buf_init(&aside->frames, FRAME_MAX);
    asides->first = aside;
    return aside;
}

static void refuse(struct http_response *response, const char *text)
{
    http_problem(response, 503, "%s", text);
    response->retry_after = 1;
}

static void give_answer(struct aside *aside, const struct http_request *request,
                        struct http_response *response)
{
    bool acts = strcmp(request->method, "POST") == 0;
    if (aside->has_answer) {
        http_response_release(response);
        *response = aside->answer;
        aside->has_answer = false;
    } else if (aside->is_late && acts) {
        refuse(response, "The store did not answer in time, and this may be done or not. Ask again "
                         "with the same intent_id: then it is done once.");
    } else if (aside->is_late) {
        refuse(response, "The store did not answer in time, or there is too much to go through: "
                         "ask for less, or use the command, which takes its time.");
    } else {
        refuse(response, "The process that was to answer this has ended before it did. Ask again.");
    }
}

void asides_answer(struct asides *asides, aside_work_fn *work, void *context,
                   const struct http_request *request, struct http_response *response)
{
    struct aside *aside = *request->kept;
    if (aside == NULL) {
        aside = aside_new(asides);
        *request->kept = aside;
    }
    if (aside->is_over) {
        give_answer(aside, request, response);
        return;
    }
    if (!aside->has_begun && asides->running < ASIDES_AT_ONCE &&
        !begin(aside, work, context, request)) {
        refuse(response, "This host lets the node begin no more processes (memory, or a limit of "
                         "their number), and this one is answered by a process of its own.");
        return;
    }
    if (!aside->has_begun &&
        mono_since(clock_mono(asides->clock), aside->asked_at).us > WAIT_MOST.us) {
        refuse(response, "This waited too long for its turn: too many ask at once. Ask again.");
        return;
    }
    response->later = true;
}

static void reap(struct aside *aside)
{
    if (aside->pid > 0 && aside->is_over && waitpid(aside->pid, NULL, WNOHANG) != 0) {
        aside->pid = 0;
        close(aside->pidfd);
    }
}

// Those whose request is over, once their process is.
static void clear(struct asides *asides)
{
    for (struct aside **at = &asides->first; *at != NULL;) {
        struct aside *aside = *at;
        reap(aside);
        if (!aside->is_forgotten || aside->pid > 0) {
            at = &aside->next;
            continue;
        }
        *at = aside->next;
        if (aside->has_answer) {
            http_response_release(&aside->answer);
        }
        buf_release(&aside->frames);
        free(aside);
    }
}

void asides_forget(struct asides *asides, void *kept)
{
    struct aside *aside = kept;
    aside->is_forgotten = true;
    if (aside->has_begun && !aside->is_over) {
        on_end(aside);
    }
    clear(asides);
}

void asides_tick(struct asides *asides)
{
    struct mono now = clock_mono(asides->clock);
    bool waits = false;
    for (struct aside *aside = asides->first; aside != NULL; aside = aside->next) {
        waits = waits || !aside->has_begun;
        if (aside->has_begun && !aside->is_over &&
            mono_since(now, aside->asked_at).us > ANSWER_MOST.us) {
            aside->is_late = true;
            on_end(aside);
        }
    }
    clear(asides);
    if (waits) {
        asides->on_answer(asides->context);
    }
}

void asides_close(struct asides *asides)
{
    for (struct aside *aside = asides->first; aside != NULL; aside = aside->next) {
        if (aside->has_begun && !aside->is_over) {
            stop_listening(aside);
            end_process(aside);
            aside->is_over = true;
        }
    }
}

void asides_release(struct asides *asides)
{
    for (struct aside *aside = asides->first; aside != NULL; aside = aside->next) {
        if (aside->pid > 0) {
            (void)waitpid(aside->pid, NULL, 0); // killed
            aside->pid = 0;
            close(aside->pidfd);
        }
    }
    clear(asides);
}
