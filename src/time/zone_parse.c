// SPDX-License-Identifier: MIT
// Reads TZif (RFC 9636 section 3). The bytes may be anything: each count is bounded before it is
// used, each read is checked against what is left.
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/attributes.h"
#include "time/zone_data.h"

#define TRANSITIONS_MAX   20000 // the largest real zone has fewer than 300
#define TYPES_MAX         256
#define ABBREVIATIONS_MAX 256
#define OFFSET_LOWEST     (-89999) // RFC 9636 section 3.2: "SHOULD", and we insist
#define OFFSET_HIGHEST    93599

struct reader {
    const char *zone_name;
    const uint8_t *at;
    size_t left;
};

struct header {
    char version; // '\0' = 1, '2', '3', '4'
    size_t ut_indicators, standard_indicators, leaps, transitions, types, abbreviation_bytes;
};

static bool refuse(const struct reader *reader, struct error *err, const char *reason)
{
    return error_set(err, ERROR_ENVIRONMENT,
                     "the time zone file of %s is damaged: %s; reinstall the tzdata package",
                     reader->zone_name, reason);
}

static const uint8_t *reader_take(struct reader *reader, size_t length)
{
    if (reader->left < length) {
        return NULL;
    }
    const uint8_t *bytes = reader->at;
    reader->at += length;
    reader->left -= length;
    return bytes;
}

static uint32_t big_endian_32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int64_t big_endian_time(const uint8_t *bytes, size_t width)
{
    if (width == 4) {
        return (int32_t)big_endian_32(bytes);
    }
    return (int64_t)((uint64_t)big_endian_32(bytes) << 32 | big_endian_32(bytes + 4));
}

static bool counts_are_sane(const struct header *header)
{
    return header->transitions <= TRANSITIONS_MAX && header->types >= 1 &&
           header->types <= TYPES_MAX && header->abbreviation_bytes >= 1 &&
           header->abbreviation_bytes <= ABBREVIATIONS_MAX && header->leaps <= TRANSITIONS_MAX &&
           (header->ut_indicators == 0 || header->ut_indicators == header->types) &&
           (header->standard_indicators == 0 || header->standard_indicators == header->types);
}

static bool read_header(struct reader *reader, struct header *header, struct error *err)
{
    const uint8_t *bytes = reader_take(reader, 44);
    if (bytes == NULL || memcmp(bytes, "TZif", 4) != 0) {
        return refuse(reader, err, "it does not begin as a TZif file");
    }
    header->version = (char)bytes[4];
    if (header->version != '\0' && (header->version < '2' || header->version > '4')) {
        return refuse(reader, err, "its version is not 1 to 4");
    }
    header->ut_indicators = big_endian_32(bytes + 20);
    header->standard_indicators = big_endian_32(bytes + 24);
    header->leaps = big_endian_32(bytes + 28);
    header->transitions = big_endian_32(bytes + 32);
    header->types = big_endian_32(bytes + 36);
    header->abbreviation_bytes = big_endian_32(bytes + 40);
    return true;
}

// The version 1 block of a newer file may be empty, also of types; it is only passed over.
static bool skip_block(struct reader *reader, const struct header *header, struct error *err)
{
    uint64_t length = (uint64_t)header->transitions * 5 + (uint64_t)header->types * 6 +
                      header->abbreviation_bytes + (uint64_t)header->leaps * 8 +
                      header->standard_indicators + header->ut_indicators;
    if (length > reader->left) {
        return refuse(reader, err, "it ends early");
    }
    (void)reader_take(reader, (size_t)length);
    return true;
}

static bool read_transitions(struct reader *reader, const struct header *header, size_t width,
                             struct zone *zone, struct error *err)
{
    const uint8_t *times = reader_take(reader, header->transitions * width);
    const uint8_t *types = reader_take(reader, header->transitions);
    if (times == NULL || types == NULL) {
        return refuse(reader, err, "it ends early");
    }
    zone->transition_count = header->transitions;
    zone->transitions = alloc_zero(header->transitions + 1, sizeof *zone->transitions);
    zone->transition_types = alloc_zero(header->transitions + 1, 1);
    for (size_t i = 0; i < header->transitions; i++) {
        zone->transitions[i] = big_endian_time(times + i * width, width);
        zone->transition_types[i] = types[i];
        if (types[i] >= header->types) {
            return refuse(reader, err, "a transition leads to a type that is not there");
        }
        if (i > 0 && zone->transitions[i] <= zone->transitions[i - 1]) {
            return refuse(reader, err, "its transitions are out of order");
        }
    }
    return true;
}

static bool read_types(struct reader *reader, const struct header *header, struct zone *zone,
                       struct error *err)
{
    const uint8_t *types = reader_take(reader, header->types * 6);
    const uint8_t *abbreviations = reader_take(reader, header->abbreviation_bytes);
    if (types == NULL || abbreviations == NULL) {
        return refuse(reader, err, "it ends early");
    }
    zone->type_count = header->types;
    zone->types = alloc_zero(header->types, sizeof *zone->types);
    zone->abbreviation_bytes = header->abbreviation_bytes;
    // One byte more, so that the last name ends even where the file forgot its NUL.
    zone->abbreviations = alloc_bytes((const char *)abbreviations, header->abbreviation_bytes);
    for (size_t i = 0; i < header->types; i++) {
        const uint8_t *type = types + i * 6;
        int32_t offset = (int32_t)big_endian_32(type);
        if (offset < OFFSET_LOWEST || offset > OFFSET_HIGHEST) {
            return refuse(reader, err, "an offset is more than a day");
        }
        if (type[4] > 1 || type[5] >= header->abbreviation_bytes) {
            return refuse(reader, err, "a type of local time makes no sense");
        }
        zone->types[i] =
            (struct zone_type){.offset = offset, .is_dst = type[4] == 1, .abbreviation = type[5]};
    }
    return true;
}

static bool read_block(struct reader *reader, const struct header *header, size_t width,
                       struct zone *zone, struct error *err)
{
    if (!counts_are_sane(header)) {
        return refuse(reader, err, "a count in its header makes no sense");
    }
    if (header->leaps > 0) {
        // POSIX time, which every clock here tells, does not count them.
        return error_set(
            err, ERROR_CONFIG,
            "time zone %s counts leap seconds, which the system's clock does not; use the "
            "zone's plain name, without right/",
            reader->zone_name);
    }
    if (!read_transitions(reader, header, width, zone, err) ||
        !read_types(reader, header, zone, err)) {
        return false;
    }
    if (reader_take(reader, header->standard_indicators + header->ut_indicators) == NULL) {
        return refuse(reader, err, "it ends early");
    }
    return true;
}

// A newline, a POSIX TZ string or nothing, a newline.
static bool read_footer(struct reader *reader, struct zone *zone, struct error *err)
{
    const uint8_t *newline = reader_take(reader, 1);
    if (newline == NULL || *newline != '\n') {
        return refuse(reader, err, "its footer is missing");
    }
    const uint8_t *end = memchr(reader->at, '\n', reader->left);
    if (end == NULL) {
        return refuse(reader, err, "its footer has no end");
    }
    size_t length = (size_t)(end - reader->at);
    if (length == 0) {
        return true;
    }
    zone->has_rule = posix_tz_parse((const char *)reader->at, length, &zone->rule);
    return zone->has_rule || refuse(reader, err, "its footer is not a POSIX TZ string");
}

static bool read_file(struct reader *reader, struct zone *zone, struct error *err)
{
    struct header header = {0};
    if (!read_header(reader, &header, err)) {
        return false;
    }
    if (header.version == '\0') {
        return read_block(reader, &header, 4, zone, err);
    }
    return skip_block(reader, &header, err) && read_header(reader, &header, err) &&
           read_block(reader, &header, 8, zone, err) && read_footer(reader, zone, err);
}

static void free_zone(struct zone **zone)
{
    zone_free(*zone);
}

bool zone_parse(const char *name, const uint8_t *bytes, size_t length, struct zone **zone_out,
                struct error *err)
{
    struct zone *zone AUTO(free_zone) = alloc_zero(1, sizeof *zone);
    zone->name = alloc_string(name);
    struct reader reader = {.zone_name = zone->name, .at = bytes, .left = length};
    if (!read_file(&reader, zone, err)) {
        return false;
    }
    *zone_out = zone;
    zone = NULL;
    return true;
}

void zone_free(struct zone *zone)
{
    if (zone == NULL) {
        return;
    }
    free(zone->name);
    free(zone->transitions);
    free(zone->transition_types);
    free(zone->types);
    free(zone->abbreviations);
    free(zone);
}
