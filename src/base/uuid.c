// SPDX-License-Identifier: MIT
#include "base/uuid.h"

#include <stddef.h>
#include <string.h>

struct uuid uuid_v7(int64_t unix_ms, const uint8_t random[10])
{
    struct uuid id;
    for (int i = 0; i < 6; i++) {
        id.bytes[i] = (uint8_t)(unix_ms >> (40 - 8 * i));
    }
    memcpy(id.bytes + 6, random, 10);
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0F));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3F));
    return id;
}

void uuid_format(struct uuid id, char out[UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            out[used++] = '-';
        }
        out[used++] = digits[id.bytes[i] >> 4];
        out[used++] = digits[id.bytes[i] & 15];
    }
    out[used] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uuid_parse(const char *text, struct uuid *id_out)
{
    struct uuid id = {{0}};
    size_t at = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            if (text[at++] != '-') {
                return false;
            }
        }
        int high = hex_value(text[at]);
        int low = high < 0 ? -1 : hex_value(text[at + 1]);
        if (low < 0) {
            return false;
        }
        id.bytes[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    if (text[at] != '\0') {
        return false;
    }
    *id_out = id;
    return true;
}

bool uuid_equal(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool uuid_is_nil(struct uuid id)
{
    return uuid_equal(id, (struct uuid){{0}});
}
