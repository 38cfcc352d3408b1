// SPDX-License-Identifier: MIT
// The schema as Markdown, one table a section.
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "config/config.h"
#include "config/reference.h"
#include "config/schema.h"
#include "config/value.h"

static const char *type_words(const struct schema_key *key)
{
    switch (key->type) {
    case TYPE_TEXT:
        return "text";
    case TYPE_INTEGER:
        return "whole number";
    case TYPE_NUMBER:
        return "number";
    case TYPE_BOOLEAN:
        return "true or false";
    case TYPE_DURATION:
        return "duration";
    case TYPE_SIZE:
        return "size";
    case TYPE_CHOICE:
        return "word";
    case TYPE_JOB_NAME:
        return "name";
    case TYPE_TIMEZONE:
        return "time zone";
    case TYPE_JOBS:
        return "list of jobs";
    case TYPE_LIST:
    case TYPE_COMMAND:
        return "list of texts";
    case TYPE_TEXTS:
        return "text, or list of texts";
    case TYPE_NAMES:
        return "list of names";
    case TYPE_VARIABLES:
    case TYPE_LABELS:
        return "map of texts";
    case TYPE_PARAMS:
        return "map of texts or `~`";
    case TYPE_MAP:
    case TYPE_DEFAULTS:
        return "map";
    case TYPE_MAPS:
        return "list of maps";
    case TYPE_LATER:
        return "not in this version";
    }
    UNREACHABLE();
}

void reference_type(struct buf *out, const struct schema_key *key)
{
    buf_add_string(out, type_words(key));
    if (key->choices != NULL) {
        buf_add_string(out, ": `");
        for (const char *c = key->choices; *c != '\0'; c++) {
            if (*c == '|') {
                buf_add_string(out, "`, `");
            } else {
                buf_add_char(out, *c);
            }
        }
        buf_add_char(out, '`');
    } else if (key->max > 0 && key->type != TYPE_TEXT) {
        char min[VALUE_TEXT_SIZE];
        char max[VALUE_TEXT_SIZE];
        value_format(key->type, key->min, min);
        value_format(key->type, key->max, max);
        buf_printf(out, ", %s to %s", min, max);
    }
}

void reference_meaning(struct buf *out, const struct schema_key *key)
{
    if (key->type == TYPE_LATER) {
        buf_printf(out, "Refused in this version: %s.", key->doc);
    } else {
        buf_add_string(out, key->doc);
    }
    if ((key->flags & SCHEMA_REQUIRED) != 0) {
        buf_add_string(out, " Required.");
    }
    if ((key->flags & SCHEMA_DEFAULT) != 0) {
        buf_add_string(out, " May stand in `defaults`.");
    }
    if ((key->flags & SCHEMA_FIXED) != 0) {
        buf_add_string(out, " A change needs a restart.");
    }
    if (key->type == TYPE_MAP || key->type == TYPE_MAPS) {
        buf_printf(out, " Keys: see `%s` below.", schema_section_name(key->inner));
    }
}

static void add_section(struct buf *out, enum schema_section section)
{
    const char *name = schema_section_name(section);
    buf_printf(out, "\n## %s%s%s\n\n", *name == '\0' ? "The top of the file" : "`", name,
               *name == '\0' ? "" : "`");
    buf_add_string(out, "| key | type | default | meaning |\n|---|---|---|---|\n");
    size_t at;
    size_t end = schema_range(section, &at);
    for (; at < end; at++) {
        const struct schema_key *key = &schema_keys[at];
        buf_printf(out, "| `%s` | ", key->name);
        reference_type(out, key);
        buf_printf(out, " | %s%s%s | ", key->fallback == NULL ? "" : "`",
                   key->fallback == NULL ? "" : key->fallback, key->fallback == NULL ? "" : "`");
        reference_meaning(out, key);
        buf_add_string(out, " |\n");
    }
}

const char reference_preface[] =
    "One YAML file, 4 MB at most, without anchors, aliases, merge keys and tags. A "
    "value's type is\n"
    "what this page says, whatever it looks like: `no` can be a name, and quotes change "
    "nothing.\n"
    "Durations: `250ms`, `90s`, `5m`, `1h30m`, `7d`. Sizes: `512K`, `10M`, `1G`, where K "
    "is 1,024\n"
    "bytes. Paths are relative to the folder of the configuration.\n\n"
    "In a value, `${NAME}` takes an environment variable, `${file:PATH}` the content of a "
    "file less\n"
    "its last newline, and `$$` is a dollar; any other `${` is an error, and so is a "
    "variable that\n"
    "is not set. What was put in is not looked at again.\n\n"
    "`ironcron validate` tells every mistake at once, each with file, line and column.\n";

void config_reference(struct buf *out)
{
    buf_add_string(out, "# Configuration reference\n\n");
    buf_add_string(out, reference_preface);
    for (enum schema_section section = 0; section < SECTION_COUNT; section++) {
        add_section(out, section);
    }
}
