// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "http/listen.h"

static void expect_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", text, part);
    }
}

static void names_what_it_listens_on(void **state)
{
    (void)state;
    static const struct {
        const char *host, *prefix;
        bool is_loopback, is_ipv6;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1:", true, false}, {"127.0.0.9", "127.0.0.9:", true, false},
        {"0.0.0.0", "0.0.0.0:", false, false},    {"::1", "[::1]:", true, true},
        {"[::1]", "[::1]:", true, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct http_listener listener;
        struct error err = ERROR_INIT;
        if (!http_listen(cases[i].host, 0, &listener, &err)) {
            if (cases[i].is_ipv6) {
                continue; // a machine without IPv6
            }
            fail_msg("%s: %s", cases[i].host, err.text);
        }
        char expected[HTTP_ADDRESS_SIZE];
        snprintf(expected, sizeof expected, "%s%d", cases[i].prefix, listener.port);
        assert_string_equal(listener.address, expected);
        assert_int_equal(listener.is_loopback, cases[i].is_loopback);
        assert_int_equal(listener.is_ipv6, cases[i].is_ipv6);
        assert_true(listener.port > 0);
        close(listener.fd);
    }
}

static void a_taken_port_is_named_with_a_remedy(void **state)
{
    (void)state;
    struct http_listener listener;
    struct http_listener untouched = {.port = -7};
    struct error err = ERROR_INIT;
    assert_true(http_listen("127.0.0.1", 0, &listener, &err));
    assert_false(http_listen("127.0.0.1", listener.port, &untouched, &err));
    assert_int_equal(untouched.port, -7);
    assert_int_equal(err.code, ERROR_ENVIRONMENT);
    expect_in(err.text, listener.address);
    expect_in(err.text, "in use");
    expect_in(err.text, "ss -ltnp");
    expect_in(err.text, "http.listen");
    close(listener.fd);
    error_reset(&err);
    assert_true(http_listen("127.0.0.1", listener.port, &listener, &err));
    close(listener.fd);
}

static void a_foreign_address_is_named_with_a_remedy(void **state)
{
    (void)state;
    struct http_listener listener;
    struct error err = ERROR_INIT;
    assert_false(http_listen("192.0.2.1", 8321, &listener, &err)); // TEST-NET-1: nobody's
    expect_in(err.text, "192.0.2.1:8321");
    expect_in(err.text, "ip addr");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_what_it_listens_on),
        cmocka_unit_test(a_taken_port_is_named_with_a_remedy),
        cmocka_unit_test(a_foreign_address_is_named_with_a_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
