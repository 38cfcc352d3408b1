// SPDX-License-Identifier: MIT
#include "call/signature.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX_SIZE       (2 * crypto_auth_hmacsha256_BYTES)
#define SECONDS_DIGITS 15 // far beyond any clock, far below an overflow
#define HEADER_MAX     1024

// `seconds` as it is written: it is a part of what is signed.
static void sign(const char *secret, const char *seconds, size_t digits, const char *body,
                 size_t length, unsigned char mac[crypto_auth_hmacsha256_BYTES])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)seconds, digits);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)body, length);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_memzero(&state, sizeof state);
}

void signature_make(const char *secret, struct instant now, const char *body, size_t length,
                    char out[SIGNATURE_SIZE])
{
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    char hex[HEX_SIZE + 1];
    char seconds[24];
    int digits = snprintf(seconds, sizeof seconds, "%" PRId64, instant_unix(now));
    sign(secret, seconds, (size_t)digits, body, length, mac);
    sodium_bin2hex(hex, sizeof hex, mac, sizeof mac);
    snprintf(out, SIGNATURE_SIZE, "t=%s,v1=%s", seconds, hex);
}

struct element { // of the header: "name=value"
    const char *name;
    size_t name_length;
    const char *value;
    size_t length;
};

static bool next_element(const char **at, struct element *element)
{
    *at += strspn(*at, " \t,");
    size_t length = strcspn(*at, ",");
    const char *equals = memchr(*at, '=', length);
    if (equals == NULL) {
        return false;
    }
    element->name = *at;
    element->name_length = (size_t)(equals - *at);
    element->value = equals + 1;
    element->length = length - element->name_length - 1;
    while (element->length > 0 && strchr(" \t", element->value[element->length - 1]) != NULL) {
        element->length--;
    }
    *at += length;
    return true;
}

static bool is_named(const struct element *element, const char *name)
{
    return element->name_length == strlen(name) &&
           memcmp(element->name, name, element->name_length) == 0;
}

// The one element t=SECONDS.
static bool find_time(const char *header, struct element *time_out)
{
    struct element element;
    int found = 0;
    while (next_element(&header, &element)) {
        if (is_named(&element, "t")) {
            *time_out = element;
            found++;
        }
    }
    return found == 1 && time_out->length > 0 && time_out->length <= SECONDS_DIGITS &&
           strspn(time_out->value, "0123456789") == time_out->length;
}

static bool is_right(const struct element *element,
                     const unsigned char mac[crypto_auth_hmacsha256_BYTES])
{
    unsigned char theirs[crypto_auth_hmacsha256_BYTES];
    size_t length = 0;
    return is_named(element, "v1") && element->length == HEX_SIZE &&
           sodium_hex2bin(theirs, sizeof theirs, element->value, element->length, NULL, &length,
                          NULL) == 0 &&
           length == sizeof theirs && sodium_memcmp(theirs, mac, sizeof theirs) == 0;
}

static bool is_far(struct instant now, int64_t seconds)
{
    int64_t apart = instant_unix(now) - seconds;
    int64_t tolerance = SIGNATURE_TOLERANCE.us / 1000000;
    return apart > tolerance || apart < -tolerance;
}

enum signature_result signature_check(const char *header, const char *secret, struct instant now,
                                      const char *body, size_t length)
{
    struct element time = {0};
    if (strlen(header) > HEADER_MAX || !find_time(header, &time)) {
        return SIGNATURE_MALFORMED;
    }
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    sign(secret, time.value, time.length, body, length, mac);
    struct element element;
    bool right = false;
    bool any = false;
    while (next_element(&header, &element)) {
        right |= is_right(&element, mac);
        any |= is_named(&element, "v1");
    }
    if (!right) {
        return any ? SIGNATURE_WRONG : SIGNATURE_MALFORMED;
    }
    return is_far(now, strtoll(time.value, NULL, 10)) ? SIGNATURE_STALE : SIGNATURE_GOOD;
}
