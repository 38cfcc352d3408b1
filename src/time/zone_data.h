// SPDX-License-Identifier: MIT
// The inside of a zone, shared by its reader and its questions; nobody else includes this.
#pragma once

#include "time/posix_tz.h"
#include "time/zone.h"

struct zone_type {
    int32_t offset; // seconds east of UTC
    bool is_dst;
    uint8_t abbreviation; // index into `abbreviations`
};

struct zone {
    char *name;
    int64_t *transitions; // strictly ascending Unix seconds
    uint8_t *transition_types;
    size_t transition_count;
    struct zone_type *types; // at least one
    size_t type_count;
    char *abbreviations; // NUL-terminated each
    size_t abbreviation_bytes;
    bool has_rule; // the footer: rules from the last transition on, or always when there is none
    struct posix_tz rule;
};
