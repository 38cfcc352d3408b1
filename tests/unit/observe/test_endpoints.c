// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "observe/endpoints.h"

static const struct engine_outage outage = {.since = {1767225600000000}, .lasted = {42000000}};

// SHA-256 of "viewer-token", "operator-token" and "admin-token".
static const struct config_token tokens[] = {
    {"grafana", CONFIG_ROLE_VIEWER, {0xd0, 0x36, 0xbd, 0x6d, 0x01, 0xa1, 0xca, 0xe0,
                                     0x81, 0xd3, 0x9a, 0x2f, 0x8d, 0xab, 0x75, 0x1d,
                                     0xc0, 0x42, 0xde, 0x81, 0x4f, 0xd6, 0x0d, 0xf3,
                                     0x1f, 0xcb, 0x55, 0x31, 0x70, 0x95, 0x0f, 0x29}},
    {"oncall", CONFIG_ROLE_OPERATOR, {0x08, 0x50, 0x12, 0x33, 0x15, 0xd2, 0x1a, 0xb9,
                                      0x0f, 0x4f, 0x72, 0x36, 0x40, 0x8a, 0x52, 0xef,
                                      0x6d, 0xbd, 0x6a, 0x02, 0xa6, 0x55, 0x0e, 0x5c,
                                      0x10, 0xdc, 0x73, 0xf4, 0xd9, 0x93, 0x68, 0x0e}},
    {"root", CONFIG_ROLE_ADMIN, {0x10, 0xa4, 0xc7, 0xc9, 0xfc, 0x52, 0x06, 0xd6, 0xf3, 0x6d, 0xc6,
                                 0x94, 0x4a, 0x81, 0xbb, 0x6f, 0x4a, 0x3c, 0xb0, 0xe2, 0x50, 0x14,
                                 0xae, 0x3b, 0x12, 0xe6, 0xc3, 0xe5, 0x27, 0x12, 0x29, 0x2a}},
};

struct world {
    struct clock clock; // first
    struct mono now;
    struct health health;
    struct metrics *metrics;
    struct endpoints endpoints;
    struct http_response response;
};

static struct instant virtual_now(struct clock *clock)
{
    (void)clock;
    return instant_from_unix(1767225600); // 2026-01-01
}

static struct mono virtual_mono(struct clock *clock)
{
    return CONTAINER_OF(clock, struct world, clock)->now;
}

static void world_open(struct world *world)
{
    *world = (struct world){.clock = {.now = virtual_now, .mono = virtual_mono}, .now = {1000000}};
    health_init(&world->health, &world->clock, DURATION_S(30));
    world->metrics = metrics_new(&(struct metrics_options){.version = "1"});
    endpoints_init(&world->endpoints, world->metrics, &world->health);
    http_response_init(&world->response);
}

static void world_close(struct world *world)
{
    http_response_release(&world->response);
    endpoints_release(&world->endpoints);
    metrics_free(world->metrics);
}

static void make_ready(struct world *world)
{
    health_tick(&world->health);
    health_set(&world->health, HEALTH_RUNNER, NULL);
    health_set(&world->health, HEALTH_STORE, NULL);
}

static int ask(struct world *world, const char *path, const char *name, const char *value)
{
    const struct http_header header = {name, value};
    const struct http_request request = {
        .method = "GET", .path = path, .headers = &header, .header_count = name == NULL ? 0 : 1};
    http_response_release(&world->response);
    http_response_init(&world->response);
    endpoints_answer(&world->endpoints, &request, &world->response);
    return world->response.status;
}

static void expect_body(const struct world *world, const char *part)
{
    if (strstr(buf_string(&world->response.body), part) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", part, buf_string(&world->response.body));
    }
}

static void guards_metrics_by_token(void **state)
{
    (void)state;
    static const struct {
        bool tokens, is_public;
        const char *authorization;
        int status;
    } cases[] = {
        {false, false, NULL, 200},
        {false, false, "Bearer nonsense", 200},
        {true, true, NULL, 200},
        {true, false, NULL, 401},
        {true, false, "", 401},
        {true, false, "Bearer", 401},
        {true, false, "Bearer ", 401},
        {true, false, "Bearer viewer-toke", 401},
        {true, false, "Bearer viewer-token2", 401},
        {true, false, "Basic viewer-token", 401},
        {true, false, "viewer-token", 401},
        {true, false, "Bearer viewer-token", 200},
        {true, false, "bearer  viewer-token", 200},
        {true, false, "Bearer operator-token", 200},
        {true, false, "Bearer admin-token", 200},
    };
    struct world world;
    world_open(&world);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct config_http http = {.metrics_public = cases[i].is_public,
                                         .tokens = tokens,
                                         .token_count = cases[i].tokens ? ARRAY_LENGTH(tokens) : 0};
        endpoints_configure(&world.endpoints, &http);
        int status =
            ask(&world, "/metrics", cases[i].authorization == NULL ? NULL : "authorization",
                cases[i].authorization);
        if (status != cases[i].status) {
            fail_msg("case %zu (%s): %d, expected %d", i,
                     cases[i].authorization == NULL ? "no header" : cases[i].authorization, status,
                     cases[i].status);
        }
        assert_int_equal(world.response.authenticate != NULL, status == 401);
        assert_int_equal(world.response.stream.read != NULL, status == 200);
        // The others never need one.
        assert_int_not_equal(ask(&world, "/livez", NULL, NULL), 401);
        assert_int_not_equal(ask(&world, "/readyz", NULL, NULL), 401);
        assert_int_equal(ask(&world, "/", NULL, NULL), 200);
    }
    world_close(&world);
}

static void roles_are_ordered(void **state)
{
    (void)state;
    static const char *const bearers[] = {"Bearer viewer-token", "Bearer operator-token",
                                          "Bearer admin-token"};
    struct bearers known;
    bearers_init(&known);
    bearers_set(&known, tokens, ARRAY_LENGTH(tokens));
    for (int has = 0; has < 3; has++) {
        for (int needs = 0; needs < 3; needs++) {
            const struct http_header header = {"Authorization", bearers[has]};
            const struct http_request request = {
                .method = "POST", .path = "/x", .headers = &header, .header_count = 1};
            struct http_response response;
            const char *name = "unset";
            http_response_init(&response);
            bool ok =
                bearers_check(&known, &request, (enum http_access)(needs + 1), &name, &response);
            assert_int_equal(ok, has >= needs);
            if (ok) {
                assert_string_equal(name, tokens[has].name);
            } else {
                assert_int_equal(response.status, 403);
                assert_null(name);
                assert_non_null(strstr(response.body.data, tokens[has].name));
                assert_null(strstr(response.body.data, "-token")); // what was sent is not sent back
            }
            http_response_release(&response);
        }
    }
    bearers_release(&known);
}

static void metrics_answers_in_the_format_asked_for(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_int_equal(ask(&world, "/metrics", NULL, NULL), 200);
    assert_string_equal(world.response.content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert_int_equal(
        ask(&world, "/metrics", "Accept", "application/openmetrics-text;version=1.0.0"), 200);
    assert_string_equal(world.response.content_type,
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
    world_close(&world);
}

static void livez_follows_the_loop(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_int_equal(ask(&world, "/livez", NULL, NULL), 200); // it still starts
    health_tick(&world.health);
    world.now.us += 30000000;
    assert_int_equal(ask(&world, "/livez", NULL, NULL), 200);
    expect_body(&world, "ok\n");
    world.now.us += 1000000;
    assert_int_equal(ask(&world, "/livez", NULL, NULL), 503);
    expect_body(&world, "loop: the scheduler has not turned for 31s");
    health_tick(&world.health);
    assert_int_equal(ask(&world, "/livez", NULL, NULL), 200);
    world_close(&world);
}

static void readyz_names_each_failing_check(void **state)
{
    (void)state;
    struct world world;
    struct error err = ERROR_INIT;
    world_open(&world);
    assert_int_equal(ask(&world, "/readyz", NULL, NULL), 503);
    expect_body(&world, "[-] loop failed: starting\n");
    expect_body(&world, "[-] store failed: since 2026-01-01T00:00:00.000Z: starting\n");
    expect_body(&world, "[-] runner failed: since 2026-01-01T00:00:00.000Z: starting\n");
    expect_body(&world, "[+] draining ok\n");
    make_ready(&world);
    assert_int_equal(ask(&world, "/readyz", NULL, NULL), 200);
    expect_body(&world, "[+] loop ok\n[+] store ok\n[+] runner ok\n[+] draining ok\n"
                        "[+] definitions ok\nready\n");
    health_note(&world.health, HEALTH_DRAINING, "since noon, by ann");
    assert_int_equal(ask(&world, "/readyz", NULL, NULL), 200);
    expect_body(&world, "[+] draining ok: since noon, by ann\n");
    const struct engine_events *events = health_events(&world.health);
    error_set(&err, ERROR_STORE, "disk \"full\"");
    events->on_store(events->context, &err, &outage);
    health_set(&world.health, HEALTH_DRAINING, "told to stop");
    assert_int_equal(ask(&world, "/readyz", NULL, NULL), 503);
    expect_body(&world, "[-] store failed: since 2026-01-01T00:00:00.000Z: disk \"full\"\n");
    expect_body(&world, "[-] draining failed: since 2026-01-01T00:00:00.000Z: told to stop\n");
    expect_body(&world, "[+] runner ok\n");
    expect_body(&world, "not ready\n");
    events->on_store(events->context, NULL, &outage);
    health_set(&world.health, HEALTH_DRAINING, NULL);
    assert_int_equal(ask(&world, "/readyz", NULL, NULL), 200);
    world_close(&world);
}

static json_t *body_json(const struct world *world)
{
    json_error_t why;
    json_t *body = json_loads(buf_string(&world->response.body), 0, &why);
    if (body == NULL) {
        fail_msg("%s in %s", why.text, buf_string(&world->response.body));
    }
    return body;
}

static void readyz_speaks_json_when_asked(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    make_ready(&world);
    assert_int_equal(ask(&world, "/readyz", "Accept", "application/json"), 200);
    assert_string_equal(world.response.content_type, "application/json");
    json_t *body = body_json(&world);
    assert_int_equal(json_array_size(json_object_get(body, "checks")), HEALTH_CHECK_COUNT);
    json_decref(body);
    health_note(&world.health, HEALTH_DEFINITIONS, "version \"7\"");
    ask(&world, "/readyz", "Accept", "application/json");
    expect_body(&world, "{\"name\":\"draining\",\"ok\":true},{\"name\":\"definitions\",\"ok\":true,"
                        "\"note\":\"version \\\"7\\\"\"}");
    health_set(&world.health, HEALTH_RUNNER, "the runner \"died\"\n");
    assert_int_equal(ask(&world, "/readyz", "Accept", "application/json, */*;q=0.1"), 503);
    assert_string_equal(world.response.content_type, "application/problem+json");
    body = body_json(&world);
    const json_t *runner = json_array_get(json_object_get(body, "checks"), HEALTH_RUNNER);
    assert_string_equal(json_string_value(json_object_get(runner, "name")), "runner");
    assert_string_equal(json_string_value(json_object_get(runner, "reason")),
                        "since 2026-01-01T00:00:00.000Z: the runner \"died\"\n");
    assert_true(json_is_false(json_object_get(runner, "ok")));
    assert_int_equal(json_integer_value(json_object_get(body, "status")), 503);
    json_decref(body);
    // A browser or curl asks for anything: text.
    ask(&world, "/readyz", "Accept", "*/*");
    expect_body(&world, "[-] runner failed");
    world_close(&world);
}

static void the_index_names_what_is_here(void **state)
{
    (void)state;
    static const char *const paths[] = {"/livez", "/readyz", "/metrics"};
    struct world world;
    world_open(&world);
    assert_int_equal(ask(&world, "/", NULL, NULL), 200);
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        ask(&world, "/", NULL, NULL);
        expect_body(&world, paths[i]);
        assert_int_not_equal(ask(&world, paths[i], NULL, NULL), 404);
    }
    assert_int_equal(ask(&world, "/metrics/", NULL, NULL), 404);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guards_metrics_by_token),
        cmocka_unit_test(roles_are_ordered),
        cmocka_unit_test(metrics_answers_in_the_format_asked_for),
        cmocka_unit_test(livez_follows_the_loop),
        cmocka_unit_test(readyz_names_each_failing_check),
        cmocka_unit_test(readyz_speaks_json_when_asked),
        cmocka_unit_test(the_index_names_what_is_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
