// SPDX-License-Identifier: MIT
#include "serve/doors.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "http/problem.h"
#include "serve/callback_endpoint.h"

// Of one turn of the loop.
#define READING_MAX DURATION_MS(250)

void doors_init(struct doors *doors, struct node *node, struct metrics *metrics,
                struct health *health)
{
    *doors = (struct doors){.node = node};
    endpoints_init(&doors->endpoints, metrics, health);
    api_init(&doors->api, &doors->endpoints, clock_system());
}

void doors_release(struct doors *doors)
{
    api_release(&doors->api);
    endpoints_release(&doors->endpoints);
}

void doors_configure(struct doors *doors, const struct config *config)
{
    endpoints_configure(&doors->endpoints, &config->http);
    doors->api.config = config;
}

static void wake(struct doors *doors)
{
    listener_wake(&doors->listener);
    listener_wake(&doors->local);
}

void doors_turn(struct doors *doors)
{
    if (event_hub_takes_wake(&doors->api.events)) {
        wake(doors);
    }
}

void doors_tick(struct doors *doors)
{
    if (doors->api.events.clients > 0) {
        wake(doors); // so that they tell that they are still there
    }
}

void doors_close(struct doors *doors)
{
    listener_close(&doors->listener);
    listener_close(&doors->local);
}

static void end_run(void *context, const struct http_request *request,
                    struct http_response *response)
{
    struct doors *doors = context;
    (void)callback_endpoint_answer(doors->node, &doors->endpoints.bearers, request, response);
}

static void on_changed(void *context)
{
    struct doors *doors = context;
    engine_store_changed(doors->node->engine);
    node_turn(doors->node);
}

// Clients that read big pages all at once must not keep the scheduler from its turn: those who come
// late in a turn of the loop are asked to come again.
static bool admit_reader(struct doors *doors, const struct http_request *request,
                         struct http_response *response)
{
    uint64_t turn = uv_now(&doors->node->loop);
    if (turn != doors->turn) {
        doors->turn = turn;
        doors->spent = DURATION_US(0);
    }
    bool reads = strcmp(request->method, "GET") == 0 && strncmp(request->path, "/api/", 5) == 0;
    if (!reads || doors->spent.us < READING_MAX.us) {
        return true;
    }
    http_problem(response, 503, "Too many are reading at once. Ask again in a moment.");
    response->retry_after = 1;
    return false;
}

// Who changed what over HTTP is logged; the audit has it as well.
static void answer(void *context, const struct http_request *request,
                   struct http_response *response)
{
    struct doors *doors = context;
    doors->api.actor[0] = '\0';
    if (!admit_reader(doors, request, response)) {
        return;
    }
    struct mono began = clock_mono(doors->node->clock);
    api_answer(&doors->api, request, response);
    doors->spent.us += mono_since(clock_mono(doors->node->clock), began).us;
    if (strcmp(request->method, "POST") == 0 && response->status < 300) {
        struct log_field fields[] = {{"path", request->path},
                                     {"actor", doors->api.actor},
                                     {"by", request->peer.is_local ? "unix socket" : "http"},
                                     {NULL, NULL}};
        log_record(LOG_INFO, "acted", fields, "asked for over HTTP");
    }
}

// Without it commands act through the store: no reason not to start.
static void open_local(struct doors *doors, const struct config *config)
{
    char path[4200];
    struct error err = ERROR_INIT;
    snprintf(path, sizeof path, "%s.sock", config->store_path);
    struct http_server_options options = {
        .unix_path = path, .clock = clock_system(), .handler = answer, .context = doors};
    if (!listener_open(&doors->local, &doors->node->loop, &options, &err)) {
        LOG(LOG_WARN, "no_unix_socket", "%s; commands act through the store instead", err.text);
    }
}

bool doors_open(struct doors *doors, const struct config *config, struct error *err)
{
    const struct config_http *http = &config->http;
    endpoints_configure(&doors->endpoints, http);
    doors->api.store = doors->node->store;
    doors->api.engine = doors->node->engine;
    doors->api.config = doors->node->loaded->config;
    doors->api.node = doors->node->id;
    doors->api.changed = on_changed;
    doors->api.end_run = end_run;
    doors->api.context = doors;
    open_local(doors, config);
    if (!http->enabled) {
        LOG(LOG_WARN, "not_listening", "http.listen is off: no metrics and no health checks");
        return true;
    }
    struct http_server_options options = {.host = http->host,
                                          .port = http->port,
                                          .tls_cert = http->tls_cert,
                                          .tls_key = http->tls_key,
                                          .clock = clock_system(),
                                          .handler = answer,
                                          .context = doors};
    if (!listener_open(&doors->listener, &doors->node->loop, &options, err)) {
        return false;
    }
    struct log_field fields[] = {{"address", http_server_address(doors->listener.server)},
                                 {NULL, NULL}};
    log_record(LOG_INFO, "listening", fields, "metrics and health checks are served");
    return true;
}
