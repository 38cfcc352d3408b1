// SPDX-License-Identifier: MIT
// The HTTP server on the node's event loop: its descriptor, and its timeout, without which idle
// clients would never be dropped.
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "http/server.h"

struct listener {
    struct http_server *server; // NULL = closed
    uv_poll_t poll;
    uv_timer_t timer;
    uv_idle_t again; // active while more is ready than one turn may do
};

bool listener_open(struct listener *listener, uv_loop_t *loop,
                   const struct http_server_options *options, struct error *err) MUST_USE;
// Streams that wait are asked again in the next turn of the loop. Nothing when closed.
void listener_wake(struct listener *listener);
// Drops what is open. The handles are closed with the loop.
void listener_close(struct listener *listener);
