// SPDX-License-Identifier: MIT
// How two sets of definitions differ: both are in the order of their jobs' names.
#include <string.h>

#include "config/config.h"

#define NAMES_SHOWN 5

struct names {
    const char *shown[NAMES_SHOWN];
    size_t count;
};

static void add_name(struct names *names, const char *name)
{
    if (names->count < NAMES_SHOWN) {
        names->shown[names->count] = name;
    }
    names->count++;
}

static void describe(const struct names *names, const char *verb, struct buf *out)
{
    if (names->count == 0) {
        return;
    }
    buf_printf(out, "%s%s ", out->length > 0 ? "; " : "", verb);
    size_t shown = names->count < NAMES_SHOWN ? names->count : NAMES_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        buf_printf(out, "%s%s", i > 0 ? ", " : "", names->shown[i]);
    }
    if (names->count > shown) {
        buf_printf(out, " and %zu more", names->count - shown);
    }
}

static const char *name_at(const struct config *config, size_t at)
{
    return at < config->job_count ? config->jobs[config->by_name[at]].name : NULL;
}

// Of the two next names: which comes first? NULL comes last.
static int order_of(const char *name, const char *other)
{
    if (name == NULL || other == NULL) {
        return name == NULL ? 1 : -1;
    }
    return strcmp(name, other);
}

void config_difference(const struct config *config, const struct config *other, struct buf *out)
{
    struct names added = {0};
    struct names missing = {0};
    struct names changed = {0};
    size_t i = 0;
    size_t k = 0;
    while (i < config->job_count || k < other->job_count) {
        int order = order_of(name_at(config, i), name_at(other, k));
        if (order < 0) {
            add_name(&added, name_at(config, i));
        } else if (order > 0) {
            add_name(&missing, name_at(other, k));
        } else if (memcmp(config->digests[i], other->digests[k], sizeof config->digests[i]) != 0) {
            add_name(&changed, name_at(config, i));
        }
        i += order <= 0;
        k += order >= 0;
    }
    describe(&added, "adds", out);
    describe(&missing, "lacks", out);
    describe(&changed, "changes", out);
    if (out->length == 0 && strcmp(config->hash, other->hash) != 0) {
        buf_add_string(out, "changes settings for all jobs");
    }
}
