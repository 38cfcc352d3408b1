// SPDX-License-Identifier: MIT
#include "serve/store_watch.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct store_watch *watch = poll->data;
    struct epoll_event event;
    (void)epoll_wait(watch->epoll_fd, &event, 1, 0); // it fires once, then it is to be armed again
    watch->on_event(watch->context);
}

// The store may close its connection and open another one under the same number, which libuv would
// not notice: so through an epoll descriptor of our own, in which a closed one is forgotten.
bool store_watch_open(struct store_watch *watch, uv_loop_t *loop, struct store *store,
                      void (*on_event)(void *context), void *context, struct error *err)
{
    *watch = (struct store_watch){
        .store = store, .on_event = on_event, .context = context, .epoll_fd = -1};
    if (store->ops->wants == NULL) {
        return true;
    }
    watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (watch->epoll_fd < 0) {
        return error_set(err, ERROR_ENVIRONMENT,
                         "cannot watch the store's connection: %s; raise the limit on open files "
                         "(ulimit -n, LimitNOFILE=)",
                         strerror(errno));
    }
    uv_poll_init(loop, &watch->poll, watch->epoll_fd);
    watch->poll.data = watch;
    uv_poll_start(&watch->poll, UV_READABLE, on_readable);
    return true;
}

static void arm(struct store_watch *watch, const struct store_wants *wants)
{
    struct epoll_event event = {.events =
                                    EPOLLIN | EPOLLONESHOT | (wants->writable ? EPOLLOUT : 0u)};
    if (epoll_ctl(watch->epoll_fd, EPOLL_CTL_MOD, wants->fd, &event) != 0 && errno == ENOENT) {
        (void)epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, wants->fd, &event);
    }
}

void store_watch_arm(struct store_watch *watch)
{
    struct store_wants wants[STORE_WANTS_MAX];
    size_t count = watch->epoll_fd < 0 ? 0 : watch->store->ops->wants(watch->store, wants);
    for (size_t i = 0; i < count; i++) {
        arm(watch, &wants[i]);
    }
}

void store_watch_release(struct store_watch *watch)
{
    if (watch->epoll_fd >= 0) {
        close(watch->epoll_fd);
        watch->epoll_fd = -1;
    }
}
