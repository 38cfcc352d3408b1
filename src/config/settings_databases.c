// SPDX-License-Identifier: MIT
// The databases.
#include <string.h>

#include "config/postgresql_url.h"
#include "config/settings.h"

#define DATABASES_MAX   100
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

struct target {
    struct load *load;
    const struct conform *conform;
    struct database *database; // the one that is being built
};

// ---- SQLite -------------------------------------------------------------------------------------

static void apply_sqlite(const struct target *target, const struct yaml_tree_node *node)
{
    const char *path = node->text + strlen("sqlite:");
    if (strcmp(path, ":memory:") == 0) {
        conform_complain(target->conform, node,
                         "url: a database in memory would be gone after each run; name a file");
        return;
    }
    if (path[0] == '\0' || path[strlen(path) - 1] == '/' || strpbrk(path, "?#") != NULL) {
        conform_complain(target->conform, node,
                         "url: the part behind \"sqlite:\" must be the name of a file");
        return;
    }
    target->database->kind = DATABASE_SQLITE;
    target->database->path = load_path(target->load, path);
    target->database->place = target->database->path;
}

// ---- one database -------------------------------------------------------------------------------

static void apply_postgresql(const struct target *target, const struct yaml_tree_node *node)
{
    struct postgresql_url url;
    if (postgresql_url_read(target->load, target->conform, node, &url)) {
        target->database->kind = DATABASE_POSTGRESQL;
        target->database->url = url.text;
        target->database->place = url.place;
    }
}

static void apply_url(const struct target *target, const struct yaml_tree_node *node)
{
    if (target->load->substitution.lenient && strstr(node->text, "${") != NULL) {
        target->database->place = "a URL that is not set here"; // only read, never connected to
    } else if (strncmp(node->text, "sqlite:", 7) == 0) {
        apply_sqlite(target, node);
    } else if (postgresql_url_is(node->text)) {
        apply_postgresql(target, node);
    } else {
        conform_complain(target->conform, node,
                         "url: names no kind of database; " POSTGRESQL_URL_REMEDY);
    }
}

static void apply_name(const struct target *target, const struct yaml_tree_node *node)
{
    const struct config *config = target->load->config;
    if (node->text[strspn(node->text, NAME_CHARACTERS)] != '\0') {
        conform_complain(target->conform, node,
                         "name: \"%.80s\" is not a name for a database: letters, digits, \"_\", "
                         "\".\" and \"-\"",
                         node->raw);
    } else if (database_find(config->databases, config->database_count, node->text) != NULL) {
        conform_complain(target->conform, node,
                         "name: there is a database \"%.80s\" already; each needs its own",
                         node->raw);
    } else {
        target->database->name = pool_text(&target->load->pool, node->text);
    }
}

static void apply_database(void *context, const struct yaml_tree_node *node)
{
    const struct target *target = context;
    switch (node->schema->id) {
    case KEY_DATABASE_NAME:
        apply_name(target, node);
        return;
    case KEY_DATABASE_URL:
        apply_url(target, node);
        return;
    case KEY_DATABASE_CONNECTIONS:
        target->database->connections = (int)node->number;
        return;
    default:
        return;
    }
}

void settings_build_databases(struct load *load, const struct conform *conform,
                              const struct yaml_tree_node *list)
{
    if (list == NULL || list->broken || list->schema == NULL) {
        return;
    }
    if (list->count > DATABASES_MAX) {
        conform_complain(conform, list, "databases: more than %d", DATABASES_MAX);
        return;
    }
    struct config *config = load->config;
    struct database *databases = arena_alloc(&config->arena, list->count + 1, sizeof *databases);
    config->databases = databases;
    for (const struct yaml_tree_node *item = list->first; item != NULL; item = item->next) {
        struct database *database = &databases[config->database_count];
        struct target target = {load, conform, database};
        conform_apply(item, SECTION_DATABASE, apply_database, &target);
        // One that is wrong still has its name, so that its jobs are not wrong as well.
        config->database_count += database->name != NULL;
    }
}
