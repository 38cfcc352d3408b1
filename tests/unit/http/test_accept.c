// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "http/accept.h"
#include "http/host.h"

static void rates_media_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        int quality; // of text/plain version 0.0.4
        bool named;
    } cases[] = {
        {NULL, 1000, false},
        {"", 1000, false},
        {" , ,", 1000, false},
        {"*/*", 1000, false},
        {"text/*", 1000, false},
        {"text/plain", 1000, true},
        {"TEXT/Plain", 1000, true},
        {"text/html", 0, false},
        {"text/plain;q=0.5", 500, true},
        {"text/plain ; q=0.25 ", 250, true},
        {"text/plain; q=0", 0, true},
        {"text/plain; q=0.0014", 0, true}, // four decimals are no qvalue
        {"text/plain; q=1.001", 0, true},
        {"text/plain; q=2", 0, true},
        {"text/plain; q=x", 0, true},
        {"text/plain; q=", 0, true},
        {"text/plain; q=1.000", 1000, true},
        {"text/plain; version=0.0.4; q=0.3", 300, true},
        {"text/plain; version=\"0.0.4\"; q=0.3", 300, true},
        {"text/plain; version=1.0.0; q=0.9", 0, false},
        {"text/plain; version=1.0.0; q=0.9, */*; q=0.1", 100, false},
        {"*/*; q=0.9, text/*; q=0.2", 200, false},
        {"*/*; q=0.9, text/*; q=0.2, text/plain; q=0.4", 400, true},
        {"text/plain; q=0.4, text/plain; q=0.7", 700, true},
        {"text/plain; x=\"a,b;c\"; q=0.6", 600, true},
        {"text/plain; x=\"a\\\",b\"; q=0.6", 600, true},
        {"text/plain; x=\"unclosed, q=0.6", 1000, true},
        {"nonsense, text/plain", 1000, true},
        {"*/plain", 0, false},
        {"/", 0, false},
        {";;;=,,/;q", 0, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        bool named = false;
        int quality = http_accept_quality(cases[i].accept, "text", "plain", "0.0.4", &named);
        if (quality != cases[i].quality || named != cases[i].named) {
            fail_msg("Accept \"%s\": %d %d, expected %d %d", cases[i].accept, quality, named,
                     cases[i].quality, cases[i].named);
        }
    }
}

static void knows_the_names_of_loopback(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool is_loopback;
    } cases[] = {
        {"localhost", true},
        {"LocalHost:8321", true},
        {"127.0.0.1", true},
        {"127.0.0.1:8321", true},
        {"127.0.0.1:65535", true},
        {"[::1]", true},
        {"[::1]:1", true},
        {"localhost:", true}, // RFC 3986 allows an empty port
        {"", false},
        {"localhost.", false},
        {"localhost.evil.example", false},
        {"127.0.0.1.evil.example", false},
        {"127.0.0.2", false},
        {"evil.example", false},
        {"evil.example:8321", false},
        {"localhost:8321x", false},
        {"localhost:123456", false},
        {"localhost@evil.example", false},
        {"::1", false},
        {"[::1].evil", false},
        {"127.0.0.1 ", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (http_host_is_loopback(cases[i].host) != cases[i].is_loopback) {
            fail_msg("Host \"%s\": expected %d", cases[i].host, cases[i].is_loopback);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_media_ranges),
        cmocka_unit_test(knows_the_names_of_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
