// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/attributes.h"
#include "job/url.h"

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *path;
        int port;
        bool is_tls;
        const char *shown;
    } cases[] = {
        {"http://a", "a", "", 80, false, "http://a"},
        {"HTTPS://A.example/", "A.example", "/", 443, true, "https://A.example"},
        {"https://a:8443/x/y?z=1", "a", "/x/y?z=1", 8443, true, "https://a:8443"},
        {"http://a?z=@", "a", "?z=@", 80, false, "http://a"},
        {"http://a/@", "a", "/@", 80, false, "http://a"},
        {"http://[::1]:80/x", "::1", "/x", 80, false, "http://[::1]:80"},
        {"http://127.0.0.1:65535", "127.0.0.1", "", 65535, false, "http://127.0.0.1:65535"},
        {"http://a/%23%20", "a", "/%23%20", 80, false, "http://a"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct url url;
        struct error err = ERROR_INIT;
        AUTO(buf_release) struct buf shown;
        buf_init(&shown, 1000);
        if (!url_parse(cases[i].text, &url, &err)) {
            fail_msg("%s: %s", cases[i].text, err.text);
        }
        url_describe_host(&url, &shown);
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.path, cases[i].path);
        assert_int_equal(url.path_length, strcspn(cases[i].path, "?"));
        assert_int_equal(url.port, cases[i].port);
        assert_int_equal(url.is_tls, cases[i].is_tls);
        assert_string_equal(buf_string(&shown), cases[i].shown);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "must begin with"},
        {"a/b", "must begin with"},
        {"ftp://a", "must begin with"},
        {"file:///etc/passwd", "must begin with"},
        {"http:/a", "must begin with"},
        {"http://", "names no host"},
        {"http:///x", "names no host"},
        {"http://?x", "names no host"},
        {"http://:80", "names no host"},
        {"http://user:hunter@a/", "in \"headers\""},
        {"http://hunter@a", "in \"headers\""},
        {"http://a:0", "no port"},
        {"http://a:65536", "no port"},
        {"http://a:", "no port"},
        {"http://a:+80", "no port"},
        {"http://a:80x", "between its host"},
        {"http://a b", "a space"},
        {"http://a/\r\nX: y", "a space"},
        {"http://\xc3\xa4/", "xn--"},
        {"http://a/#x", "never sent"},
        {"http://[::1", "without \"]\""},
        {"http://[::g]/", "no IPv6 address"},
        {"http://[]/", "no IPv6 address"},
        {"http://[::1]x/", "between its host"},
        {"http://a\\b/", "names no host"},
        {"http://a,b/", "names no host"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct url url;
        struct error err = ERROR_INIT;
        if (url_parse(cases[i].text, &url, &err) || strstr(err.text, cases[i].reason) == NULL) {
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].text, err.text, cases[i].reason);
        }
        assert_null(strstr(err.text, "hunter"));
    }
}

static void test_lengths(void **state)
{
    (void)state;
    char *text = alloc_zero(URL_MAX + 2, 1);
    struct url url;
    struct error err = ERROR_INIT;
    memset(text, 'a', URL_MAX);
    memcpy(text, "http://", 7);
    assert_false(url_parse(text, &url, &err)); // a host of more than 253
    text[7 + URL_HOST_MAX] = '/';
    assert_true(url_parse(text, &url, &err));
    assert_int_equal(strlen(url.host), URL_HOST_MAX);
    text[URL_MAX] = 'a';
    assert_false(url_parse(text, &url, &err));
    assert_non_null(strstr(err.text, "longer than"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
                                       cmocka_unit_test(test_lengths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
