// SPDX-License-Identifier: MIT
// The one table of what a configuration may hold (schema.def). Validation, defaults and the
// reference all come from it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A kind of map, named after where it stands.
enum schema_section {
    SECTION_TOP,
    SECTION_NODE,
    SECTION_HISTORY,
    SECTION_HTTP,
    SECTION_TOKEN,
    SECTION_TLS,
    SECTION_DATABASE,
    SECTION_JOB,
    SECTION_SQL,
    SECTION_RETRIES,
    SECTION_LIMITS,
    SECTION_JOB_HTTP,
    SECTION_COUNT
};

enum schema_type {
    TYPE_TEXT,     // min and max bound the length in bytes
    TYPE_INTEGER,  // min..max
    TYPE_NUMBER,   // millionths
    TYPE_BOOLEAN,  // 0, 1
    TYPE_DURATION, // microseconds
    TYPE_SIZE,     // bytes
    TYPE_CHOICE,   // index into the words of `choices`
    TYPE_JOB_NAME,
    TYPE_TIMEZONE,  // looked up when jobs are built
    TYPE_LIST,      // of texts
    TYPE_COMMAND,   // a list of texts, not empty
    TYPE_VARIABLES, // names of environment variables to texts
    TYPE_PARAMS,    // names of parameters to texts, or to nothing
    TYPE_JOBS,      // a list of names of jobs
    TYPE_NAMES,     // a list of names of environment variables
    TYPE_LABELS,    // words to texts
    TYPE_TEXTS,     // a text, or a list of them
    TYPE_MAP,       // of the section `inner`
    TYPE_MAPS,      // a list of them
    TYPE_DEFAULTS,  // a map of those job keys that can have a default
    TYPE_LATER,     // known, but refused in this version; `doc` says what to do instead
};

#define SCHEMA_REQUIRED 1u // the map is wrong without it
#define SCHEMA_SECRET   2u // never shown; what is substituted into it is registered with the log
#define SCHEMA_DEFAULT  4u // may stand in "defaults"
#define SCHEMA_FIXED    8u // a reload cannot change it: restart

enum schema_id {
#define KEY(id, ...) KEY_##id,
#include "config/schema.def"
#undef KEY
    KEY_COUNT
};

struct schema_key {
    enum schema_id id;
    enum schema_section section;
    enum schema_section inner;
    enum schema_type type;
    unsigned flags;
    const char *name;
    int64_t min, max;     // in the type's unit; both 0 = not bounded
    const char *fallback; // default, as one would write it; NULL = none
    const char *choices;  // "skip|queue|allow"
    const char *doc;
};

extern const struct schema_key schema_keys[KEY_COUNT];

const struct schema_key *schema_find(enum schema_section section, const char *name); // NULL
// The keys of a section, in the order of the table: [*first_out, returned end).
size_t schema_range(enum schema_section section, size_t *first_out);
const char *schema_section_name(enum schema_section section); // "node", "jobs[].retries"; top: ""
// Another section in which a misplaced key would be right; NULL when there is none.
const struct schema_key *schema_find_elsewhere(enum schema_section section, const char *name);
