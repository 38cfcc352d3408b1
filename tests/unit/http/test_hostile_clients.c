// SPDX-License-Identifier: MIT
// Clients that mean harm, or are broken: whatever they send, the next one is answered.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "client.h"

static void ends_what_is_not_http(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET /hello\r\n\r\n",
        "GET /hello HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost localhost\r\n\r\n",
        "GET /hello HTTP/1.1\r\n: x\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nshort",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
        "chunked\r\n\r\nfffffffffffffffff\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: "
        "5\r\n\r\n",
        "GET /hello%00/../../etc HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /%zz%f HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\xfc\x03\x03", // TLS to a plain port
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    };
    struct world world;
    world_open(&world, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buf got = client_exchange(&world, cases[i], strlen(cases[i]));
        int status = answer_status(&got);
        // 100 asks for the body that never comes; odd versions may get an answer.
        if (status != 0 && status != 100 && (status < 400 || status > 599) &&
            strstr(cases[i], "/hello") == NULL) {
            fail_msg("%s\ngot %s", cases[i], buf_string(&got));
        }
        buf_release(&got);
        expect_alive(&world, cases[i]);
        assert_int_equal(http_server_connections(world.server), 0);
    }
    world_close(&world);
}

static void survives_random_bytes(void **state)
{
    (void)state;
    const char *given = getenv("IRONCRON_SEED");
    unsigned seed = given == NULL ? 20261124 : (unsigned)strtoul(given, NULL, 10);
    print_message("seed %u\n", seed);
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
                                  "chunked\r\nX: y\r\n\r\n4\r\nping\r\n0\r\n\r\n";
    struct world world;
    world_open(&world, NULL);
    for (int round = 0; round < 300; round++) {
        char bytes[256];
        size_t length = (size_t)rand_r(&seed) % sizeof bytes;
        for (size_t i = 0; i < length; i++) {
            bytes[i] = (char)rand_r(&seed);
        }
        if (round % 2 == 1) { // a good request with a few bytes changed
            length = sizeof request - 1;
            memcpy(bytes, request, length);
            for (int i = 0; i < 3; i++) {
                bytes[(size_t)rand_r(&seed) % length] = (char)rand_r(&seed);
            }
        }
        int fd = client_open(&world);
        client_send(&world, fd, bytes, length);
        close(fd);
        pump(&world);
    }
    expect_alive(&world, "random bytes");
    assert_int_equal(http_server_connections(world.server), 0);
    world_close(&world);
}

static struct buf repeated(const char *before, const char *piece, size_t times, const char *after)
{
    struct buf out;
    buf_init(&out, (size_t)8 << 20);
    buf_add_string(&out, before);
    for (size_t i = 0; i < times; i++) {
        buf_add_string(&out, piece);
    }
    buf_add_string(&out, after);
    return out;
}

static void bounds_what_it_takes_in(void **state)
{
    (void)state;
    static const struct {
        const char *before, *piece;
        size_t times;
        const char *after;
        int status;
    } cases[] = {
        {"GET /", "a", 1 << 20, " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414},
        {"GET /hello HTTP/1.1\r\nHost: localhost\r\nX: ", "a", 1 << 20, "\r\n\r\n", 431},
        {"GET /hello HTTP/1.1\r\nHost: localhost\r\n", "X: y\r\n", 65, "\r\n", 431},
        {"GET /hello HTTP/1.1\r\nHost: localhost\r\n", "X: y\r\n", 1 << 17, "\r\n", 431},
        {"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n", "a", 1 << 20,
         "", 413},
        {"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
         "8\r\naaaaaaaa\r\n", 1 << 14, "0\r\n\r\n", 413},
    };
    struct world world;
    world_open(&world, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buf request =
            repeated(cases[i].before, cases[i].piece, cases[i].times, cases[i].after);
        struct buf got = client_exchange(&world, request.data, request.length);
        // The answer may be lost when the server closes a connection that still sends.
        int status = answer_status(&got);
        if (status != 0 && status != cases[i].status) {
            fail_msg("%.60s…\ngot %s", cases[i].before, buf_string(&got));
        }
        buf_release(&got);
        buf_release(&request);
        expect_alive(&world, cases[i].before);
        assert_int_equal(http_server_connections(world.server), 0);
    }
    world_close(&world);
}

static bool is_closed(struct world *world, int fd)
{
    struct buf got;
    buf_init(&got, STREAM_BYTES * 2);
    bool closed = client_read(world, fd, SIZE_MAX, &got);
    buf_release(&got);
    return closed;
}

static void a_dripping_request_ends(void **state)
{
    (void)state;
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    const struct http_server_options limits = {.request_timeout = DURATION_S(30)};
    struct world world;
    world_open(&world, &limits);
    int fd = client_open(&world);
    assert_true(client_send(&world, fd, request, strlen(request)));
    int seconds = 0;
    while (http_server_connections(world.server) > 0 && seconds < 60) {
        struct duration left;
        assert_true(http_server_timeout(world.server, &left));
        assert_true(left.us <= 30000000); // it will be looked at in time
        client_send(&world, fd, "a", 1);
        world_advance(&world, DURATION_S(1));
        seconds++;
    }
    assert_int_equal(seconds, 30);
    assert_true(is_closed(&world, fd));
    assert_int_equal(world.handled, 0);
    close(fd);
    expect_alive(&world, "a dripping request");
    world_close(&world);
}

static void a_slow_reader_ends(void **state)
{
    (void)state;
    static const char request[] = "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct world world;
    world_open(&world, NULL);
    int fd = client_open(&world);
    int small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_true(client_send(&world, fd, request, strlen(request)));
    assert_int_equal(world.streams_open, 1);
    for (int second = 0; second < 31; second++) {
        char bytes[16];
        recv(fd, bytes, sizeof bytes, 0);
        expect_alive(&world, "a slow reader");
        world_advance(&world, DURATION_S(1));
    }
    assert_int_equal(world.streams_open, 0);
    assert_int_equal(http_server_connections(world.server), 0);
    close(fd);
    world_close(&world);
}

static void an_idle_connection_ends_and_a_used_one_stays(void **state)
{
    (void)state;
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct world world;
    world_open(&world, NULL);
    int idle = client_open(&world);
    int used = client_open(&world);
    struct buf got;
    buf_init(&got, 1 << 20);
    for (int i = 0; i < 6; i++) {
        assert_true(client_send(&world, used, request, strlen(request)));
        client_read(&world, used, got.length + 1, &got);
        world_advance(&world, DURATION_S(10));
    }
    assert_int_equal(world.handled, 6);
    assert_int_equal(http_server_connections(world.server), 1);
    assert_true(is_closed(&world, idle));
    buf_release(&got);
    close(idle);
    close(used);
    world_close(&world);
}

static void the_oldest_connection_is_looked_at_first(void **state)
{
    (void)state;
    struct world world;
    struct duration left;
    world_open(&world, NULL);
    int old = client_open(&world);
    world_advance(&world, DURATION_S(10));
    int young = client_open(&world);
    assert_true(http_server_timeout(world.server, &left));
    assert_true(left.us <= 20000000);
    world_advance(&world, left);
    assert_int_equal(http_server_connections(world.server), 1);
    close(old);
    close(young);
    world_close(&world);
}

static void a_long_answer_is_followed_by_a_whole_wait(void **state)
{
    (void)state;
    static const char request[] = "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct world world;
    struct buf got;
    world_open(&world, NULL);
    buf_init(&got, STREAM_BYTES * 2);
    int fd = client_open(&world);
    int small = 65536; // the kernel's buffers must not take the whole stream
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_true(client_send(&world, fd, request, strlen(request)));
    assert_true(client_read(&world, fd, 65536, &got));
    assert_int_equal(world.streams_open, 1);
    world_advance(&world, DURATION_S(20));
    client_read(&world, fd, SIZE_MAX, &got); // to the end; the connection stays
    assert_int_equal(world.streams_open, 0);
    world_advance(&world, DURATION_S(20));
    assert_int_equal(http_server_connections(world.server), 1);
    world_advance(&world, DURATION_S(10));
    assert_int_equal(http_server_connections(world.server), 0);
    buf_release(&got);
    close(fd);
    world_close(&world);
}

static void many_connections_are_bounded(void **state)
{
    (void)state;
    enum { CLIENTS = 100, MAXIMUM = 16 };
    const struct http_server_options limits = {.connections_max = MAXIMUM,
                                               .connections_per_address_max = MAXIMUM};
    struct world world;
    world_open(&world, &limits);
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = client_open(&world);
        client_send(&world, fds[i], "GET /hello HTTP/1.1\r\n", 21);
        assert_true(http_server_connections(world.server) <= MAXIMUM);
    }
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
        pump(&world);
    }
    expect_alive(&world, "many connections");
    world_close(&world);
}

static void one_address_cannot_take_all(void **state)
{
    (void)state;
    const struct http_server_options limits = {.connections_max = 16,
                                               .connections_per_address_max = 4};
    struct world world;
    world_open(&world, &limits);
    int fds[8];
    for (int i = 0; i < 8; i++) {
        fds[i] = client_open(&world);
    }
    assert_in_range(http_server_connections(world.server), 1, 4);
    for (int i = 0; i < 8; i++) {
        close(fds[i]);
    }
    pump(&world);
    expect_alive(&world, "one address");
    world_close(&world);
}

// Whoever sends halves of requests keeps nobody out, not even of the same address, and no time has
// to pass for that; an answer that is being read stays.
static void halves_of_requests_make_room(void **state)
{
    (void)state;
    static const char stream[] = "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct world world;
    int halves[300];
    world_open(&world, NULL);
    int reading = client_open(&world);
    int small = 65536;
    setsockopt(reading, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_true(client_send(&world, reading, stream, strlen(stream)));
    for (size_t i = 0; i < ARRAY_LENGTH(halves); i++) {
        halves[i] = client_open(&world);
        client_send(&world, halves[i], stream, 10);
    }
    expect_alive(&world, "among halves of requests");
    assert_int_equal(world.streams_open, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(halves); i++) {
        close(halves[i]);
    }
    close(reading);
    world_close(&world);
}

static void a_server_may_go_with_clients_open(void **state)
{
    (void)state;
    static const char request[] = "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct world world;
    world_open(&world, NULL);
    int half = client_open(&world);
    client_send(&world, half, request, 10);
    int reading = client_open(&world);
    client_send(&world, reading, request, strlen(request));
    world_close(&world);
    close(half);
    close(reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_what_is_not_http),
        cmocka_unit_test(survives_random_bytes),
        cmocka_unit_test(bounds_what_it_takes_in),
        cmocka_unit_test(a_dripping_request_ends),
        cmocka_unit_test(a_slow_reader_ends),
        cmocka_unit_test(an_idle_connection_ends_and_a_used_one_stays),
        cmocka_unit_test(the_oldest_connection_is_looked_at_first),
        cmocka_unit_test(a_long_answer_is_followed_by_a_whole_wait),
        cmocka_unit_test(many_connections_are_bounded),
        cmocka_unit_test(one_address_cannot_take_all),
        cmocka_unit_test(halves_of_requests_make_room),
        cmocka_unit_test(a_server_may_go_with_clients_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
