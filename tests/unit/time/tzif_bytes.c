// SPDX-License-Identifier: MIT
#include "tzif_bytes.h"

#include <string.h>

struct writer {
    uint8_t *at;
};

static void put(struct writer *writer, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        *writer->at++ = (uint8_t)(value >> (8 * i));
    }
}

static void put_bytes(struct writer *writer, const char *bytes, size_t length)
{
    memcpy(writer->at, bytes, length);
    writer->at += length;
}

static void put_header(struct writer *writer, const struct tzif *tzif)
{
    put_bytes(writer, "TZif", 4);
    put(writer, (uint8_t)tzif->version, 1);
    put_bytes(writer, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
    put(writer, 0, 4);
    put(writer, 0, 4);
    put(writer, tzif->leaps, 4);
    put(writer, tzif->transition_count, 4);
    put(writer, tzif->type_count, 4);
    put(writer, tzif->abbreviation_bytes, 4);
}

static void put_block(struct writer *writer, const struct tzif *tzif, int width)
{
    uint32_t transitions = tzif->transition_count > 8 ? 8 : tzif->transition_count;
    uint32_t types = tzif->type_count > 8 ? 8 : tzif->type_count;
    put_header(writer, tzif);
    for (uint32_t i = 0; i < transitions; i++) {
        put(writer, (uint64_t)tzif->transitions[i].at, width);
    }
    for (uint32_t i = 0; i < transitions; i++) {
        put(writer, tzif->transitions[i].type, 1);
    }
    for (uint32_t i = 0; i < types; i++) {
        put(writer, (uint32_t)tzif->types[i].offset, 4);
        put(writer, tzif->types[i].is_dst, 1);
        put(writer, tzif->types[i].abbreviation, 1);
    }
    if (tzif->abbreviation_bytes < 100) {
        put_bytes(writer, tzif->abbreviations, tzif->abbreviation_bytes);
    }
    for (uint32_t i = 0; i < tzif->leaps && i < 8; i++) {
        put(writer, i, width);
        put(writer, i, 4);
    }
}

size_t tzif_write(const struct tzif *tzif, uint8_t out[TZIF_BYTES])
{
    struct writer writer = {.at = out};
    if (tzif->version == '\0') {
        put_block(&writer, tzif, 4);
        return (size_t)(writer.at - out);
    }
    // An empty first block, as the slim format has it.
    static const struct tzif empty = {.version = '2', .abbreviations = ""};
    put_header(&writer, &empty);
    put_block(&writer, tzif, 8);
    if (tzif->footer != NULL) {
        put(&writer, '\n', 1);
        put_bytes(&writer, tzif->footer, strlen(tzif->footer));
        put(&writer, '\n', 1);
    }
    return (size_t)(writer.at - out);
}
