// SPDX-License-Identifier: MIT
// Generated from the route table: who may ask what, so that a new route is tested without anybody
// thinking of it; and that the description holds every one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "api/api.h"
#include "store/model/model_store.h"

struct world {
    struct clock clock; // first
    struct health health;
    struct metrics *metrics;
    struct endpoints endpoints;
    struct config config;
    struct api api;
};

static const struct engine_outage outage = {.since = {1767225600000000}, .lasted = {42000000}};

static struct instant fixed_now(struct clock *clock)
{
    (void)clock;
    return instant_from_unix(1800000000);
}

static struct mono fixed_mono(struct clock *clock)
{
    (void)clock;
    return (struct mono){1000000};
}

static void changed(void *context)
{
    (void)context;
}

static void run_command(void *context, const char *const *words, int missing,
                        struct http_response *response)
{
    (void)context;
    (void)words;
    response->status = missing;
}

static void end_run(void *context, const struct http_request *request,
                    struct http_response *response)
{
    (void)context;
    (void)request;
    response->status = 404;
}

static void world_open(struct world *world)
{
    *world = (struct world){.clock = {.now = fixed_now, .mono = fixed_mono}};
    health_init(&world->health, &world->clock, DURATION_S(30));
    world->metrics = metrics_new(&(struct metrics_options){.version = "1"});
    endpoints_init(&world->endpoints, world->metrics, &world->health);
    api_init(&world->api, &world->endpoints, &world->clock);
    world->api.store = model_store_new(&world->clock);
    world->api.config = &world->config;
    world->api.changed = changed;
    world->api.run_command = run_command;
    world->api.end_run = end_run;
}

static void world_close(struct world *world)
{
    api_release(&world->api);
    store_close(world->api.store);
    endpoints_release(&world->endpoints);
    metrics_free(world->metrics);
}

static void set_tokens(struct world *world)
{
    static const char *const texts[] = {"viewer-token", "operator-token", "admin-token"};
    struct config_token tokens[3] = {{"v", CONFIG_ROLE_VIEWER, {0}},
                                     {"o", CONFIG_ROLE_OPERATOR, {0}},
                                     {"a", CONFIG_ROLE_ADMIN, {0}}};
    for (size_t i = 0; i < 3; i++) {
        crypto_hash_sha256(tokens[i].sha256, (const unsigned char *)texts[i], strlen(texts[i]));
    }
    bearers_set(&world->endpoints.bearers, tokens, 3);
}

// A path with something in the place of each {parameter}.
static void fill_in(const char *pattern, char *out, size_t size)
{
    size_t used = 0;
    for (const char *p = pattern; *p != '\0'; p++) {
        const char *text = "x";
        if (strncmp(p, "{run}", 5) == 0 || strncmp(p, "{intent}", 8) == 0) {
            text = "0190a1b2-0000-7000-8000-000000000000";
        }
        if (*p != '{') {
            used += (size_t)snprintf(out + used, size - used, "%c", *p);
            continue;
        }
        used += (size_t)snprintf(out + used, size - used, "%s", text);
        p = strchr(p, '}');
    }
}

struct visitor {
    const char *name;
    bool tokens;        // are configured
    const char *bearer; // NULL
    bool is_local;
    uid_t uid;
    enum http_access may; // up to this
};

static int visit(struct world *world, const struct http_route *route, const struct visitor *visitor)
{
    char path[256];
    fill_in(route->path, path, sizeof path);
    const struct http_header headers[] = {{"Content-Type", "application/json"},
                                          {"Authorization", visitor->bearer}};
    const struct http_request request = {
        .method = http_method_name(route->method),
        .path = path,
        .headers = headers,
        .header_count = visitor->bearer == NULL ? 1 : 2,
        .peer = {.is_local = visitor->is_local, .uid = visitor->uid},
    };
    struct http_response response;
    http_response_init(&response);
    if (visitor->tokens) {
        set_tokens(world);
    } else {
        bearers_set(&world->endpoints.bearers, NULL, 0);
    }
    api_answer(&world->api, &request, &response);
    int status = response.status;
    bool is_problem = status >= 400 && status != 503 && response.content_type != NULL;
    if (is_problem) {
        assert_non_null(strstr(response.content_type, "problem+json"));
    }
    if (status == 401) {
        assert_non_null(response.authenticate);
    }
    http_response_release(&response);
    return status;
}

static void every_route_asks_for_its_role(void **state)
{
    (void)state;
    const struct visitor visitors[] = {
        {"nobody, no tokens configured", false, NULL, false, 0, HTTP_VIEWER},
        {"nobody", true, NULL, false, 0, HTTP_ANYBODY},
        {"a wrong token", true, "Bearer nonsense", false, 0, HTTP_ANYBODY},
        {"a viewer", true, "Bearer viewer-token", false, 0, HTTP_VIEWER},
        {"an operator", true, "Bearer operator-token", false, 0, HTTP_OPERATOR},
        {"an admin", true, "Bearer admin-token", false, 0, HTTP_ADMIN},
        {"root at the unix socket", true, NULL, true, 0, HTTP_ADMIN},
        {"the node's user at the unix socket", false, NULL, true, geteuid(), HTTP_ADMIN},
        {"a stranger at the unix socket", true, NULL, true, 4000000, HTTP_ANYBODY},
        {"a stranger with a token", true, "Bearer admin-token", true, 4000000, HTTP_ANYBODY},
    };
    struct world world;
    world_open(&world);
    const struct http_router *router = api_router();
    for (size_t r = 0; r < router->count; r++) {
        const struct http_route *route = &router->routes[r];
        if (strcmp(route->path, "/metrics") == 0 || strcmp(route->path, "/api/v1/status") == 0) {
            continue; // a rule of its own; needs an engine
        }
        for (size_t v = 0; v < ARRAY_LENGTH(visitors); v++) {
            int status = visit(&world, route, &visitors[v]);
            bool refused = status == 401 || status == 403;
            if (refused != (visitors[v].may < route->access)) {
                fail_msg("%s %s by %s: %d", http_method_name(route->method), route->path,
                         visitors[v].name, status);
            }
        }
    }
    world_close(&world);
}

static void what_changes_something_is_for_operators(void **state)
{
    (void)state;
    const struct http_router *router = api_router();
    for (size_t r = 0; r < router->count; r++) {
        const struct http_route *route = &router->routes[r];
        bool is_callback = strcmp(route->path, "/api/v1/runs/{run}/end") == 0;
        if (route->method != HTTP_GET && !is_callback && route->access < HTTP_OPERATOR) {
            fail_msg("%s changes something and is for everybody", route->path);
        }
        if (strncmp(route->path, "/api/", 5) == 0 && route->access == HTTP_ANYBODY &&
            !is_callback) {
            fail_msg("%s tells everybody", route->path);
        }
    }
}

static void the_description_holds_every_route(void **state)
{
    (void)state;
    const struct http_router *router = api_router();
    json_t *description = api_description();
    json_t *schemas = json_object_get(json_object_get(description, "components"), "schemas");
    assert_true(json_object_size(schemas) > 8);
    for (size_t r = 0; r < router->count; r++) {
        const struct http_route *route = &router->routes[r];
        json_t *path = json_object_get(json_object_get(description, "paths"), route->path);
        json_t *operation = json_object_get(path, route->method == HTTP_GET ? "get" : "post");
        assert_non_null(operation);
        assert_true(strlen(json_string_value(json_object_get(operation, "summary"))) > 5);
        if (route->answer != NULL) {
            char name[64];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(route->answer, "["), route->answer);
            if (json_object_get(schemas, name) == NULL) {
                fail_msg("%s answers %s, which is not described", route->path, name);
            }
        }
    }
    json_decref(description);
}

// ---- events -------------------------------------------------------------------------------------

static void clients_read_on_from_their_place(void **state)
{
    (void)state;
    struct clock clock = {.now = fixed_now, .mono = fixed_mono};
    static struct event_hub hub;
    struct http_stream stream;
    struct http_stream late;
    char bytes[200000];
    event_hub_init(&hub, &clock);
    assert_true(event_hub_stream(&hub, NULL, &stream));
    const struct engine_events *events = event_hub_events(&hub);
    assert_int_equal(stream.read(stream.context, bytes, sizeof bytes), strlen("retry: 2000\n\n"));
    assert_true(stream.read(stream.context, bytes, sizeof bytes) == HTTP_STREAM_WAIT);
    events->on_store(events->context, NULL, &outage);
    assert_true(event_hub_takes_wake(&hub));
    assert_false(event_hub_takes_wake(&hub));
    size_t length = stream.read(stream.context, bytes, sizeof bytes - 1);
    bytes[length] = '\0';
    assert_non_null(strstr(
        bytes, "event: store_up\ndata: {\"error\":null,\"since\":\"2026-01-01T00:00:00.000Z\","
               "\"lasted_ms\":42000}\n\n"));
    char id[64];
    assert_int_equal(sscanf(bytes, "id: %63s", id), 1);
    for (int i = 0; i < 3; i++) {
        events->on_store(events->context, NULL, &outage);
    }
    assert_true(event_hub_stream(&hub, id, &late));
    length = late.read(late.context, bytes, sizeof bytes - 1);
    bytes[length] = '\0';
    assert_non_null(strstr(bytes, "-4\nevent: store_up")); // from behind the id on
    assert_null(strstr(bytes, "-1\nevent"));
    for (int i = 0; i < EVENTS_KEPT + 10; i++) {
        events->on_store(events->context, NULL, &outage);
    }
    length = late.read(late.context, bytes, sizeof bytes - 1);
    bytes[length] = '\0';
    assert_non_null(strstr(bytes, "event: lost"));
    stream.free(stream.context);
    late.free(late.context);
    struct http_stream many[EVENTS_CLIENTS_MAX];
    for (int i = 0; i < EVENTS_CLIENTS_MAX; i++) {
        assert_true(event_hub_stream(&hub, NULL, &many[i]));
    }
    assert_false(event_hub_stream(&hub, NULL, &stream));
    for (int i = 0; i < EVENTS_CLIENTS_MAX; i++) {
        many[i].free(many[i].context);
    }
    event_hub_release(&hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_asks_for_its_role),
        cmocka_unit_test(what_changes_something_is_for_operators),
        cmocka_unit_test(the_description_holds_every_route),
        cmocka_unit_test(clients_read_on_from_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
