// SPDX-License-Identifier: MIT
#include "serve/doors.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "http/problem.h"
#include "serve/aside_command.h"
#include "serve/callback_endpoint.h"
#include "serve/open_store.h"
#include "store/postgres/postgres_store.h"

// Of one turn of the loop.
#define READING_MAX DURATION_MS(250)
// Who tells the end of a run is answered on the loop, and its run looked for in the store.
#define LOOKING_MOST DURATION_S(1)
// Aside: how long a page may be read, and how long an answer may wait for what becomes of a wish.
#define READING  DURATION_S(1)
#define PATIENCE DURATION_MS(250)

void doors_init(struct doors *doors, struct node *node, struct metrics *metrics,
                struct health *health)
{
    *doors = (struct doors){.node = node};
    endpoints_init(&doors->endpoints, metrics, health);
    api_init(&doors->api, &doors->endpoints, clock_system());
}

void doors_release(struct doors *doors)
{
    asides_release(&doors->asides);
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
    asides_tick(&doors->asides);
}

void doors_close(struct doors *doors)
{
    asides_close(&doors->asides);
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

// ---- aside --------------------------------------------------------------------------------------

static void on_answer(void *context)
{
    wake(context);
}

static void on_event(void *context, const char *name, json_t *event)
{
    struct doors *doors = context;
    event_hub_add(&doors->api.events, name, event);
}

// In a copy of the node: what it is called with there.
struct aside_work {
    struct doors *doors;
    const struct http_route *route;
    struct aside_channel *channel;
};

static void tell_written(void *context)
{
    aside_tell_written(((struct aside_work *)context)->channel);
}

static void tell_event(void *context, const char *name, json_t *event)
{
    aside_tell_event(((struct aside_work *)context)->channel, name, event);
}

static void run_command(void *context, const char *const *words, int missing,
                        struct http_response *response)
{
    const struct node *node = ((struct aside_work *)context)->doors->node;
    const struct loaded *files = node->file != NULL ? node->file : node->loaded;
    aside_command(files->config->path, words, missing, response);
}

// With a connection of its own to a store on a server, as any command has; a store that is a file
// is not touched here. The engine is the node's alone.
static void answer_aside(void *context, struct aside_channel *channel,
                         const struct http_request *request, struct http_response *response)
{
    struct aside_work *work = context;
    struct api *api = &work->doors->api;
    struct error err = ERROR_INIT;
    bool acts = strcmp(request->method, "POST") == 0;
    work->channel = channel;
    api->context = work;
    api->aside = NULL;
    api->engine = NULL;
    api->changed = tell_written;
    api->tell = tell_event;
    api->run_command = run_command;
    api->reading = READING;
    api->patience = PATIENCE;
    if (api->config->store_url != NULL &&
        !open_store(api->config, acts ? OPEN_STORE_WRITE : OPEN_STORE_READ, "api", api->clock,
                    &api->store, &err)) {
        api_fail(response, &err);
        return;
    }
    work->route->handler(api, request, response);
    if (api->config->store_url != NULL) {
        store_close(api->store);
    }
}

static void aside(void *context, const struct http_route *route, const struct http_request *request,
                  struct http_response *response)
{
    struct doors *doors = context;
    struct aside_work work = {.doors = doors, .route = route};
    asides_answer(&doors->asides, answer_aside, &work, request, response);
}

static void forget(void *context, void *kept)
{
    struct doors *doors = context;
    asides_forget(&doors->asides, kept);
}

// ---- requests -----------------------------------------------------------------------------------

// Looks something up in the store for whoever asks.
static bool looks(const struct http_request *request)
{
    static const char end[] = "/end";
    size_t length = strlen(request->path);
    bool tells_end =
        length >= strlen(end) && strcmp(request->path + length - strlen(end), end) == 0;
    return strncmp(request->path, "/api/", 5) == 0 &&
           (tells_end || strcmp(request->method, "GET") == 0);
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
    if (!looks(request) || *request->kept != NULL || doors->spent.us < READING_MAX.us) {
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
    if (strcmp(request->method, "POST") == 0 && response->status < 300 && !response->later) {
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
    struct http_server_options options = {.unix_path = path,
                                          .clock = clock_system(),
                                          .handler = answer,
                                          .forget = forget,
                                          .context = doors};
    if (!listener_open(&doors->local, &doors->node->loop, &options, &err)) {
        LOG(LOG_WARN, "no_unix_socket", "%s; commands act through the store instead", err.text);
    }
}

bool doors_open(struct doors *doors, const struct config *config, struct error *err)
{
    const struct config_http *http = &config->http;
    endpoints_configure(&doors->endpoints, http);
    if (config->store_url != NULL) {
        postgres_store_bound_reading(doors->node->store, LOOKING_MOST);
    }
    doors->api.store = doors->node->store;
    doors->api.engine = doors->node->engine;
    doors->api.config = doors->node->loaded->config;
    doors->api.node = doors->node->id;
    doors->api.changed = on_changed;
    doors->api.aside = aside;
    doors->api.end_run = end_run;
    doors->asides = (struct asides){.loop = &doors->node->loop,
                                    .clock = clock_system(),
                                    .on_answer = on_answer,
                                    .on_written = on_changed,
                                    .on_event = on_event,
                                    .context = doors};
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
                                          .forget = forget,
                                          .context = doors};
    if (!listener_open(&doors->listener, &doors->node->loop, &options, err)) {
        return false;
    }
    struct log_field fields[] = {{"address", http_server_address(doors->listener.server)},
                                 {NULL, NULL}};
    log_record(LOG_INFO, "listening", fields, "metrics and health checks are served");
    return true;
}
