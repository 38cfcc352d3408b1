// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/attributes.h"
#include "call/signature.h"

#define NOW instant_from_unix(1700000000)

// Made by `printf '%s' T.BODY | openssl dgst -sha256 -hmac SECRET`.
static const struct {
    const char *secret, *body, *header;
} vectors[] = {
    {"key", "The quick brown fox",
     "t=1700000000,v1=94a2d29c55d07d9333ce48f2c48db8237d363908152c26bf57af92cd850f9901"},
    {"s3cret", "{}",
     "t=1700000000,v1=97926816e98fbb41ccb1673225ff29a2f35369099990e1b1561651e7bd097ebf"},
    {"s3cret", "",
     "t=1700000000,v1=21948100f1d7a89f3338f6b1106fc4f7a702fbe1493b833a3382f80193bde3fe"},
    {"a key that is far longer than the block of the hash, which then is hashed first, see RFC "
     "2104",
     "x", "t=1700000000,v1=dd922fb5b1cc9b32ef5550fdbfc20aea6d5759bb62fb3f8e44427abb2764acae"},
};

static enum signature_result check(const char *header, const char *secret, const char *body)
{
    return signature_check(header, secret, NOW, body, strlen(body));
}

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(vectors); i++) {
        char made[SIGNATURE_SIZE];
        signature_make(vectors[i].secret, NOW, vectors[i].body, strlen(vectors[i].body), made);
        assert_string_equal(made, vectors[i].header);
        assert_int_equal(check(made, vectors[i].secret, vectors[i].body), SIGNATURE_GOOD);
        assert_int_equal(check(made, "other", vectors[i].body), SIGNATURE_WRONG);
        assert_int_equal(check(made, vectors[i].secret, "other"), SIGNATURE_WRONG);
    }
}

static void test_forms(void **state)
{
    (void)state;
    char made[SIGNATURE_SIZE];
    char text[1200];
    signature_make("key", NOW, "x", 1, made);
    const char *hex = strchr(made, ',') + 4;
    static const struct {
        const char *format; // %s is the right hex
        enum signature_result result;
    } cases[] = {
        {"t=1700000000,v1=%s", SIGNATURE_GOOD},
        {"v1=%s, t=1700000000", SIGNATURE_GOOD},
        {"t=1700000000,v1=00,v1=%s", SIGNATURE_GOOD}, // while a secret is changed
        {"t=1700000000,v0=1,v1=%s,new=2", SIGNATURE_GOOD},
        {"t=1700000000,v2=%s", SIGNATURE_MALFORMED},
        {"t=1700000001,v1=%s", SIGNATURE_WRONG},
        {"t=01700000000,v1=%s", SIGNATURE_WRONG}, // as written, not as meant
        {"t=1700000000,v1=%sab", SIGNATURE_WRONG},
        {"t=1700000000,v1=", SIGNATURE_WRONG},
        {"t=1700000000", SIGNATURE_MALFORMED},
        {"v1=%s", SIGNATURE_MALFORMED},
        {"t=1700000000,t=1700000000,v1=%s", SIGNATURE_MALFORMED},
        {"t=,v1=%s", SIGNATURE_MALFORMED},
        {"t=-1,v1=%s", SIGNATURE_MALFORMED},
        {"t=1e9,v1=%s", SIGNATURE_MALFORMED},
        {"t=9999999999999999,v1=%s", SIGNATURE_MALFORMED},
        {"", SIGNATURE_MALFORMED},
        {",", SIGNATURE_MALFORMED},
        {"nonsense", SIGNATURE_MALFORMED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *place = strstr(cases[i].format, "%s");
        snprintf(text, sizeof text, "%.*s%s%s",
                 place == NULL ? 200 : (int)(place - cases[i].format), cases[i].format,
                 place == NULL ? "" : hex, place == NULL ? "" : place + 2);
        enum signature_result result = check(text, "key", "x");
        if (result != cases[i].result) {
            fail_msg("%s gave %d", cases[i].format, (int)result);
        }
    }
    memset(text, 'v', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(check(text, "key", "x"), SIGNATURE_MALFORMED);
}

static void test_age(void **state)
{
    (void)state;
    static const struct {
        int64_t apart;
        enum signature_result result;
    } cases[] = {{0, SIGNATURE_GOOD},    {300, SIGNATURE_GOOD},   {-300, SIGNATURE_GOOD},
                 {301, SIGNATURE_STALE}, {-301, SIGNATURE_STALE}, {86400, SIGNATURE_STALE}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char made[SIGNATURE_SIZE];
        signature_make("key", instant_from_unix(1700000000 + cases[i].apart), "x", 1, made);
        assert_int_equal(check(made, "key", "x"), cases[i].result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors), cmocka_unit_test(test_forms),
                                       cmocka_unit_test(test_age)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
