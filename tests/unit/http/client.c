// SPDX-License-Identifier: MIT
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/check.h"
#include "http/listen_unix.h"
#include "http/route.h"

#define PATIENCE_MS 5 // after which a quiet kernel is taken to have nothing more for us
#define QUIET_MAX   40

// ---- the server ---------------------------------------------------------------------------------

static struct instant fixed_now(struct clock *clock)
{
    (void)clock;
    return instant_from_unix(1800000000);
}

static struct mono virtual_mono(struct clock *clock)
{
    return CONTAINER_OF(clock, struct world, clock)->now;
}

static void say_hello(void *context, const struct http_request *request,
                      struct http_response *response)
{
    struct world *world = context;
    world->handled++;
    world->peer = request->peer;
    buf_add_string(&response->body, "hello\n");
}

static void echo(void *context, const struct http_request *request, struct http_response *response)
{
    ((struct world *)context)->handled++;
    buf_add(&response->body, request->body, request->body_length);
}

struct digits {
    struct world *world;
    size_t sent;
};

static size_t read_digits(void *context, char *bytes, size_t size)
{
    struct digits *digits = context;
    size_t length = STREAM_BYTES - digits->sent;
    length = length < size ? length : size;
    for (size_t i = 0; i < length; i++) {
        size_t at = (digits->sent + i) % 64;
        bytes[i] = at == 63 ? '\n' : (char)('0' + at % 10);
    }
    digits->sent += length;
    return length;
}

static void free_digits(void *context)
{
    struct digits *digits = context;
    digits->world->streams_open--;
    free(digits);
}

static void stream(void *context, const struct http_request *request,
                   struct http_response *response)
{
    (void)request;
    struct digits *digits = alloc_zero(1, sizeof *digits);
    digits->world = context;
    digits->world->streams_open++;
    response->stream = (struct http_stream){read_digits, free_digits, digits};
}

static size_t read_drip(void *context, char *bytes, size_t size)
{
    struct digits *digits = context;
    if (digits->world->dripping <= 0 || size == 0) {
        return digits->world->dripping < 0 ? 0 : HTTP_STREAM_WAIT;
    }
    digits->world->dripping--;
    bytes[0] = '.';
    return 1;
}

static void drip(void *context, const struct http_request *request, struct http_response *response)
{
    stream(context, request, response);
    response->stream.read = read_drip;
}

// Keeps the world itself, so that who forgets can tell.
static void answer_later(void *context, const struct http_request *request,
                         struct http_response *response)
{
    struct world *world = context;
    assert_true(*request->kept == NULL || *request->kept == world);
    world->asked++;
    *request->kept = world;
    response->later = !world->is_known;
    buf_printf(&response->body, "%s %.*s", http_request_query(request, "q"),
               (int)request->body_length, request->body);
}

static void forget(void *context, void *kept)
{
    assert_ptr_equal(context, kept);
    ((struct world *)context)->forgotten++;
}

static void answer(void *context, const struct http_request *request,
                   struct http_response *response)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/hello", say_hello, HTTP_ANYBODY, NULL, NULL, NULL},
        {HTTP_POST, "/echo", echo, HTTP_ANYBODY, NULL, NULL, NULL},
        {HTTP_POST, "/later", answer_later, HTTP_ANYBODY, NULL, NULL, NULL},
        {HTTP_GET, "/drip", drip, HTTP_ANYBODY, NULL, NULL, NULL},
        {HTTP_GET, "/stream", stream, HTTP_ANYBODY, NULL, NULL, NULL}};
    static const struct http_router router = {routes, ARRAY_LENGTH(routes), NULL, NULL};
    http_route(&router, context, request, response);
}

void world_open(struct world *world, const struct http_server_options *limits)
{
    *world = (struct world){.clock = {.now = fixed_now, .mono = virtual_mono}};
    struct http_server_options options = limits == NULL ? (struct http_server_options){0} : *limits;
    options.host = "127.0.0.1";
    world->unix_path = options.unix_path;
    options.clock = &world->clock;
    options.handler = answer;
    options.forget = forget;
    options.context = world;
    struct error err = ERROR_INIT;
    if (!http_server_new(&options, &world->server, &err)) {
        fail_msg("%s", err.text);
    }
}

void world_close(struct world *world)
{
    http_server_free(world->server);
    assert_int_equal(world->streams_open, 0);
}

void pump(struct world *world)
{
    struct pollfd ready = {.fd = http_server_fd(world->server), .events = POLLIN};
    for (int rounds = 0; rounds < 1000; rounds++) {
        struct duration left;
        bool now = http_server_timeout(world->server, &left) && left.us == 0;
        if (!now && poll(&ready, 1, 0) <= 0) {
            return;
        }
        http_server_run(world->server);
    }
}

void world_advance(struct world *world, struct duration d)
{
    world->now = mono_add(world->now, d);
    http_server_run(world->server);
    pump(world);
}

// ---- clients ------------------------------------------------------------------------------------

static int open_unix(struct world *world)
{
    struct sockaddr_un address;
    struct error err = ERROR_INIT;
    int folder = -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && http_unix_address(world->unix_path, &address, &folder, &err));
    CHECK(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    close(folder);
    pump(world);
    return fd;
}

int client_open(struct world *world)
{
    if (world->unix_path != NULL) {
        return open_unix(world);
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_server_port(world->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(fd >= 0);
    int rc = connect(fd, (const struct sockaddr *)&address, sizeof address);
    CHECK(rc == 0 || errno == EINPROGRESS);
    pump(world);
    return fd;
}

bool client_send(struct world *world, int fd, const char *bytes, size_t length)
{
    int quiet = 0;
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
            quiet = 0;
        } else if (errno != EAGAIN || ++quiet > QUIET_MAX) {
            return false;
        } else {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            poll(&ready, 1, PATIENCE_MS);
        }
        pump(world);
    }
    return true;
}

bool client_read(struct world *world, int fd, size_t until, struct buf *out)
{
    int quiet = 0;
    while (out->length < until && quiet < QUIET_MAX) {
        char bytes[65536];
        pump(world);
        ssize_t length = recv(fd, bytes, sizeof bytes, 0);
        if (length > 0) {
            buf_add(out, bytes, (size_t)length);
            quiet = 0;
        } else if (length == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
            return true;
        } else {
            struct pollfd ready[] = {{.fd = fd, .events = POLLIN},
                                     {.fd = http_server_fd(world->server), .events = POLLIN}};
            poll(ready, 2, PATIENCE_MS);
            quiet++;
        }
    }
    return out->length >= until;
}

struct buf client_exchange(struct world *world, const char *request, size_t length)
{
    struct buf answer;
    buf_init(&answer, STREAM_BYTES * 2);
    int fd = client_open(world);
    client_send(world, fd, request, length);
    shutdown(fd, SHUT_WR);
    client_read(world, fd, SIZE_MAX, &answer);
    close(fd);
    pump(world);
    return answer;
}

int answer_status(const struct buf *answer)
{
    int status = 0;
    return sscanf(buf_string(answer), "HTTP/1.%*1[01] %d ", &status) == 1 ? status : 0;
}

const char *answer_header(const struct buf *answer, const char *name)
{
    static char value[1024];
    const char *line = strstr(buf_string(answer), "\r\n");
    while (line != NULL && strncmp(line, "\r\n\r\n", 4) != 0) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(line + strlen(name) + 2, "\r"),
                     line + strlen(name) + 2);
            return value;
        }
        line = strstr(line, "\r\n");
    }
    return "";
}

const char *answer_body(const struct buf *answer)
{
    const char *end = strstr(buf_string(answer), "\r\n\r\n");
    return end == NULL ? "" : end + 4;
}

void expect_alive(struct world *world, const char *after)
{
    static const char request[] =
        "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct buf got = client_exchange(world, request, strlen(request));
    if (answer_status(&got) != 200 || strcmp(answer_body(&got), "hello\n") != 0) {
        fail_msg("after %s, a plain request got \"%s\"", after, buf_string(&got));
    }
    buf_release(&got);
}
