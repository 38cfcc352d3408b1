// SPDX-License-Identifier: MIT
#include "config/schema.h"

#include <string.h>

#include "base/check.h"

#define SECONDS(n) ((int64_t)(n)*1000000)
#define DAYS(n)    SECONDS((int64_t)(n)*86400)

// clang-format off
// The empty last argument lets an entry end after its meaning.
#define KEY(...) KEY_ENTRY(__VA_ARGS__, )
#define KEY_ENTRY(id_, section_, name_, type_, doc_, ...)                                          \
    [KEY_##id_] = {.id = KEY_##id_, .section = (section_), .name = (name_), .type = (type_),       \
                   .doc = (doc_), __VA_ARGS__},
const struct schema_key schema_keys[KEY_COUNT] = {
#include "config/schema.def"
};
#undef KEY
// clang-format on

static const char *const section_names[SECTION_COUNT] = {
    [SECTION_TOP] = "",
    [SECTION_NODE] = "node",
    [SECTION_HISTORY] = "history",
    [SECTION_HTTP] = "http",
    [SECTION_TOKEN] = "http.tokens[]",
    [SECTION_TLS] = "http.tls",
    [SECTION_DATABASE] = "databases[]",
    [SECTION_JOB] = "jobs[]",
    [SECTION_SQL] = "jobs[].sql",
    [SECTION_RETRIES] = "jobs[].retries",
    [SECTION_LIMITS] = "jobs[].limits",
    [SECTION_JOB_HTTP] = "jobs[].http",
};

size_t schema_range(enum schema_section section, size_t *first_out)
{
    static struct {
        size_t first, end;
    } ranges[SECTION_COUNT]; // found once: a large load asks millions of times
    if (ranges[section].end == 0) {
        size_t first = 0;
        while (schema_keys[first].section != section) {
            first++;
        }
        size_t end = first;
        while (end < KEY_COUNT && schema_keys[end].section == section) {
            end++;
        }
        ranges[section].first = first;
        ranges[section].end = end;
    }
    *first_out = ranges[section].first;
    return ranges[section].end;
}

const struct schema_key *schema_find(enum schema_section section, const char *name)
{
    size_t at;
    size_t end = schema_range(section, &at);
    for (; at < end; at++) {
        if (strcmp(schema_keys[at].name, name) == 0) {
            return &schema_keys[at];
        }
    }
    return NULL;
}

const char *schema_section_name(enum schema_section section)
{
    CHECK(section < SECTION_COUNT);
    return section_names[section];
}

const struct schema_key *schema_find_elsewhere(enum schema_section section, const char *name)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (schema_keys[i].section != section && strcmp(schema_keys[i].name, name) == 0) {
            return &schema_keys[i];
        }
    }
    return NULL;
}
