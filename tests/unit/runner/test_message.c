// SPDX-License-Identifier: MIT
// Frames cut at every byte, frames that make no sense, frames that are too long; and the table that
// finds runs by their numbers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "runner/message.h"
#include "runner/table.h"

struct link {
    struct channel from, to;
};

static void link_open(struct link *link)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    channel_init(&link->from, pair[0], (size_t)16 * 1024 * 1024);
    channel_init(&link->to, pair[1], (size_t)16 * 1024 * 1024);
}

static void link_close(struct link *link)
{
    channel_release(&link->from);
    channel_release(&link->to);
}

static void put_three(struct channel *channel)
{
    message_begin(channel, MESSAGE_FEED, 7);
    message_put_number(channel, UINT64_MAX);
    assert_true(message_end(channel));
    message_begin(channel, MESSAGE_START, 8);
    message_put_text(channel, "text");
    message_put_text(channel, NULL);
    message_put_text(channel, "");
    assert_true(message_end(channel));
    message_begin(channel, MESSAGE_OUTPUT, 9);
    message_put_bytes(channel, "a\0b", 3);
    assert_true(message_end(channel));
}

static void check_one(struct message *message, int which)
{
    assert_int_equal(message->tag, 7 + which);
    if (which == 0) {
        assert_true(message_number(message) == UINT64_MAX);
        message_number(message); // there is only one
        assert_true(message->bad);
    } else if (which == 1) {
        assert_string_equal(message_text(message), "text");
        assert_null(message_text(message));
        assert_string_equal(message_text(message), "");
        assert_false(message->bad);
    } else {
        assert_int_equal(message->length, 3);
        assert_memory_equal(message->bytes, "a\0b", 3);
    }
}

static void test_cut_at_every_byte(void **state)
{
    (void)state;
    struct link link;
    link_open(&link);
    put_three(&link.from);
    size_t length = link.from.out.length;
    for (size_t cut = 0; cut <= length; cut++) {
        int seen = 0;
        for (int half = 0; half < 2; half++) {
            size_t from = half == 0 ? 0 : cut;
            size_t to = half == 0 ? cut : length;
            bool more = false;
            bool corrupt = false;
            struct message message;
            assert_int_equal(write(link.from.fd, link.from.out.data + from, to - from), to - from);
            assert_true(channel_fill(&link.to, &more));
            while (channel_next(&link.to, &message, &corrupt)) {
                check_one(&message, seen++);
            }
            assert_false(corrupt);
        }
        assert_int_equal(seen, 3);
    }
    link_close(&link);
}

static void test_too_long(void **state)
{
    (void)state;
    struct link link;
    char *large = alloc_zero(MESSAGE_BODY_MAX + 1, 1);
    link_open(&link);
    message_begin(&link.from, MESSAGE_OUTPUT, 1);
    message_put_bytes(&link.from, large, MESSAGE_BODY_MAX);
    assert_true(message_end(&link.from));
    size_t before = link.from.out.length;
    message_begin(&link.from, MESSAGE_OUTPUT, 2);
    message_put_bytes(&link.from, large, MESSAGE_BODY_MAX + 1);
    assert_false(message_end(&link.from));
    assert_int_equal(link.from.out.length, before); // as if nothing had been tried
    put_three(&link.from);
    int seen = 0;
    while (seen < 4) {
        bool more = false;
        bool corrupt = false;
        struct message message;
        assert_true(channel_flush(&link.from));
        assert_true(channel_fill(&link.to, &more));
        while (channel_next(&link.to, &message, &corrupt)) {
            if (seen > 0) {
                check_one(&message, seen - 1);
            }
            seen++;
        }
        assert_false(corrupt);
    }
    assert_false(channel_has_output(&link.from));
    free(large);
    link_close(&link);
}

static void test_corrupt(void **state)
{
    (void)state;
    static const struct {
        uint32_t length, type;
    } heads[] = {{0, 0}, {0, MESSAGE_END + 1}, {MESSAGE_BODY_MAX + 1, MESSAGE_END}, {~0u, ~0u}};
    for (size_t i = 0; i < ARRAY_LENGTH(heads); i++) {
        struct link link;
        bool more = false;
        bool corrupt = false;
        struct message message;
        uint64_t rest = 0;
        link_open(&link);
        assert_int_equal(write(link.from.fd, &heads[i], 8), 8);
        assert_int_equal(write(link.from.fd, &rest, 8), 8);
        assert_true(channel_fill(&link.to, &more));
        assert_false(channel_next(&link.to, &message, &corrupt));
        assert_true(corrupt);
        link_close(&link);
    }
}

static void test_closed(void **state)
{
    (void)state;
    struct link link;
    bool more = true;
    bool corrupt = false;
    struct message message;
    int seen = 0;
    link_open(&link);
    put_three(&link.from);
    assert_true(channel_flush(&link.from));
    channel_release(&link.from);
    while (channel_fill(&link.to, &more) || seen == 0) {
        while (channel_next(&link.to, &message, &corrupt)) {
            check_one(&message, seen++);
        }
    }
    assert_int_equal(seen, 3); // what was said before the end is heard
    put_three(&link.to);
    assert_false(channel_flush(&link.to));
    link_close(&link);
}

// Against an array with one place for each key.
static void test_table(void **state)
{
    (void)state;
    enum { KEYS = 500, STEPS = 100000 };
    static char values[4];
    void *expected[KEYS + 1] = {NULL};
    struct table table = {0};
    const char *seed = getenv("IRONCRON_SEED");
    srand(seed == NULL ? 1 : (unsigned)strtoul(seed, NULL, 10));
    for (int step = 0; step < STEPS; step++) {
        size_t key = (size_t)rand() % KEYS + 1;
        // Far apart and close together, as tags and pids are.
        uint64_t real = key % 2 == 0 ? key : ((uint64_t)key << 32) + 1;
        assert_ptr_equal(table_get(&table, real), expected[key]);
        if (rand() % 2 == 0) {
            expected[key] = &values[rand() % 4];
            table_put(&table, real, expected[key]);
        } else {
            assert_ptr_equal(table_remove(&table, real), expected[key]);
            expected[key] = NULL;
        }
    }
    size_t count = 0;
    for (size_t key = 1; key <= KEYS; key++) {
        count += expected[key] != NULL;
    }
    assert_int_equal(table.count, count);
    table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_corrupt),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
