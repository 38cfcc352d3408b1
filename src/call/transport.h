// SPDX-License-Identifier: MIT
// libcurl's multi interface on the event loop. Its sockets are watched through an epoll descriptor
// of our own, of which the loop knows: libcurl may close a socket before it says that it needs no
// more watching, or never say so, and epoll forgets a closed one by itself.
#pragma once

#include "base/curl_library.h"
#include <uv.h>

#include "base/error.h"

struct transport {
    uv_loop_t *loop;
    CURLM *multi; // NULL until the first transfer: most nodes have no http job
    int epoll_fd; // -1
    uv_poll_t poll;
    uv_timer_t timer;
    // A transfer has ended; it is still in the transport.
    void (*on_done)(void *context, CURL *easy, CURLcode code);
    void (*on_quiet)(void *context); // after each round of work, outside of libcurl
    void *context;
};

void transport_init(struct transport *transport, uv_loop_t *loop);
bool transport_add(struct transport *transport, CURL *easy, struct error *err) MUST_USE;
void transport_remove(struct transport *transport, CURL *easy);
// After the loop has closed its handles and every transfer was removed.
void transport_release(struct transport *transport);
