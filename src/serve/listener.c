// SPDX-License-Identifier: MIT
#include "serve/listener.h"

static void on_timer(uv_timer_t *timer);

// Runs what is ready, then waits as long as the server says.
static void listener_run(struct listener *listener)
{
    http_server_run(listener->server);
    struct duration wait;
    if (http_server_timeout(listener->server, &wait)) {
        int64_t ms = (wait.us + 999) / 1000;
        uv_timer_start(&listener->timer, on_timer, (uint64_t)(ms < 0 ? 0 : ms), 0);
    } else {
        uv_timer_stop(&listener->timer);
    }
}

static void on_timer(uv_timer_t *timer)
{
    listener_run(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    listener_run(poll->data);
}

bool listener_open(struct listener *listener, uv_loop_t *loop,
                   const struct http_server_options *options, struct error *err)
{
    if (!http_server_new(options, &listener->server, err)) {
        return false;
    }
    uv_poll_init(loop, &listener->poll, http_server_fd(listener->server));
    uv_timer_init(loop, &listener->timer);
    listener->poll.data = listener->timer.data = listener;
    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    return true;
}

void listener_close(struct listener *listener)
{
    if (listener->server != NULL) {
        uv_poll_stop(&listener->poll);
        uv_timer_stop(&listener->timer);
        http_server_free(listener->server);
        listener->server = NULL;
    }
}
