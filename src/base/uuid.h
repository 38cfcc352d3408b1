// SPDX-License-Identifier: MIT
// UUID version 7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, then random bits, so that
// ids sort by the time they were made.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define UUID_TEXT_SIZE 37

struct uuid {
    uint8_t bytes[16];
};

struct uuid uuid_v7(int64_t unix_ms, const uint8_t random[10]);
void uuid_format(struct uuid id, char out[UUID_TEXT_SIZE]); // lower case
bool uuid_parse(const char *text, struct uuid *id_out);
bool uuid_equal(struct uuid a, struct uuid b);
bool uuid_is_nil(struct uuid id);
