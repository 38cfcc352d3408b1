// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client.h"

static struct buf ask(struct world *world, const char *request)
{
    return client_exchange(world, request, strlen(request));
}

static void answers_requests(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
        const char *body; // NULL: a problem document
    } cases[] = {
        {"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "hello\n"},
        {"GET /hello?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "hello\n"},
        {"GET /%68ello HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "hello\n"},
        {"HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, ""},
        {"GET /hello HTTP/1.0\r\n\r\n", 200, "hello\n"},
        {"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nping", 200, "ping"},
        {"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\npi\r\n2\r\nng\r\n0\r\n\r\n",
         200, "ping"},
        {"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 200, ""},
        {"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, NULL},
        {"POST /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nxx", 405, NULL},
        {"GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, NULL},
        {"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", 200, "hello\n"},
        {"GET /hello HTTP/1.1\r\nHost: [::1]\r\n\r\n", 200, "hello\n"},
        {"GET /%2fhello HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, NULL},
        {"GET /hello%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, NULL},
        {"GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400, NULL},
        {"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n", 413, NULL},
    };
    struct world world;
    world_open(&world, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buf got = ask(&world, cases[i].request);
        const char *body = answer_body(&got);
        bool body_ok = cases[i].body == NULL ? strncmp(body, "{\"type\":\"about:blank\"", 21) == 0
                                             : strcmp(body, cases[i].body) == 0;
        if (answer_status(&got) != cases[i].status || !body_ok) {
            fail_msg("%s\ngot %s", cases[i].request, buf_string(&got));
        }
        if (cases[i].body == NULL) {
            assert_string_equal(answer_header(&got, "Content-Type"), "application/problem+json");
        }
        buf_release(&got);
        assert_int_equal(http_server_connections(world.server), 0);
    }
    world_close(&world);
}

static void sends_headers_that_protect(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    struct buf got = ask(&world, "PUT /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_string_equal(answer_header(&got, "Allow"), "GET, HEAD");
    assert_string_equal(answer_header(&got, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(answer_header(&got, "Cache-Control"), "no-store");
    assert_non_null(strstr(answer_header(&got, "Content-Security-Policy"), "default-src 'none'"));
    buf_release(&got);
    got = ask(&world, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_string_equal(answer_header(&got, "Content-Type"), "text/plain; charset=utf-8");
    assert_string_equal(answer_header(&got, "Content-Length"), "6");
    buf_release(&got);
    world_close(&world);
}

// Undoes chunked transfer coding in place; the length of what was in it, or -1 when it is broken.
static ssize_t unchunk(char *text)
{
    char *in = text;
    char *out = text;
    for (;;) {
        char *end;
        size_t length = strtoul(in, &end, 16);
        if (end == in || strncmp(end, "\r\n", 2) != 0) {
            return -1;
        }
        if (length == 0) {
            return out - text;
        }
        memmove(out, end + 2, length);
        out += length;
        in = end + 2 + length + 2;
    }
}

static void streams_a_large_body(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    struct buf got = ask(&world, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_int_equal(answer_status(&got), 200);
    assert_string_equal(answer_header(&got, "Transfer-Encoding"), "chunked");
    char *body = strstr(got.data, "\r\n\r\n") + 4;
    assert_int_equal(unchunk(body), STREAM_BYTES);
    for (size_t i = 0; i < STREAM_BYTES; i++) {
        if (body[i] != (i % 64 == 63 ? '\n' : (char)('0' + i % 64 % 10))) {
            fail_msg("byte %zu of the stream is wrong", i);
        }
    }
    buf_release(&got);
    assert_int_equal(world.streams_open, 0);
    got = ask(&world, "HEAD /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_int_equal(answer_status(&got), 200);
    assert_string_equal(answer_body(&got), "");
    assert_string_equal(answer_header(&got, "Content-Length"), "");
    buf_release(&got);
    assert_int_equal(world.streams_open, 0);
    world_close(&world);
}

static void a_stream_waits_for_what_it_has_not_yet(void **state)
{
    (void)state;
    static const char request[] = "GET /drip HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct world world;
    struct buf got;
    world_open(&world, NULL);
    buf_init(&got, 1 << 20);
    int fd = client_open(&world);
    assert_true(client_send(&world, fd, request, strlen(request)));
    for (int i = 0; i < 3; i++) {
        world.dripping = 2;
        http_server_wake(world.server);
        assert_false(client_read(&world, fd, SIZE_MAX, &got)); // still open
    }
    // A stream that is asked now and then lives longer than an exchange may take.
    for (int i = 0; i < 5; i++) {
        world_advance(&world, DURATION_S(20));
        http_server_wake(world.server);
        pump(&world);
    }
    world.dripping = -1;
    http_server_wake(world.server);
    char *tail;
    client_read(&world, fd, SIZE_MAX, &got);
    assert_int_equal(answer_status(&got), 200);
    tail = strstr(got.data, "\r\n\r\n") + 4;
    assert_int_equal(unchunk(tail), 6);
    assert_non_null(strstr(tail, "......"));
    close(fd);
    buf_release(&got);
    // A server that ends while somebody waits lets go of it.
    fd = client_open(&world);
    world.dripping = 0;
    assert_true(client_send(&world, fd, request, strlen(request)));
    assert_int_equal(world.streams_open, 1);
    world_close(&world);
    close(fd);
}

static void an_answer_may_come_later(void **state)
{
    (void)state;
    static const char request[] =
        "POST /later?q=why HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nping";
    struct world world;
    struct buf got;
    world_open(&world, NULL);
    buf_init(&got, 65536);
    int fd = client_open(&world);
    assert_true(client_send(&world, fd, request, strlen(request)));
    for (int asked = 1; asked < 4; asked++) {
        assert_int_equal(world.asked, asked); // once more each time that it is woken, and only then
        assert_false(client_read(&world, fd, SIZE_MAX, &got));
        http_server_wake(world.server);
        pump(&world);
    }
    assert_int_equal(got.length, 0);
    assert_int_equal(world.forgotten, 0);
    world.is_known = true;
    http_server_wake(world.server);
    client_read(&world, fd, SIZE_MAX, &got);
    assert_int_equal(answer_status(&got), 200);
    assert_string_equal(answer_body(&got), "why ping");
    assert_int_equal(world.forgotten, 1);
    // The connection goes on, and whoever leaves before the answer is forgotten as well.
    world.is_known = false;
    assert_true(client_send(&world, fd, request, strlen(request)));
    close(fd);
    expect_alive(&world, "a client that left");
    http_server_wake(world.server);
    pump(&world);
    world.is_known = true;
    http_server_wake(world.server);
    pump(&world);
    assert_int_equal(world.forgotten, 2);
    assert_int_equal(http_server_connections(world.server), 0);
    // So is who waits when the server ends.
    world.is_known = false;
    fd = client_open(&world);
    assert_true(client_send(&world, fd, request, strlen(request)));
    world_close(&world);
    assert_int_equal(world.forgotten, 3);
    close(fd);
    buf_release(&got);
}

static void a_unix_socket_knows_its_peer(void **state)
{
    (void)state;
    char folder[] = "/tmp/ironcron-sock-XXXXXX";
    char path[400];
    struct stat st;
    struct world world;
    assert_non_null(mkdtemp(folder));
    // Longer than a socket's address may be, and something stale is in its place.
    snprintf(path, sizeof path, "%s/%0150d", folder, 0);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path + strlen(path), 40, "/node.sock");
    for (int round = 0; round < 2; round++) {
        world_open(&world, &(struct http_server_options){.unix_path = path});
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        expect_alive(&world, "a unix socket was opened");
        assert_true(world.peer.is_local);
        assert_int_equal(world.peer.uid, geteuid());
        if (round == 0) { // as after kill -9: the name stays
            assert_int_equal(link(path, "/tmp/ironcron-sock-kept"), 0);
            world_close(&world);
            assert_int_equal(rename("/tmp/ironcron-sock-kept", path), 0);
        }
    }
    world_close(&world);
    assert_int_not_equal(stat(path, &st), 0);
    // What is no socket is not touched.
    struct http_server *server = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(http_server_new(&(struct http_server_options){.unix_path = path}, &server, &err));
    assert_non_null(strstr(err.text, "is no socket"));
    rmdir(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    rmdir(folder);
}

static void keeps_connections_and_answers_pipelines_in_order(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    struct buf requests;
    buf_init(&requests, 1 << 20);
    for (int i = 0; i < 50; i++) {
        buf_printf(&requests,
                   "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n%03d", i);
    }
    struct buf got = client_exchange(&world, requests.data, requests.length);
    const char *rest = buf_string(&got);
    for (int i = 0; i < 50; i++) {
        char body[16];
        snprintf(body, sizeof body, "\r\n\r\n%03d", i);
        rest = strstr(rest, body);
        if (rest == NULL) {
            fail_msg("answer %d is missing or out of order", i);
        }
    }
    buf_release(&got);
    buf_release(&requests);
    world_close(&world);
}

static void the_port_is_known_and_taken(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    int port = http_server_port(world.server);
    assert_true(port > 0);
    struct http_server *second = NULL;
    struct error err = ERROR_INIT;
    const struct http_server_options same = {
        .host = "127.0.0.1", .port = port, .clock = &world.clock};
    assert_false(http_server_new(&same, &second, &err));
    assert_null(second);
    assert_non_null(strstr(err.text, http_server_address(world.server)));
    world_close(&world);
}

static void nothing_to_do_means_no_wake_up(void **state)
{
    (void)state;
    struct world world;
    struct duration left;
    world_open(&world, NULL);
    pump(&world);
    assert_false(http_server_timeout(world.server, &left));
    expect_alive(&world, "nothing");
    assert_false(http_server_timeout(world.server, &left));
    world_close(&world);
}

static void bad_tls_files_are_named(void **state)
{
    (void)state;
    static const char pem[] =
        "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n";
    char path[] = "/tmp/ironcron-pem-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "plain text", 10), 10);
    struct world world;
    world_open(&world, NULL);
    struct http_server *server = NULL;
    struct error err = ERROR_INIT;
    struct http_server_options options = {.host = "127.0.0.1", .clock = &world.clock};
    options.tls_cert = options.tls_key = "/nonexistent/cert.pem";
    assert_false(http_server_new(&options, &server, &err));
    assert_non_null(strstr(err.text, "/nonexistent/cert.pem"));
    options.tls_cert = options.tls_key = path;
    error_reset(&err);
    assert_false(http_server_new(&options, &server, &err));
    assert_non_null(strstr(err.text, path));
    assert_null(strstr(err.text, "plain text")); // never the content: it may be a key
    assert_int_equal(pwrite(fd, pem, strlen(pem), 0), strlen(pem));
    error_reset(&err);
    assert_false(http_server_new(&options, &server, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, path));
    close(fd);
    unlink(path);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_requests),
        cmocka_unit_test(sends_headers_that_protect),
        cmocka_unit_test(streams_a_large_body),
        cmocka_unit_test(a_stream_waits_for_what_it_has_not_yet),
        cmocka_unit_test(an_answer_may_come_later),
        cmocka_unit_test(a_unix_socket_knows_its_peer),
        cmocka_unit_test(keeps_connections_and_answers_pipelines_in_order),
        cmocka_unit_test(the_port_is_known_and_taken),
        cmocka_unit_test(nothing_to_do_means_no_wake_up),
        cmocka_unit_test(bad_tls_files_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
