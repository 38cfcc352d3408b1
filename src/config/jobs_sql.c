// SPDX-License-Identifier: MIT
#include "config/jobs_sql.h"

#include <string.h>

#include "base/attributes.h"
#include "base/nearest.h"
#include "job/params.h"
#include "statement/statement.h"

// It travels to a worker process, together with the params, in one message of 256 KB.
#define SQLITE_STATEMENT_MAX 100000

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

// ---- the statement ------------------------------------------------------------------------------

static const struct database *database_of(const struct load *load, const struct job *job)
{
    const char *name = job->sql->database;
    return name == NULL
               ? NULL
               : database_find(load->config->databases, load->config->database_count, name);
}

bool jobs_sql_is_sqlite(const struct load *load, const struct job *job)
{
    const struct database *database = database_of(load, job);
    return database != NULL && database->kind == DATABASE_SQLITE;
}

static bool parse(const struct job *job, const struct database *database, struct error *err)
{
    const char *names[JOB_PARAMS_MAX + 1];
    job_params_names(job->params, names);
    struct statement statement;
    enum statement_dialect dialect =
        database->kind == DATABASE_SQLITE ? STATEMENT_SQLITE : STATEMENT_POSTGRESQL;
    if (!statement_parse(job->sql->statement, dialect, names, &statement, err)) {
        return false;
    }
    statement_release(&statement);
    return true;
}

void jobs_check_statement(struct load *load, const struct conform *conform,
                          const struct yaml_tree_node *job_map, const struct job *job)
{
    const struct yaml_tree_node *map = yaml_tree_find(job_map, "sql");
    const struct yaml_tree_node *node = map == NULL ? NULL : yaml_tree_find(map, "statement");
    const struct database *database = job->sql == NULL ? NULL : database_of(load, job);
    if (node == NULL || database == NULL || job->sql->statement == NULL) {
        return; // that was told
    }
    struct error err = ERROR_INIT;
    if (!parse(job, database, &err)) {
        conform_complain(conform, node, "statement: %s",
                         node->substituted ? "what was put in cannot be used; look for a name "
                                             "behind a dollar, and for what is not closed"
                                           : err.text);
    }
    if (database->kind == DATABASE_SQLITE && strlen(job->sql->statement) > SQLITE_STATEMENT_MAX) {
        conform_complain(conform, node,
                         "statement: has %zu bytes, and on SQLite %d is the most; put it into "
                         "several jobs",
                         strlen(job->sql->statement), SQLITE_STATEMENT_MAX);
    }
}
