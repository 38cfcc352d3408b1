// SPDX-License-Identifier: MIT
#include "import/crontab_yaml.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import/crontab_command.h"
#include "import/crontab_name.h"
#include "import/yaml_text.h"
#include "job/job.h"
#include "schedule/schedule.h"

// A configuration file has 4 MB and 500,000 nodes at most; something is left for its other keys.
#define YAML_MAX  ((size_t)4 * 1024 * 1024 - 64 * 1024)
#define NODES_MAX 450000
#define JOB_MAX   ((size_t)2 * 1024 * 1024)
#define NAMES_MAX ((size_t)1024 * 1024 * 1024)
#define JOBS_MAX  1000000
#define NAME_SIZE (JOB_NAME_MAX + 1)

#define HEAD        "jobs:\n"
#define HEAD_LENGTH (sizeof HEAD - 1)

void crontab_yaml_init(struct crontab_yaml *yaml, struct zone_cache *zones, const char *timezone,
                       size_t part)
{
    *yaml = (struct crontab_yaml){
        .zones = zones, .timezone = timezone, .part = part, .parts = 1, .length = HEAD_LENGTH};
    buf_init(&yaml->out, YAML_MAX);
    map_init(&yaml->names);
    arena_init(&yaml->arena, NAMES_MAX);
    buf_add_string(&yaml->out, HEAD);
}

void crontab_yaml_release(struct crontab_yaml *yaml)
{
    buf_release(&yaml->out);
    map_release(&yaml->names);
    arena_release(&yaml->arena);
}

const char *crontab_yaml_text(struct crontab_yaml *yaml)
{
    return yaml->jobs == 0 ? "jobs: []\n" : buf_string(&yaml->out);
}

// ---- names --------------------------------------------------------------------------------------

struct pick {
    char wanted[CRONTAB_NAME_SIZE];
    char name[NAME_SIZE];
    uintptr_t count; // how many wanted it, with this one
};

// The first one keeps the name as it is, so that a line that comes later renames none.
static void pick_name(const struct crontab_yaml *yaml, const struct crontab_source *source,
                      const struct crontab_entry *entry, struct pick *pick)
{
    const char *command = entry->program != NULL ? entry->program : entry->command;
    crontab_name_make(source->label, command, pick->wanted);
    pick->count = (uintptr_t)map_get(&yaml->names, pick->wanted);
    snprintf(pick->name, NAME_SIZE, "%s", pick->wanted);
    while (map_get(&yaml->names, pick->name) != NULL) {
        snprintf(pick->name, NAME_SIZE, "%s-%zu", pick->wanted, (size_t)++pick->count);
    }
}

static void take_name(struct crontab_yaml *yaml, const struct pick *pick)
{
    if (pick->count > 0) {
        map_put(&yaml->names, arena_string(&yaml->arena, pick->wanted), (void *)pick->count);
    }
    map_put(&yaml->names, arena_string(&yaml->arena, pick->name), (void *)(uintptr_t)1);
}

// ---- one job ------------------------------------------------------------------------------------

static void add_key(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, "    %s: ", key);
    yaml_text_add(out, text);
    buf_add_char(out, '\n');
}

static void add_list(struct buf *out, const char *const *texts)
{
    buf_add_string(out, "    command: [");
    for (size_t i = 0; texts[i] != NULL; i++) {
        buf_add_string(out, i == 0 ? "" : ", ");
        yaml_text_add(out, texts[i]);
    }
    buf_add_string(out, "]\n");
}

// sh is what `shell` means anyway.
static bool is_sh(const char *shell)
{
    return shell == NULL || strcmp(shell, "/bin/sh") == 0 || strcmp(shell, "") == 0;
}

static void add_command(struct buf *out, const struct crontab_entry *entry)
{
    const char *shell = entry->environment != NULL ? entry->environment->shell : NULL;
    char *with_input = entry->input != NULL && entry->program == NULL
                           ? crontab_command_with_input(entry->command, entry->input)
                           : NULL;
    const char *text = with_input != NULL ? with_input : entry->command;
    if (entry->program != NULL) {
        add_list(out, (const char *const[]){entry->program, NULL});
    } else if (is_sh(shell)) {
        add_key(out, "shell", text);
    } else {
        add_list(out, (const char *const[]){shell, "-c", text, NULL});
    }
    free(with_input);
}

static void add_variables(struct buf *out, const struct crontab_environment *environment)
{
    if (environment == NULL || environment->count == 0) {
        return;
    }
    bool first = true;
    for (size_t i = 0; i < environment->count; i++) {
        const struct crontab_variable *variable = &environment->variables[i];
        if (strcmp(variable->name, "SHELL") == 0 && is_sh(variable->value)) {
            continue; // it is /bin/sh anyway
        }
        buf_add_string(out, first ? "    env:\n" : "");
        first = false;
        buf_printf(out, "      %s: ", variable->name);
        yaml_text_add(out, variable->value);
        buf_add_char(out, '\n');
    }
}

// A comment ends at its line: bytes that would break out of it are replaced.
static void add_origin(struct buf *out, const struct crontab_source *source,
                       const struct crontab_entry *entry)
{
    buf_add_string(out, "  # ");
    for (const char *c = source->file; *c != '\0'; c++) {
        buf_add_char(out, *c < ' ' || *c > '~' ? '?' : *c);
    }
    if (entry->line > 0) {
        buf_printf(out, ":%zu", entry->line);
    }
    buf_add_char(out, '\n');
}

static void add_job(struct buf *out, const struct crontab_source *source,
                    const struct crontab_entry *entry, const char *name, const char *timezone)
{
    const char *user = entry->user != NULL ? entry->user : source->user;
    add_origin(out, source, entry);
    buf_add_string(out, "  - name: ");
    yaml_text_add(out, name);
    buf_add_char(out, '\n');
    if (entry->description != NULL) {
        add_key(out, "description", entry->description);
    }
    add_key(out, "schedule", entry->schedule);
    add_key(out, "timezone", timezone);
    add_command(out, entry);
    if (user != NULL) {
        add_key(out, "user", user);
    }
    if (entry->workdir != NULL && entry->workdir[0] != '\0') {
        add_key(out, "workdir", entry->workdir);
    }
    add_variables(out, entry->environment);
    if (entry->environment != NULL && entry->environment->delay > 0) {
        buf_printf(out, "    jitter: %dm\n", entry->environment->delay);
    }
    // Cron lets a job run as long as it likes.
    buf_add_string(out, "    timeout: 0s\n");
}

// ---- what may be written ------------------------------------------------------------------------

static bool check_schedule(struct crontab_yaml *yaml, const struct crontab_entry *entry,
                           const char *name, const char *timezone, struct error *err)
{
    const struct zone *zone;
    struct schedule schedule;
    if (!zone_cache_get(yaml->zones, timezone, &zone, err)) {
        return error_wrap(err, "CRON_TZ");
    }
    if (!schedule_parse(entry->schedule, zone, SCHEDULE_DST_RUN, name, &schedule, err)) {
        return false;
    }
    return schedule_ever_fires(&schedule, instant_from_unix(0)) ||
           error_set(err, ERROR_CONFIG, "\"%.80s\" never fires; no date matches it",
                     entry->schedule);
}

static bool check_room(const struct crontab_yaml *yaml, const struct buf *job, struct error *err)
{
    if (job->overflow) {
        return error_set(err, ERROR_LIMIT,
                         "the job would be larger than %zu MB: put its command "
                         "and its environment into a script",
                         JOB_MAX / 1024 / 1024);
    }
    return yaml->jobs + yaml->elsewhere < JOBS_MAX ||
           error_set(err, ERROR_LIMIT, "more than %d jobs", JOBS_MAX);
}

static void place(struct crontab_yaml *yaml, const struct buf *job, size_t nodes)
{
    if (yaml->length + job->length > YAML_MAX || yaml->nodes + nodes > NODES_MAX) {
        yaml->parts++;
        yaml->length = HEAD_LENGTH;
        yaml->nodes = 0;
    }
    yaml->length += job->length;
    yaml->nodes += nodes;
    if (yaml->parts == yaml->part) {
        buf_add(&yaml->out, job->data, job->length);
        yaml->jobs++;
    } else {
        yaml->elsewhere++;
    }
}

bool crontab_yaml_add(struct crontab_yaml *yaml, const struct crontab_source *source,
                      const struct crontab_entry *entry, struct error *err)
{
    const struct crontab_environment *environment = entry->environment;
    const char *own = environment != NULL ? environment->timezone : NULL;
    const char *timezone = own != NULL ? own : yaml->timezone;
    AUTO(buf_release) struct buf job;
    buf_init(&job, JOB_MAX);
    size_t nodes = 24 + (environment != NULL ? 2 * environment->count : 0);
    struct pick pick;
    pick_name(yaml, source, entry, &pick);
    if (!check_schedule(yaml, entry, pick.name, timezone, err)) {
        return false;
    }
    add_job(&job, source, entry, pick.name, timezone);
    if (!check_room(yaml, &job, err)) {
        return false;
    }
    take_name(yaml, &pick);
    place(yaml, &job, nodes);
    return true;
}
