// SPDX-License-Identifier: MIT
#include "serve/listener.h"

static void listener_run(struct listener *listener);

static void on_timer(uv_timer_t *timer)
{
    listener_run(timer->data);
}

static void on_again(uv_idle_t *again)
{
    listener_run(again->data);
}

// A piece of what is ready, then waits as long as the server says. Where more is ready at once, as
// in a long scrape, it comes in the loop's next turn, so that all else has its turn between the
// pieces. (A timer of no time would not do: libuv runs it again within the same turn.)
static void listener_run(struct listener *listener)
{
    http_server_run(listener->server);
    struct duration wait;
    bool waits = http_server_timeout(listener->server, &wait);
    uv_timer_stop(&listener->timer);
    uv_idle_stop(&listener->again);
    if (waits && wait.us <= 0) {
        uv_idle_start(&listener->again, on_again);
    } else if (waits) {
        uv_timer_start(&listener->timer, on_timer, (uint64_t)((wait.us + 999) / 1000), 0);
    }
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
    uv_idle_init(loop, &listener->again);
    listener->poll.data = listener->timer.data = listener->again.data = listener;
    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    return true;
}

void listener_wake(struct listener *listener)
{
    if (listener->server != NULL) {
        http_server_wake(listener->server);
        uv_timer_start(&listener->timer, on_timer, 0, 0);
    }
}

void listener_close(struct listener *listener)
{
    if (listener->server != NULL) {
        uv_poll_stop(&listener->poll);
        uv_timer_stop(&listener->timer);
        uv_idle_stop(&listener->again);
        http_server_free(listener->server);
        listener->server = NULL;
    }
}
