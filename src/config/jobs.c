// SPDX-License-Identifier: MIT
// A job starts as a copy of the defaults, takes its own keys (job_draft.h), and is then looked at
// as a whole.
#include "config/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "config/after.h"
#include "config/job_draft.h"
#include "config/jobs_sql.h"

#define JOBS_MAX 1000000

struct jobs_defaults {
    struct job job;
    struct job_command command;
};

struct jobs_defaults *jobs_defaults_new(struct load *load, const struct conform *conform,
                                        const struct yaml_tree_node *main_root)
{
    struct jobs_defaults *defaults = alloc_zero(1, sizeof *defaults);
    struct job_draft draft;
    job_draft_begin(&draft, load, conform);
    const struct yaml_tree_node *map = yaml_tree_find(main_root, "defaults");
    if (map != NULL && !map->broken) {
        job_draft_apply(&draft, map);
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
static void build_schedule(struct job_draft *draft)
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

static void check_kind(const struct job_draft *draft, const struct yaml_tree_node *map)
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
static void check_process_keys(const struct job_draft *draft, const struct yaml_tree_node *map)
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
static void check_params(const struct job_draft *draft)
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

static void add_job(struct job_draft *draft, const struct yaml_tree_node *map)
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
    struct job_draft draft = {.load = load, .conform = conform};
    memcpy(&draft.job, &load->defaults->job, sizeof draft.job);
    memcpy(&draft.command, &load->defaults->command, sizeof draft.command);
    job_draft_apply(&draft, map);
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
