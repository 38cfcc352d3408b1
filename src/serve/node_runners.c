// SPDX-License-Identifier: MIT
#include "serve/node_runners.h"

#include "call/call_runner.h"
#include "runner/process_runner.h"
#include "sql/sql_runner.h"

static void use_databases(struct node *node)
{
    const struct config *config = node->loaded->config;
    sqlite_runner_set_databases(&node->sqlite, config->databases, config->database_count);
}

// What is behind it, the runner process, may be replaced.
void node_runners_init(struct node *node)
{
    sqlite_runner_init(&node->sqlite);
    runner_router_set(&node->router, JOB_COMMAND, &node->sqlite.port);
    runner_router_set(&node->router, JOB_SHELL, &node->sqlite.port);
    use_databases(node);
}

static void open_calls(struct node *node, void (*on_told)(void *context))
{
    struct call_runner_options options = {.loop = &node->loop,
                                          .clock = node->clock,
                                          .output_max = node->loaded->config->output_max,
                                          .accepts_callbacks = node->options.schedules,
                                          .on_quiet = on_told,
                                          .context = node};
    node->calls = call_runner_new(&options);
    runner_router_set(&node->router, JOB_HTTP, node->calls);
}

void node_runners_end_left(struct node *node)
{
    const struct uuid *left;
    size_t count = engine_left(node->engine, &left);
    for (size_t i = 0; i < count; i++) {
        sql_runner_end_node(node->sql, left[i]);
    }
    if (count > 0 && sql_runner_has_ended_left(node->sql)) {
        engine_left_ended(node->engine);
    }
}

static void open_sql(struct node *node, void (*on_told)(void *context))
{
    const struct config *config = node->loaded->config;
    struct sql_runner_options options = {.loop = &node->loop,
                                         .node = node->id,
                                         .clock = node->clock,
                                         .output_max = config->output_max,
                                         .on_told = on_told,
                                         .context = node};
    node->sql = sql_runner_new(&options);
    sql_runner_set_databases(node->sql, config->databases, config->database_count);
    sql_runner_set_sqlite(node->sql, &node->sqlite.port);
    if (node->memory.system[0] != '\0') {
        sql_runner_set_store(node->sql, node->memory.system, node->memory.database);
    }
    node_runners_end_left(node);
    runner_router_set(&node->router, JOB_SQL, node->sql);
}

void node_runners_open(struct node *node, void (*on_told)(void *context))
{
    open_calls(node, on_told);
    open_sql(node, on_told);
}

void node_runners_reload(struct node *node)
{
    const struct config *config = node->loaded->config;
    use_databases(node);
    sql_runner_set_databases(node->sql, config->databases, config->database_count);
    process_runner_set_output_max(node->runner, config->output_max);
    call_runner_set_output_max(node->calls, config->output_max);
    sql_runner_set_output_max(node->sql, config->output_max);
}

void node_runners_close(struct node *node)
{
    sql_runner_free(node->sql);
    node->sql = NULL;
}
