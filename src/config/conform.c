// SPDX-License-Identifier: MIT
#include "config/conform.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/nearest.h"
#include "config/value.h"
#include "job/params.h"

#define TEXT_SIZE 4096
// What Linux takes as one argument or variable of a program (MAX_ARG_STRLEN), less its NUL.
#define SCALAR_MAX ((size_t)128 * 1024 - 1)

static void check_map(struct conform *conform, struct yaml_tree_node *map,
                      enum schema_section section, bool in_defaults);

void conform_complain(const struct conform *conform, const struct yaml_tree_node *node,
                      const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    config_problems_add(conform->problems, conform->tree->file, node->line, node->column, "%s",
                        text);
}

void conform_complain_key(const struct conform *conform, const struct yaml_tree_node *node,
                          const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    config_problems_add(conform->problems, conform->tree->file, node->key_line, node->key_column,
                        "%s", text);
}

// ---- keys ---------------------------------------------------------------------------------------

static void add_valid_keys(struct buf *out, enum schema_section section, bool in_defaults)
{
    size_t at;
    size_t end = schema_range(section, &at);
    const char *before = "";
    for (; at < end; at++) {
        const struct schema_key *key = &schema_keys[at];
        if (key->type != TYPE_LATER && (!in_defaults || (key->flags & SCHEMA_DEFAULT) != 0)) {
            buf_printf(out, "%s%s", before, key->name);
            before = ", ";
        }
    }
}

static struct nearest nearest_key(enum schema_section section, const char *name, bool in_defaults)
{
    struct nearest nearest;
    nearest_init(&nearest, name);
    size_t at;
    size_t end = schema_range(section, &at);
    for (; at < end; at++) {
        if (!in_defaults || (schema_keys[at].flags & SCHEMA_DEFAULT) != 0) {
            nearest_offer(&nearest, schema_keys[at].name);
        }
    }
    return nearest;
}

// The very word in another section tells more than a word here that is two slips away.
static void complain_unknown(const struct conform *conform, const struct yaml_tree_node *node,
                             enum schema_section section, bool in_defaults)
{
    struct nearest nearest = nearest_key(section, node->key, in_defaults);
    const struct schema_key *elsewhere = schema_find_elsewhere(section, node->key);
    if (nearest.best != NULL && (elsewhere == NULL || nearest.distance < 2)) {
        conform_complain_key(conform, node, "unknown key \"%.80s\"; did you mean \"%s\"?",
                             node->key, nearest.best);
        return;
    }
    if (elsewhere != NULL) {
        const char *place = schema_section_name(elsewhere->section);
        conform_complain_key(conform, node, "unknown key \"%.80s\" here; it belongs %s%s%s",
                             node->key, *place == '\0' ? "at the top of the file" : "under \"",
                             place, *place == '\0' ? "" : "\"");
        return;
    }
    AUTO(buf_release) struct buf keys;
    buf_init(&keys, 2048);
    add_valid_keys(&keys, section, in_defaults);
    conform_complain_key(conform, node, "unknown key \"%.80s\"; valid here: %s", node->key,
                         buf_string(&keys));
}

// Is the key one that may stand here? Its schema is set then.
static bool check_key(struct conform *conform, struct yaml_tree_node *node,
                      enum schema_section section, bool in_defaults)
{
    const struct schema_key *key = schema_find(section, node->key);
    if (key == NULL) {
        complain_unknown(conform, node, section, in_defaults);
    } else if (key->type == TYPE_LATER) {
        node->schema = key;
        conform_complain_key(conform, node, "\"%s\" is not in this version: %s", key->name,
                             key->doc);
    } else if (section == SECTION_TOP && conform->main_file != NULL && key->id != KEY_JOBS) {
        conform_complain_key(conform, node,
                             "\"%s\" belongs in %s; an included file holds \"jobs\" only",
                             key->name, conform->main_file);
    } else if (in_defaults && (key->flags & SCHEMA_DEFAULT) == 0) {
        conform_complain_key(conform, node, "\"%s\" cannot have a default; set it in each job",
                             key->name);
    } else {
        node->schema = key;
        return true;
    }
    node->broken = true;
    return false;
}

// ---- scalars ------------------------------------------------------------------------------------

// Substitutes; false (and broken) when the node is no scalar or the substitution failed.
static bool check_scalar(struct conform *conform, struct yaml_tree_node *node,
                         const struct schema_key *key, const char *what)
{
    if (node->broken) {
        return false;
    }
    struct error err = ERROR_INIT;
    if (node->kind != TREE_SCALAR) {
        conform_complain(conform, node, "%s: must be %s, not %s", key->name, what,
                         yaml_tree_describe(node));
    } else if (node->plain && node->raw[0] == '\0') {
        conform_complain(conform, node, "%s: has no value; write one, or remove the key",
                         key->name);
    } else if (!substitution_expand(conform->substitution, &conform->tree->arena, node->raw,
                                    (key->flags & SCHEMA_SECRET) != 0, &node->text, &err)) {
        conform_complain(conform, node, "%s: %s", key->name, err.text);
    } else if (strlen(node->text) > SCALAR_MAX) {
        conform_complain(conform, node, "%s: the text is longer than %zu bytes; put it into a file",
                         key->name, SCALAR_MAX);
    } else {
        node->substituted = strstr(node->raw, "${") != NULL;
        return true;
    }
    node->broken = true;
    return false;
}

static void check_value(struct conform *conform, struct yaml_tree_node *node,
                        const struct schema_key *key)
{
    if (!check_scalar(conform, node, key, "a single value")) {
        return;
    }
    // What came from outside is quoted by its name, and a secret not at all.
    const char *shown = (key->flags & SCHEMA_SECRET) != 0 ? "the value" : node->raw;
    struct error err = ERROR_INIT;
    if (!value_parse(key, node->text, shown, &node->number, &err)) {
        conform_complain(conform, node, "%s: %s", key->name, err.text);
        node->broken = true;
    }
}

// ---- lists and maps of scalars ------------------------------------------------------------------

static bool check_kind(struct conform *conform, struct yaml_tree_node *node,
                       enum yaml_tree_kind kind, const struct schema_key *key, const char *form)
{
    if (node->broken) {
        return false;
    }
    if (node->kind == kind) {
        return true;
    }
    conform_complain(conform, node, "%s: must be %s such as %s, not %s", key->name,
                     kind == TREE_LIST ? "a list" : "a map", form, yaml_tree_describe(node));
    node->broken = true;
    return false;
}

static void check_list(struct conform *conform, struct yaml_tree_node *node,
                       const struct schema_key *key, const char *form)
{
    if (!check_kind(conform, node, TREE_LIST, key, form)) {
        return;
    }
    for (struct yaml_tree_node *item = node->first; item != NULL; item = item->next) {
        if (!check_scalar(conform, item, key, "a list of texts")) {
            node->broken = true;
        }
    }
}

static void check_command(struct conform *conform, struct yaml_tree_node *node,
                          const struct schema_key *key)
{
    if (node->kind == TREE_SCALAR && !node->broken && !(node->plain && node->raw[0] == '\0')) {
        conform_complain(
            conform, node,
            "command: must be a list, such as [\"/usr/bin/program\", \"--option\"]; for a "
            "line of shell use \"shell\"");
        node->broken = true;
        return;
    }
    check_list(conform, node, key, "[\"/usr/bin/program\", \"--option\"]");
    if (!node->broken && (node->first == NULL || node->first->text[0] == '\0')) {
        conform_complain(conform, node, "command: names no program");
        node->broken = true;
    }
}

static void check_name(struct conform *conform, const struct yaml_tree_node *place,
                       struct yaml_tree_node *owner, const char *name, bool at_key)
{
    static const char *const ours[] = {"IRONCRON_JOB", "IRONCRON_RUN_ID", "IRONCRON_DUE_AT",
                                       "IRONCRON_ATTEMPT", "IRONCRON_FENCE"};
    bool reserved = strncmp(name, "IRONCRON_PARAM_", 15) == 0;
    for (size_t i = 0; i < ARRAY_LENGTH(ours); i++) {
        reserved = reserved || strcmp(name, ours[i]) == 0;
    }
    if (value_is_variable_name(name) && !reserved) {
        return;
    }
    const char *reason = reserved ? "is set by ironcron for each run; choose another name"
                                  : "is not a name for a variable: letters, digits and \"_\", not "
                                    "beginning with a digit";
    if (at_key) {
        conform_complain_key(conform, place, "%s: \"%.80s\" %s", owner->schema->name, name, reason);
    } else {
        conform_complain(conform, place, "%s: \"%.80s\" %s", owner->schema->name, place->raw,
                         reason);
    }
    owner->broken = true;
}

static void check_names(struct conform *conform, struct yaml_tree_node *node,
                        const struct schema_key *key)
{
    check_list(conform, node, key, "[HOME, SMTP_URL]");
    for (struct yaml_tree_node *item = node->first; !node->broken && item != NULL;
         item = item->next) {
        check_name(conform, item, node, item->text, false);
    }
}

static void check_variables(struct conform *conform, struct yaml_tree_node *node,
                            const struct schema_key *key)
{
    if (!check_kind(conform, node, TREE_MAP, key, "{ NAME: value }")) {
        return;
    }
    for (struct yaml_tree_node *item = node->first; item != NULL; item = item->next) {
        if (key->type == TYPE_VARIABLES) {
            check_name(conform, item, node, item->key, true);
        }
        if (item->kind == TREE_SCALAR && item->plain && item->raw[0] == '\0' && !item->broken) {
            conform_complain(conform, item,
                             "%s: \"%.80s\" has no value; write \"\" for an empty one", key->name,
                             item->key);
            item->broken = true;
        }
        if (!check_scalar(conform, item, key, "a map of texts")) {
            node->broken = true;
        }
    }
}

// "~" is YAML's word for nothing: the parameter has no default.
static bool is_nothing(const struct yaml_tree_node *node)
{
    return node->kind == TREE_SCALAR && node->plain &&
           (node->raw[0] == '\0' || strcmp(node->raw, "~") == 0 || strcmp(node->raw, "null") == 0);
}

static void check_params(struct conform *conform, struct yaml_tree_node *node,
                         const struct schema_key *key)
{
    if (!check_kind(conform, node, TREE_MAP, key, "{ day: today, tenant: ~ }")) {
        return;
    }
    if (node->count > JOB_PARAMS_MAX) {
        conform_complain(conform, node, "params: are %u, and %d is the most", node->count,
                         JOB_PARAMS_MAX);
        node->broken = true;
    }
    for (struct yaml_tree_node *item = node->first; item != NULL; item = item->next) {
        if (!job_param_is_name(item->key)) {
            conform_complain_key(conform, item,
                                 "params: \"%.80s\" is not a name for a parameter: a to z, digits "
                                 "and \"_\", not beginning with a digit, %d at most",
                                 item->key, JOB_PARAM_NAME_MAX);
            node->broken = true;
        } else if (is_nothing(item)) {
            item->text = NULL;
        } else if (!check_scalar(conform, item, key, "a map of texts")) {
            node->broken = true;
        }
    }
}

// ---- maps of keys -------------------------------------------------------------------------------

static void check_maps(struct conform *conform, struct yaml_tree_node *node,
                       const struct schema_key *key)
{
    char form[128];
    size_t first;
    schema_range(key->inner, &first);
    snprintf(form, sizeof form, "\"- %s: …\"", schema_keys[first].name);
    if (!check_kind(conform, node, TREE_LIST, key, form)) {
        return;
    }
    for (struct yaml_tree_node *item = node->first; item != NULL; item = item->next) {
        item->schema = key;
        check_map(conform, item, key->inner, false);
    }
}

static void check_node(struct conform *conform, struct yaml_tree_node *node)
{
    const struct schema_key *key = node->schema;
    switch (key->type) {
    case TYPE_LIST:
        check_list(conform, node, key, "[ \"jobs.d/*.yml\" ]");
        return;
    case TYPE_JOBS:
        check_list(conform, node, key, "[rollup-daily]");
        return;
    case TYPE_COMMAND:
        check_command(conform, node, key);
        return;
    case TYPE_NAMES:
        check_names(conform, node, key);
        return;
    case TYPE_TEXTS:
        if (node->kind == TREE_LIST) {
            check_list(conform, node, key, "[ 200, 204 ]");
        } else {
            check_scalar(conform, node, key, "a text or a list of texts");
        }
        return;
    case TYPE_VARIABLES:
    case TYPE_LABELS:
        check_variables(conform, node, key);
        return;
    case TYPE_PARAMS:
        check_params(conform, node, key);
        return;
    case TYPE_MAP:
        check_map(conform, node, key->inner, false);
        return;
    case TYPE_DEFAULTS:
        check_map(conform, node, SECTION_JOB, true);
        return;
    case TYPE_MAPS:
        check_maps(conform, node, key);
        return;
    default:
        check_value(conform, node, key);
        return;
    }
}

// A mistyped key was complained about: that it is missing too would be the same news twice.
static bool is_mistyped(const struct yaml_tree_node *map, enum schema_section section,
                        const char *name)
{
    for (const struct yaml_tree_node *child = map->first; child != NULL; child = child->next) {
        const char *best =
            child->schema == NULL ? nearest_key(section, child->key, false).best : NULL;
        if (best != NULL && strcmp(best, name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_required(struct conform *conform, struct yaml_tree_node *map,
                           enum schema_section section)
{
    size_t at;
    size_t end = schema_range(section, &at);
    for (; at < end; at++) {
        const struct schema_key *key = &schema_keys[at];
        if ((key->flags & SCHEMA_REQUIRED) == 0 || yaml_tree_find(map, key->name) != NULL) {
            continue;
        }
        map->broken = true;
        if (!is_mistyped(map, section, key->name)) {
            conform_complain(conform, map, "\"%s\" is missing in %s", key->name,
                             section == SECTION_JOB ? "this job" : schema_section_name(section));
        }
    }
}

static void check_map(struct conform *conform, struct yaml_tree_node *map,
                      enum schema_section section, bool in_defaults)
{
    if (map->broken) {
        return;
    }
    if (map->kind != TREE_MAP) {
        conform_complain(conform, map, "%s: must be a map of keys, not %s%s",
                         in_defaults ? "defaults" : schema_section_name(section),
                         yaml_tree_describe(map),
                         section == SECTION_RETRIES ? "; write { max: 3 } for three" : "");
        map->broken = true;
        return;
    }
    for (struct yaml_tree_node *child = map->first; child != NULL; child = child->next) {
        if (!child->broken && check_key(conform, child, section, in_defaults)) {
            check_node(conform, child);
        }
    }
    if (!in_defaults) {
        check_required(conform, map, section);
    }
}

void conform_check(struct conform *conform)
{
    struct yaml_tree_node *root = conform->tree->root;
    bool empty = root == NULL || (root->kind == TREE_SCALAR && root->plain && root->raw[0] == '\0');
    if (!empty && root->kind == TREE_MAP) {
        check_map(conform, root, SECTION_TOP, false);
    } else if (!empty) {
        conform_complain(conform, root, "the file must be a map of keys such as \"jobs:\", not %s",
                         yaml_tree_describe(root));
    } else if (conform->main_file == NULL && !conform->is_part) {
        config_problems_add(conform->problems, conform->tree->file, 1, 1,
                            "the file is empty; \"ironcron init\" writes one to start from");
    }
}

void conform_apply(const struct yaml_tree_node *map, enum schema_section section,
                   void (*apply)(void *context, const struct yaml_tree_node *node), void *context)
{
    size_t at;
    size_t end = schema_range(section, &at);
    for (; at < end; at++) {
        const struct schema_key *key = &schema_keys[at];
        const struct yaml_tree_node *node = yaml_tree_find(map, key->name);
        struct yaml_tree_node fallback = {
            .schema = key, .key = key->name, .raw = key->fallback, .text = key->fallback};
        if (node != NULL) {
            // Below a map that was refused as a whole nothing has been checked.
            if (!node->broken && node->schema == key) {
                apply(context, node);
            }
        } else if (key->fallback != NULL) {
            struct error err = ERROR_INIT;
            CHECK(value_parse(key, key->fallback, key->fallback, &fallback.number, &err));
            apply(context, &fallback);
        }
    }
}
