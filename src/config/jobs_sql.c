// SPDX-License-Identifier: MIT
#include "config/jobs_sql.h"

#include <string.h>

#include "base/attributes.h"
#include "base/nearest.h"

struct target {
    struct load *load;
    const struct conform *conform;
    struct job_sql sql;
    const struct yaml_tree_node *role;
};

static void complain_unknown(const struct target *target, const struct yaml_tree_node *node)
{
    const struct config *config = target->load->config;
    struct nearest nearest;
    nearest_init(&nearest, node->text);
    for (size_t i = 0; i < config->database_count; i++) {
        nearest_offer(&nearest, config->databases[i].name);
    }
    conform_complain(target->conform, node, "database: there is no database \"%.80s\"; %s%s%s",
                     node->raw,
                     nearest.best == NULL ? "define it under \"databases\"" : "did you mean \"",
                     nearest.best == NULL ? "" : nearest.best, nearest.best == NULL ? "" : "\"?");
}

static void apply_database(struct target *target, const struct yaml_tree_node *node)
{
    const struct config *config = target->load->config;
    target->sql.database = pool_text(&target->load->pool, node->text);
    if (database_find(config->databases, config->database_count, node->text) == NULL) {
        complain_unknown(target, node);
    }
}

static void apply_key(void *context, const struct yaml_tree_node *node)
{
    struct target *target = context;
    switch (node->schema->id) {
    case KEY_SQL_DATABASE:
        apply_database(target, node);
        return;
    case KEY_SQL_STATEMENT:
        target->sql.statement = pool_text(&target->load->pool, node->text);
        return;
    case KEY_SQL_TRANSACTION:
        target->sql.transaction = node->number != 0;
        return;
    case KEY_SQL_ROLE:
        target->sql.role = pool_text(&target->load->pool, node->text);
        target->role = node;
        return;
    default:
        return;
    }
}

const struct job_sql *jobs_build_sql(struct load *load, const struct conform *conform,
                                     const struct yaml_tree_node *map)
{
    struct target target = {.load = load, .conform = conform};
    memset(&target.sql, 0, sizeof target.sql);
    conform_apply(map, SECTION_SQL, apply_key, &target);
    const struct database *database =
        target.sql.database == NULL
            ? NULL
            : database_find(load->config->databases, load->config->database_count,
                            target.sql.database);
    if (target.role != NULL && database != NULL && database->kind == DATABASE_SQLITE) {
        conform_complain(conform, target.role,
                         "role: \"%.80s\" is on SQLite, which has no roles; remove it",
                         database->name);
    }
    return pool_object(&load->pool, &target.sql, sizeof target.sql);
}
