// SPDX-License-Identifier: MIT
#include "config/job_draft.h"

#include <string.h>

#include "base/log.h"
#include "config/jobs_http.h"
#include "config/jobs_sql.h"
#include "config/labels.h"
#include "config/value.h"

// ---- values -------------------------------------------------------------------------------------

static const char *pooled(struct job_draft *draft, const char *text)
{
    return text[0] == '\0' ? NULL : pool_text(&draft->load->pool, text);
}

static const char *const *pooled_list(struct job_draft *draft, const struct yaml_tree_node *list)
{
    struct arena *scratch = &draft->conform->tree->arena;
    const char **texts = arena_alloc(scratch, list->count + 1, sizeof *texts);
    size_t count = 0;
    for (const struct yaml_tree_node *item = list->first; item != NULL; item = item->next) {
        texts[count++] = pool_text(&draft->load->pool, item->text);
    }
    return pool_object(&draft->load->pool, texts, (count + 1) * sizeof *texts);
}

static const struct job_variable *pooled_variables(struct job_draft *draft,
                                                   const struct yaml_tree_node *map)
{
    struct arena *scratch = &draft->conform->tree->arena;
    struct job_variable *variables = arena_alloc(scratch, map->count + 1, sizeof *variables);
    size_t count = 0;
    for (const struct yaml_tree_node *item = map->first; item != NULL; item = item->next) {
        if (!draft->load->substitution.closed && value_is_secret(item->key, item->text)) {
            log_secret(item->text);
            load_secret(draft->load, draft->conform, item, !item->substituted);
        }
        variables[count].name = pool_text(&draft->load->pool, item->key);
        variables[count++].value = pool_text(&draft->load->pool, item->text);
    }
    return pool_object(&draft->load->pool, variables, (count + 1) * sizeof *variables);
}

// A text that was not checked is the "~" of one that must be given.
static void apply_params(struct job_draft *draft, const struct yaml_tree_node *map)
{
    struct arena *scratch = &draft->conform->tree->arena;
    struct job_variable *params = arena_alloc(scratch, map->count + 1, sizeof *params);
    size_t count = 0;
    for (const struct yaml_tree_node *item = map->first; item != NULL; item = item->next) {
        params[count].name = pool_text(&draft->load->pool, item->key);
        params[count++].value = pool_text(&draft->load->pool, item->text);
    }
    draft->params = map;
    draft->job.params =
        count == 0 ? NULL : pool_object(&draft->load->pool, params, (count + 1) * sizeof *params);
}

// A program given by a relative path stands relative to the configuration, as every path in it
// does; a bare name is looked up in PATH when it runs.
static void apply_command(struct job_draft *draft, const struct yaml_tree_node *list)
{
    struct arena *scratch = &draft->conform->tree->arena;
    const char **argv = arena_alloc(scratch, list->count + 1, sizeof *argv);
    size_t count = 0;
    for (const struct yaml_tree_node *item = list->first; item != NULL; item = item->next) {
        const char *text = item->text;
        if (count == 0 && strchr(text, '/') != NULL) {
            text = load_path(draft->load, text);
        }
        argv[count++] = pool_text(&draft->load->pool, text);
    }
    draft->job.kind = JOB_COMMAND;
    draft->command.argv = pool_object(&draft->load->pool, argv, (count + 1) * sizeof *argv);
}

static void apply_shell(struct job_draft *draft, const struct yaml_tree_node *node)
{
    struct pool *pool = &draft->load->pool;
    const char *const argv[] = {pool_text(pool, "/bin/sh"), pool_text(pool, "-c"),
                                pool_text(pool, node->text), NULL};
    draft->job.kind = JOB_SHELL;
    draft->command.argv = pool_object(pool, argv, sizeof argv);
}

static void apply_retry(void *context, const struct yaml_tree_node *node)
{
    struct job_retries *retries = &((struct job_draft *)context)->retries;
    switch (node->schema->id) {
    case KEY_RETRIES_MAX:
        retries->max = (int)node->number;
        return;
    case KEY_RETRIES_BACKOFF:
        retries->backoff = DURATION_US(node->number);
        return;
    case KEY_RETRIES_FACTOR:
        retries->factor = (double)node->number / 1e6;
        return;
    case KEY_RETRIES_MAX_BACKOFF:
        retries->max_backoff = DURATION_US(node->number);
        return;
    case KEY_RETRIES_JITTER:
        retries->jitter = (double)node->number / 1e6;
        return;
    default:
        return;
    }
}

static void apply_retries(struct job_draft *draft, const struct yaml_tree_node *map)
{
    memset(&draft->retries, 0, sizeof draft->retries);
    conform_apply(map, SECTION_RETRIES, apply_retry, draft);
    const struct yaml_tree_node *max_backoff =
        map == NULL ? NULL : yaml_tree_find(map, "max_backoff");
    if (max_backoff != NULL && !max_backoff->broken &&
        draft->retries.max_backoff.us < draft->retries.backoff.us) {
        conform_complain(draft->conform, max_backoff, "max_backoff: is shorter than \"backoff\"");
    } else if (draft->retries.max_backoff.us < draft->retries.backoff.us) {
        draft->retries.max_backoff = draft->retries.backoff;
    }
    draft->job.retries = pool_object(&draft->load->pool, &draft->retries, sizeof draft->retries);
}

static void apply_limit(void *context, const struct yaml_tree_node *node)
{
    struct job_limits *limits = &((struct job_draft *)context)->command.limits;
    switch (node->schema->id) {
    case KEY_LIMITS_MEMORY:
        limits->memory = node->number;
        return;
    case KEY_LIMITS_CPU_TIME:
        // Rounded up: a limit of half a second is one of one second, not none.
        limits->cpu_time = (node->number + 999999) / 1000000;
        return;
    case KEY_LIMITS_OPEN_FILES:
        limits->open_files = node->number;
        return;
    case KEY_LIMITS_NICE:
        limits->nice = (int)node->number;
        return;
    default:
        return;
    }
}

// ---- keys ---------------------------------------------------------------------------------------

static bool apply_policy(struct job_draft *draft, const struct yaml_tree_node *node)
{
    struct job *job = &draft->job;
    switch (node->schema->id) {
    case KEY_JOB_DST:
        job->schedule.dst = (enum schedule_dst)node->number;
        return true;
    case KEY_JOB_JITTER:
        job->jitter = DURATION_US(node->number);
        return true;
    case KEY_JOB_TIMEOUT:
        job->timeout = DURATION_US(node->number);
        return true;
    case KEY_JOB_KILL_AFTER:
        job->kill_after = DURATION_US(node->number);
        return true;
    case KEY_JOB_RETRIES:
        apply_retries(draft, node);
        return true;
    case KEY_JOB_OVERLAP:
        job->overlap = (enum job_overlap)node->number;
        return true;
    case KEY_JOB_MISSED:
        job->missed = (enum job_missed)node->number;
        return true;
    case KEY_JOB_MISSED_WITHIN:
        job->missed_within = DURATION_US(node->number);
        return true;
    case KEY_JOB_ON_LOST:
        job->on_lost = (enum job_on_lost)node->number;
        return true;
    case KEY_JOB_AFTER:
        job->after = node->first == NULL ? NULL : pooled_list(draft, node);
        return true;
    case KEY_JOB_AFTER_WITHIN:
        job->after_within = DURATION_US(node->number);
        return true;
    case KEY_JOB_NODES:
        job->nodes = labels_build(draft->load, node);
        return true;
    case KEY_JOB_MUST_SUCCEED_WITHIN:
        job->must_succeed_within = DURATION_US(node->number);
        return true;
    default:
        return false;
    }
}

static bool apply_execution(struct job_draft *draft, const struct yaml_tree_node *node)
{
    struct job_command *command = &draft->command;
    switch (node->schema->id) {
    case KEY_JOB_COMMAND:
        apply_command(draft, node);
        return true;
    case KEY_JOB_SHELL:
        apply_shell(draft, node);
        return true;
    case KEY_JOB_HTTP:
        draft->job.kind = JOB_HTTP;
        draft->job.http = jobs_http_build(draft->load, draft->conform, node);
        return true;
    case KEY_JOB_SQL:
        draft->job.kind = JOB_SQL;
        draft->job.sql = jobs_build_sql(draft->load, draft->conform, node);
        return true;
    case KEY_JOB_USER:
        command->user = pooled(draft, node->text);
        return true;
    case KEY_JOB_WORKDIR:
        command->workdir = pooled(draft, load_path(draft->load, node->text));
        return true;
    case KEY_JOB_ENV:
        command->env = pooled_variables(draft, node);
        return true;
    case KEY_JOB_PASS_ENV:
        command->pass_env = pooled_list(draft, node);
        return true;
    case KEY_JOB_PARAMS:
        apply_params(draft, node);
        return true;
    case KEY_JOB_LIMITS:
        for (const struct yaml_tree_node *limit = node->first; limit != NULL; limit = limit->next) {
            if (!limit->broken) {
                apply_limit(draft, limit);
            }
        }
        return true;
    default:
        return false;
    }
}

static void apply_description(struct job_draft *draft, const struct yaml_tree_node *node)
{
    struct job *job = &draft->job;
    switch (node->schema->id) {
    case KEY_JOB_NAME:
        draft->name = job->name = pool_text_alone(&draft->load->pool, node->text);
        return;
    case KEY_JOB_DESCRIPTION:
        job->description = pooled(draft, node->text);
        return;
    case KEY_JOB_OWNER:
        job->owner = pooled(draft, node->text);
        return;
    case KEY_JOB_RUNBOOK:
        job->runbook = pooled(draft, node->text);
        return;
    case KEY_JOB_SCHEDULE:
        draft->schedule = node;
        return;
    case KEY_JOB_TIMEZONE:
        draft->timezone = node;
        return;
    default:
        return;
    }
}

static void apply_key(void *context, const struct yaml_tree_node *node)
{
    struct job_draft *draft = context;
    if (!apply_policy(draft, node) && !apply_execution(draft, node)) {
        apply_description(draft, node);
    }
}

void job_draft_apply(struct job_draft *draft, const struct yaml_tree_node *map)
{
    for (const struct yaml_tree_node *child = map->first; child != NULL; child = child->next) {
        if (!child->broken && child->schema != NULL) {
            apply_key(draft, child);
        }
    }
}

void job_draft_begin(struct job_draft *draft, struct load *load, const struct conform *conform)
{
    *draft = (struct job_draft){.load = load, .conform = conform};
    // Compared byte by byte where it is shared: with no chance left in the gaps.
    memset(&draft->command, 0, sizeof draft->command);
    conform_apply(NULL, SECTION_JOB, apply_key, draft);
    apply_retries(draft, NULL);
}
