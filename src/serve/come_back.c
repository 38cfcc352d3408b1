// SPDX-License-Identifier: MIT
#include "serve/come_back.h"

#include <stdio.h>
#include <uv.h>

#include "base/log.h"
#include "observe/endpoints.h"
#include "serve/listener.h"

#define LOOP_LIMIT DURATION_S(10)
// The manager is told each second, and gives a start that long.
#define PATIENCE DURATION_S(180)

struct room {
    struct notify *notify;
    uv_loop_t loop;
    uv_timer_t tick;
    struct listener listener;
    struct metrics *metrics;
    struct health health;
    struct endpoints endpoints;
    int seconds; // left
};

static void on_tick(uv_timer_t *timer)
{
    struct room *room = timer->data;
    health_tick(&room->health);
    notify_extend(room->notify, PATIENCE);
    notify_turn(room->notify);
    if (room->seconds-- == 0) {
        uv_stop(&room->loop);
    }
}

static void open_door(struct room *room, const struct config_http *http)
{
    struct error err = ERROR_INIT;
    struct http_server_options options = {.host = http->host,
                                          .port = http->port,
                                          .tls_cert = http->tls_cert,
                                          .tls_key = http->tls_key,
                                          .clock = clock_system(),
                                          .handler = endpoints_answer,
                                          .context = &room->endpoints};
    endpoints_configure(&room->endpoints, http);
    if (!listener_open(&room->listener, &room->loop, &options, &err)) {
        LOG(LOG_WARN, "not_listening", "%s; /livez does not answer meanwhile", err.text);
    }
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void close_room(struct room *room)
{
    listener_close(&room->listener);
    uv_walk(&room->loop, close_handle, NULL);
    uv_run(&room->loop, UV_RUN_DEFAULT);
    uv_loop_close(&room->loop);
    endpoints_release(&room->endpoints);
    metrics_free(room->metrics);
}

void come_back_wait(const struct config *config, struct notify *notify, int seconds,
                    struct instant since, const char *why)
{
    char reason[HEALTH_REASON_SIZE];
    struct room room = {.notify = notify, .seconds = seconds};
    if (uv_loop_init(&room.loop) != 0) {
        return;
    }
    snprintf(reason, sizeof reason, "declared dead by the others, and no node again yet: %s", why);
    room.metrics = metrics_new(&(struct metrics_options){.version = IRONCRON_VERSION});
    health_init(&room.health, clock_system(), LOOP_LIMIT);
    health_set_since(&room.health, HEALTH_STORE, since, reason);
    health_set(&room.health, HEALTH_RUNNER, "waits for the store");
    endpoints_init(&room.endpoints, room.metrics, &room.health);
    if (config != NULL && config->http.enabled) {
        open_door(&room, &config->http);
    }
    uv_timer_init(&room.loop, &room.tick);
    room.tick.data = &room;
    uv_timer_start(&room.tick, on_tick, 0, 1000);
    uv_run(&room.loop, UV_RUN_DEFAULT);
    close_room(&room);
}
