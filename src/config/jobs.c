// SPDX-License-Identifier: MIT
// A job starts as a copy of the defaults; each key that it sets replaces one value. What is equal
// among jobs is then shared.
#include "config/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "config/after.h"
#include "config/jobs_http.h"
#include "config/jobs_sql.h"
#include "config/labels.h"
#include "config/value.h"

#define JOBS_MAX 1000000

struct jobs_defaults {
    struct job job;
    struct job_command command;
};

// A job in the making.
struct draft {
    struct load *load;
    const struct conform *conform;
    struct job job;
    struct job_command command;
    struct job_retries retries;
    const struct yaml_tree_node *schedule;
    const struct yaml_tree_node *timezone; // its own; NULL = the one at the top
    const struct yaml_tree_node *params;
    const char *name;
};

// ---- values -------------------------------------------------------------------------------------

static const char *pooled(struct draft *draft, const char *text)
{
    return text[0] == '\0' ? NULL : pool_text(&draft->load->pool, text);
}

static const char *const *pooled_list(struct draft *draft, const struct yaml_tree_node *list)
{
    struct arena *scratch = &draft->conform->tree->arena;
    const char **texts = arena_alloc(scratch, list->count + 1, sizeof *texts);
    size_t count = 0;
    for (const struct yaml_tree_node *item = list->first; item != NULL; item = item->next) {
        texts[count++] = pool_text(&draft->load->pool, item->text);
    }
    return pool_object(&draft->load->pool, texts, (count + 1) * sizeof *texts);
}

static const struct job_variable *pooled_variables(struct draft *draft,
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
static void apply_params(struct draft *draft, const struct yaml_tree_node *map)
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
static void apply_command(struct draft *draft, const struct yaml_tree_node *list)
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

static void apply_shell(struct draft *draft, const struct yaml_tree_node *node)
{
    struct pool *pool = &draft->load->pool;
    const char *const argv[] = {pool_text(pool, "/bin/sh"), pool_text(pool, "-c"),
                                pool_text(pool, node->text), NULL};
    draft->job.kind = JOB_SHELL;
    draft->command.argv = pool_object(pool, argv, sizeof argv);
}

static void apply_retry(void *context, const struct yaml_tree_node *node)
{
    struct job_retries *retries = &((struct draft *)context)->retries;
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

static void apply_retries(struct draft *draft, const struct yaml_tree_node *map)
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
    struct job_limits *limits = &((struct draft *)context)->command.limits;
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

static bool apply_policy(struct draft *draft, const struct yaml_tree_node *node)
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

static bool apply_execution(struct draft *draft, const struct yaml_tree_node *node)
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

static void apply_description(struct draft *draft, const struct yaml_tree_node *node)
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
    struct draft *draft = context;
    if (!apply_policy(draft, node) && !apply_execution(draft, node)) {
        apply_description(draft, node);
    }
}

static void apply_all(struct draft *draft, const struct yaml_tree_node *map)
{
    for (const struct yaml_tree_node *child = map->first; child != NULL; child = child->next) {
        if (!child->broken && child->schema != NULL) {
            apply_key(draft, child);
        }
    }
}

struct jobs_defaults *jobs_defaults_new(struct load *load, const struct conform *conform,
                                        const struct yaml_tree_node *main_root)
{
    struct jobs_defaults *defaults = alloc_zero(1, sizeof *defaults);
    struct draft draft = {.load = load, .conform = conform};
    memset(&draft.command, 0, sizeof draft.command);
    conform_apply(NULL, SECTION_JOB, apply_key, &draft);
    apply_retries(&draft, NULL);
    const struct yaml_tree_node *map = yaml_tree_find(main_root, "defaults");
    if (map != NULL && !map->broken) {
        apply_all(&draft, map);
    }
    memcpy(&defaults->job, &draft.job, sizeof draft.job);
    memcpy(&defaults->command, &draft.command, sizeof draft.command);
    return defaults;
}

void jobs_defaults_free(struct jobs_defaults *defaults)
{
    free(defaults);
}

// ---- what only the whole job can tell -----------------------------------------------------------

// An expression from outside is not quoted by its parser: it may be a secret put in the wrong
// place.
static void build_schedule(struct draft *draft)
{
    struct config *config = draft->load->config;
    const struct yaml_tree_node *zone_node = draft->timezone;
    const char *timezone = zone_node == NULL ? config->timezone : zone_node->text;
    const struct zone *zone;
    struct error err = ERROR_INIT;
    if (!zone_cache_get(config->zones, timezone, &zone, &err)) {
        CHECK(zone_node != NULL);
        conform_complain(draft->conform, zone_node, "timezone: %s",
                         zone_node->substituted ? "what was put in names no time zone" : err.text);
        timezone = config->timezone; // with some zone the schedule's own mistakes are told as well
        if (!zone_cache_get(config->zones, timezone, &zone, &err)) {
            return;
        }
    }
    const struct yaml_tree_node *node = draft->schedule;
    draft->job.timezone = pool_text(&draft->load->pool, timezone);
    if (node == NULL) {
        return;
    }
    enum schedule_dst dst = draft->job.schedule.dst;
    struct schedule *schedule = &draft->job.schedule;
    if (!schedule_parse(node->text, zone, dst, draft->name == NULL ? "" : draft->name, schedule,
                        &err)) {
        conform_complain(draft->conform, node, "schedule: %s",
                         node->substituted ? "what was put in is not a schedule" : err.text);
    } else if (!schedule_ever_fires(schedule, instant_from_unix(0))) {
        conform_complain(draft->conform, node,
                         "schedule: \"%.80s\" never fires; no date matches it", node->raw);
    }
    draft->job.schedule_text = pool_text(&draft->load->pool, node->text);
}

static void check_kind(const struct draft *draft, const struct yaml_tree_node *map)
{
    static const enum schema_id kinds[] = {KEY_JOB_COMMAND, KEY_JOB_SHELL, KEY_JOB_SQL,
                                           KEY_JOB_HTTP, KEY_JOB_RETENTION};
    const struct yaml_tree_node *first = NULL;
    for (const struct yaml_tree_node *child = map->first; child != NULL; child = child->next) {
        bool is_kind = false;
        for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
            is_kind = is_kind || strcmp(child->key, schema_keys[kinds[i]].name) == 0;
        }
        if (is_kind && first != NULL && strcmp(first->key, child->key) != 0) {
            conform_complain_key(
                draft->conform, child,
                "this job has \"%s\" already; a job does one thing, make it two jobs", first->key);
        } else if (is_kind) {
            first = child;
        }
    }
    if (first == NULL) {
        conform_complain(draft->conform, map,
                         "this job has nothing to run; give it \"command\", \"shell\", \"sql\" "
                         "or \"http\"");
    }
}

// What only a process can have. In "defaults" it is for those jobs that have one.
static void check_process_keys(const struct draft *draft, const struct yaml_tree_node *map)
{
    static const enum schema_id keys[] = {KEY_JOB_USER, KEY_JOB_WORKDIR, KEY_JOB_ENV,
                                          KEY_JOB_PASS_ENV, KEY_JOB_LIMITS};
    if (draft->job.kind == JOB_COMMAND || draft->job.kind == JOB_SHELL) {
        return;
    }
    // On SQLite it has a process, a worker of ours: whose it is and what it may use is its own.
    bool is_worker = draft->job.sql != NULL && jobs_sql_is_sqlite(draft->load, &draft->job);
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        if (is_worker && (keys[i] == KEY_JOB_USER || keys[i] == KEY_JOB_LIMITS)) {
            continue;
        }
        const struct yaml_tree_node *node = yaml_tree_find(map, schema_keys[keys[i]].name);
        if (node != NULL) {
            conform_complain_key(draft->conform, node,
                                 "\"%s\" is for a process, and a job with \"%s\" has none; "
                                 "remove it",
                                 node->key, job_kind_name(draft->job.kind));
        }
    }
}

// Nobody is there to give a param to a run that its schedule starts.
static void check_params(const struct draft *draft)
{
    const struct yaml_tree_node *map = draft->params;
    for (const struct yaml_tree_node *item = map == NULL ? NULL : map->first; item != NULL;
         item = item->next) {
        if (item->text == NULL) {
            conform_complain_key(draft->conform, item,
                                 "params: \"%s\" must be given, and who gives it to a run that the "
                                 "schedule starts? Give it a default",
                                 item->key);
        }
    }
}

static void add_job(struct draft *draft, const struct yaml_tree_node *map)
{
    struct load *load = draft->load;
    size_t before = (size_t)(uintptr_t)map_get(&load->names, draft->name);
    if (before > 0) {
        const struct job *other = &load->jobs[before - 1];
        const struct yaml_tree_node *name = yaml_tree_find(map, "name");
        conform_complain(draft->conform, name,
                         "name: there is a job \"%s\" already, defined at %s:%u:%d", draft->name,
                         other->config_file, other->config_line, load->extras[before - 1].column);
        return;
    }
    draft->job.config_file = load->files[load->file_count - 1];
    draft->job.config_line = (uint32_t)map->line;
    draft->job.command = pool_object(&load->pool, &draft->command, sizeof draft->command);
    ARRAY_RESERVE(load->jobs, load->job_count, load->job_capacity);
    ARRAY_RESERVE(load->extras, load->job_count, load->extra_capacity);
    load->jobs[load->job_count] = draft->job;
    struct load_job *extra = &load->extras[load->job_count++];
    *extra = (struct load_job){.column = map->column};
    digest_node(map, &load->digest_form, extra->digest);
    map_put(&load->names, draft->name, (void *)(uintptr_t)load->job_count);
    after_note(load, yaml_tree_find(map, "after"));
}

static void build_job(struct load *load, const struct conform *conform,
                      const struct yaml_tree_node *map)
{
    if (map->kind != TREE_MAP || map->schema == NULL) {
        return;
    }
    struct draft draft = {.load = load, .conform = conform};
    memcpy(&draft.job, &load->defaults->job, sizeof draft.job);
    memcpy(&draft.command, &load->defaults->command, sizeof draft.command);
    apply_all(&draft, map);
    check_kind(&draft, map);
    check_process_keys(&draft, map);
    check_params(&draft);
    jobs_check_statement(load, conform, map, &draft.job);
    build_schedule(&draft);
    if (draft.name != NULL) {
        add_job(&draft, map);
    }
}

void jobs_build(struct load *load, const struct conform *conform, const struct yaml_tree_node *list)
{
    if (list == NULL || list->broken || list->schema == NULL || list->kind != TREE_LIST) {
        return;
    }
    for (const struct yaml_tree_node *item = list->first; item != NULL; item = item->next) {
        if (load->job_count == JOBS_MAX) {
            conform_complain(conform, item, "more than 1,000,000 jobs");
            return;
        }
        // With so many complaints that none more is told, going on would only take time.
        if (conform->problems->count > CONFIG_PROBLEMS_MAX) {
            return;
        }
        build_job(load, conform, item);
    }
}
