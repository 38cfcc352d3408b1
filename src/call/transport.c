// SPDX-License-Identifier: MIT
#include "call/transport.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/attributes.h"
#include "base/check.h"

#define EVENTS_A_ROUND 64

// ---- what libcurl wants watched -----------------------------------------------------------------

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
    (void)easy;
    (void)socket_context;
    const struct transport *transport = context;
    struct epoll_event event = {.data.fd = fd};
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(transport->epoll_fd, EPOLL_CTL_DEL, fd, &event); // may be closed: then it is out
        return 0;
    }
    event.events |= (what & CURL_POLL_IN) != 0 ? EPOLLIN : 0u;
    event.events |= (what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0u;
    if (epoll_ctl(transport->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0 && errno == EEXIST) {
        epoll_ctl(transport->epoll_fd, EPOLL_CTL_MOD, fd, &event);
    }
    return 0;
}

static void on_timer(uv_timer_t *timer);

static int on_timeout(CURLM *multi, long ms, void *context)
{
    (void)multi;
    struct transport *transport = context;
    if (ms < 0) {
        uv_timer_stop(&transport->timer);
    } else {
        uv_timer_start(&transport->timer, on_timer, (uint64_t)ms, 0);
    }
    return 0;
}

// ---- rounds -------------------------------------------------------------------------------------

static void finish_round(struct transport *transport)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(transport->multi, &left)) != NULL;) {
        if (message->msg == CURLMSG_DONE) {
            transport->on_done(transport->context, message->easy_handle, message->data.result);
        }
    }
    transport->on_quiet(transport->context);
}

static void on_timer(uv_timer_t *timer)
{
    struct transport *transport = timer->data;
    int running;
    curl_multi_socket_action(transport->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_round(transport);
}

static int select_mask(uint32_t events)
{
    int mask = (events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0;
    mask |= (events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
    mask |= (events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0;
    return mask;
}

static void on_readable(uv_poll_t *poll, int status, int uv_events)
{
    (void)status;
    (void)uv_events;
    struct transport *transport = poll->data;
    struct epoll_event events[EVENTS_A_ROUND];
    int running;
    int count = epoll_wait(transport->epoll_fd, events, EVENTS_A_ROUND, 0);
    for (int i = 0; i < count; i++) {
        curl_multi_socket_action(transport->multi, events[i].data.fd, select_mask(events[i].events),
                                 &running);
    }
    finish_round(transport);
}

// ---- life ---------------------------------------------------------------------------------------

void transport_init(struct transport *transport, uv_loop_t *loop)
{
    *transport = (struct transport){.loop = loop, .epoll_fd = -1};
}

static bool open_multi(struct transport *transport, struct error *err)
{
    transport->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (transport->epoll_fd < 0) {
        return error_set(err, ERROR_ENVIRONMENT,
                         "cannot watch the sockets of HTTP jobs: %s; raise the limit on open files "
                         "(ulimit -n, LimitNOFILE=)",
                         strerror(errno));
    }
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    transport->multi = curl_multi_init();
    CHECK(transport->multi != NULL);
    curl_multi_setopt(transport->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(transport->multi, CURLMOPT_SOCKETDATA, transport);
    curl_multi_setopt(transport->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(transport->multi, CURLMOPT_TIMERDATA, transport);
    uv_poll_init(transport->loop, &transport->poll, transport->epoll_fd);
    uv_timer_init(transport->loop, &transport->timer);
    transport->poll.data = transport->timer.data = transport;
    uv_poll_start(&transport->poll, UV_READABLE, on_readable);
    return true;
}

bool transport_add(struct transport *transport, CURL *easy, struct error *err)
{
    if (transport->multi == NULL && !open_multi(transport, err)) {
        return false;
    }
    CURLMcode code = curl_multi_add_handle(transport->multi, easy);
    return code == CURLM_OK ||
           error_set(err, ERROR_ENVIRONMENT, "the HTTP client refused the request: %s",
                     curl_multi_strerror(code));
}

void transport_remove(struct transport *transport, CURL *easy)
{
    if (transport->multi != NULL) {
        curl_multi_remove_handle(transport->multi, easy);
    }
}

void transport_release(struct transport *transport)
{
    if (transport->multi != NULL) {
        // Its callbacks would start handles of a loop that is gone.
        curl_multi_setopt(transport->multi, CURLMOPT_TIMERFUNCTION, NULL);
        curl_multi_setopt(transport->multi, CURLMOPT_SOCKETFUNCTION, NULL);
        curl_multi_cleanup(transport->multi);
        curl_global_cleanup();
    }
    if (transport->epoll_fd >= 0) {
        close(transport->epoll_fd);
    }
    *transport = (struct transport){.epoll_fd = -1};
}
