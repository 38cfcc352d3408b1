// SPDX-License-Identifier: MIT
#include "config/settings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "config/labels.h"
#include "config/postgresql_url.h"

// What an apply function needs.
struct target {
    struct load *load;
    const struct conform *conform;
    struct config *config;
    const char *state; // out: the base of the node's local files where the store is PostgreSQL
};

// ---- store and node -----------------------------------------------------------------------------

static void complain_store(const struct target *target, const struct yaml_tree_node *node,
                           const char *text)
{
    conform_complain(target->conform, node, "store: %s", text);
}

// The file itself where the name is a link: the node's lock and the store's log lie beside it, and
// two names must not make two of each. NULL: the link leads nowhere yet.
static const char *resolve_file(const struct target *target, const char *path)
{
    char resolved[PATH_MAX];
    char link[1];
    if (target->load->substitution.closed || readlink(path, link, sizeof link) < 0) {
        return path;
    }
    return realpath(path, resolved) == NULL ? NULL : pool_text(&target->load->pool, resolved);
}

static bool is_file_name(const char *path)
{
    return path[0] != '\0' && path[strlen(path) - 1] != '/';
}

static void apply_sqlite(const struct target *target, const struct yaml_tree_node *node)
{
    struct config *config = target->config;
    const char *path = node->text + strlen("sqlite:");
    if (strcmp(path, ":memory:") == 0) {
        complain_store(target, node,
                       "a store in memory would forget every run at a restart; name a file");
        return;
    }
    if (!is_file_name(path) || strpbrk(path, "?#") != NULL) {
        complain_store(target, node, "the part behind \"sqlite:\" must be the name of a file");
        return;
    }
    path = resolve_file(target, load_path(target->load, path));
    if (path == NULL) {
        complain_store(target, node, "the link leads to no file: name the file itself");
        return;
    }
    config->store_path = path;
    config->store = arena_printf(&config->arena, "sqlite:%s", config->store_path);
}

// Beside the store there is nothing that a URL without its password could be good for.
static bool is_unset(const struct target *target, const struct yaml_tree_node *node)
{
    return target->load->substitution.lenient && strstr(node->text, "${") != NULL;
}

static void apply_store(const struct target *target, const struct yaml_tree_node *node)
{
    struct config *config = target->config;
    struct postgresql_url url;
    if (strncmp(node->text, "sqlite:", 7) == 0) {
        apply_sqlite(target, node);
    } else if (is_unset(target, node)) {
        complain_store(target, node,
                       "what its ${…} names is not set here, and without it the store cannot be "
                       "reached: set it as it is for `ironcron serve`");
    } else if (!postgresql_url_is(node->text)) {
        complain_store(target, node,
                       "must be sqlite:FILE, such as sqlite:ironcron.db, or "
                       "postgresql://USER@HOST:PORT/DATABASE");
    } else if (postgresql_url_read(target->load, target->conform, node, &url)) {
        config->store_url = url.text;
        config->store = url.shown;
    }
}

static void apply_state(struct target *target, const struct yaml_tree_node *node)
{
    if (!is_file_name(node->text)) {
        conform_complain(target->conform, node,
                         "state: must be the name of a file, such as ironcron.node");
        return;
    }
    target->state = resolve_file(target, load_path(target->load, node->text));
    if (target->state == NULL) {
        conform_complain(target->conform, node,
                         "state: the link leads to no file: name the file itself");
    }
}

static void apply_node(void *context, const struct yaml_tree_node *node)
{
    struct target *target = context;
    struct config *config = target->config;
    switch (node->schema->id) {
    case KEY_NODE_MAX_RUNNING:
        config->max_running = (int)node->number;
        return;
    case KEY_NODE_DRAIN:
        config->drain = DURATION_US(node->number);
        return;
    case KEY_NODE_LEASE:
        config->lease = DURATION_US(node->number);
        return;
    case KEY_NODE_LABELS:
        config->labels = labels_build(target->load, node);
        return;
    case KEY_NODE_STATE:
        apply_state(target, node);
        return;
    default:
        return;
    }
}

// ---- the rest -----------------------------------------------------------------------------------

static void apply_history(void *context, const struct yaml_tree_node *node)
{
    struct config *config = ((const struct target *)context)->config;
    switch (node->schema->id) {
    case KEY_HISTORY_RUNS:
        config->history_runs = DURATION_US(node->number);
        return;
    case KEY_HISTORY_OUTPUT:
        config->history_output = DURATION_US(node->number);
        return;
    case KEY_HISTORY_OUTPUT_MAX:
        config->output_max = node->number;
        return;
    case KEY_HISTORY_AUDIT:
        config->history_audit = DURATION_US(node->number);
        return;
    default:
        return;
    }
}

static void apply_timezone(const struct target *target, const struct yaml_tree_node *node)
{
    const struct zone *zone;
    struct error err = ERROR_INIT;
    if (zone_cache_get(target->config->zones, node->text, &zone, &err)) {
        target->config->timezone = pool_text(&target->load->pool, node->text);
    } else if (node->substituted) {
        conform_complain(target->conform, node, "timezone: \"%.80s\" names no time zone",
                         node->raw);
    } else {
        conform_complain(target->conform, node, "timezone: %s", err.text);
    }
}

static void apply_top_own(void *context, const struct yaml_tree_node *node)
{
    if (node->schema->id == KEY_STORE) {
        apply_store(context, node);
    }
}

static void apply_top_shared(void *context, const struct yaml_tree_node *node)
{
    const struct target *target = context;
    struct config *config = target->config;
    switch (node->schema->id) {
    case KEY_ENVIRONMENT:
        config->environment = pool_text(&target->load->pool, node->text);
        return;
    case KEY_REVISION:
        config->revision = pool_text(&target->load->pool, node->text);
        return;
    case KEY_TIMEZONE:
        apply_timezone(target, node);
        return;
    default:
        return;
    }
}

// The environment is outside: what is not clean text is not taken from it.
static void revision_from_environment(struct load *load)
{
    const char *revision = load->substitution.closed ? NULL : getenv("IRONCRON_REVISION");
    if (load->config->revision == NULL && revision != NULL && revision[0] != '\0' &&
        strlen(revision) <= 128 && utf8_is_valid(revision, strlen(revision))) {
        load->config->revision = pool_text(&load->pool, revision);
    }
}

void settings_build_own(struct load *load, const struct conform *conform,
                        const struct yaml_tree_node *root)
{
    struct target target = {load, conform, load->config, NULL};
    conform_apply(root, SECTION_TOP, apply_top_own, &target);
    conform_apply(yaml_tree_find(root, "node"), SECTION_NODE, apply_node, &target);
    if (target.config->store_url != NULL) {
        target.config->store_path = target.state;
    }
    settings_build_http(load, conform, yaml_tree_find(root, "http"));
}

void settings_build_shared(struct load *load, const struct conform *conform,
                           const struct yaml_tree_node *root)
{
    struct target target = {load, conform, load->config, NULL};
    load->config->timezone = "UTC";
    conform_apply(root, SECTION_TOP, apply_top_shared, &target);
    conform_apply(yaml_tree_find(root, "history"), SECTION_HISTORY, apply_history, &target);
    settings_build_databases(load, conform, yaml_tree_find(root, "databases"));
    revision_from_environment(load);
}
