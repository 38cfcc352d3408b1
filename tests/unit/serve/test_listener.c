// SPDX-License-Identifier: MIT
// The HTTP server on an event loop: a long answer comes in pieces, and the loop turns in between.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve/listener.h"

#define ANSWER   ((size_t)200 * 1024 * 1024)
#define TURN_MAX ((size_t)4 * 1024 * 1024)

struct world {
    uv_loop_t loop;
    struct listener listener;
    uv_prepare_t turn;
    size_t sent, sent_before, most_in_a_turn;
    bool over;
};

static size_t read_zeros(void *context, char *bytes, size_t size)
{
    struct world *world = context;
    size_t length = ANSWER - world->sent < size ? ANSWER - world->sent : size;
    memset(bytes, '0', length);
    world->sent += length;
    return length;
}

static void answer_ended(void *context)
{
    ((struct world *)context)->over = true;
}

static void answer(void *context, const struct http_request *request,
                   struct http_response *response)
{
    (void)request;
    response->stream = (struct http_stream){read_zeros, answer_ended, context};
}

static void count_turn(uv_prepare_t *turn)
{
    struct world *world = turn->data;
    size_t sent = world->sent - world->sent_before;
    world->sent_before = world->sent;
    world->most_in_a_turn = sent > world->most_in_a_turn ? sent : world->most_in_a_turn;
}

// A client that reads as quickly as it can.
static pid_t fork_client(int port)
{
    pid_t child = fork();
    if (child != 0) {
        return child;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static char bytes[1 << 20];
    size_t all = 0;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        write(fd, request, sizeof request - 1) < 0) {
        _exit(1);
    }
    for (ssize_t length; (length = read(fd, bytes, sizeof bytes)) > 0;) {
        all += (size_t)length;
    }
    _exit(all > ANSWER ? 0 : 2);
}

static void world_open(struct world *world, struct clock *clock)
{
    struct error err = ERROR_INIT;
    struct http_server_options options = {
        .host = "127.0.0.1", .clock = clock, .handler = answer, .context = world};
    *world = (struct world){.over = false};
    uv_loop_init(&world->loop);
    uv_prepare_init(&world->loop, &world->turn);
    world->turn.data = world;
    uv_prepare_start(&world->turn, count_turn);
    assert_true(listener_open(&world->listener, &world->loop, &options, &err));
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    uv_close(handle, NULL);
}

static void world_close(struct world *world)
{
    listener_close(&world->listener);
    uv_walk(&world->loop, close_handle, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
}

static void a_long_answer_lets_the_loop_turn(void **state)
{
    (void)state;
    struct world world;
    int status;
    signal(SIGPIPE, SIG_IGN);
    world_open(&world, clock_system());
    pid_t client = fork_client(http_server_port(world.listener.server));
    while (!world.over) {
        uv_run(&world.loop, UV_RUN_ONCE);
    }
    world_close(&world);
    assert_int_equal(waitpid(client, &status, 0), client);
    assert_int_equal(status, 0);
    assert_int_equal(world.sent, ANSWER);
    assert_in_range(world.most_in_a_turn, 1, TURN_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_answer_lets_the_loop_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
