// SPDX-License-Identifier: MIT
// Writes TZif files for tests: any counts, any content, also wrong ones.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TZIF_BYTES 4096

struct tzif {
    char version; // '\0' = 1, '2' …
    uint32_t leaps;
    uint32_t transition_count; // written to the header …
    uint32_t type_count;
    uint32_t abbreviation_bytes;
    struct {
        int64_t at;
        uint8_t type;
    } transitions[8]; // … and this many of them to the body, at most 8
    struct {
        int32_t offset;
        uint8_t is_dst, abbreviation;
    } types[8];
    const char *abbreviations;
    const char *footer; // NULL = none
};

// Returns the length.
size_t tzif_write(const struct tzif *tzif, uint8_t out[TZIF_BYTES]);
