// SPDX-License-Identifier: MIT
#include "runner/environment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "time/format.h"

#define PARAM_PREFIX "IRONCRON_PARAM_"

static char *entry_new(const char *name, const char *value)
{
    size_t name_length = strlen(name);
    size_t value_length = strlen(value);
    char *entry = alloc_zero(name_length + value_length + 2, 1);
    memcpy(entry, name, name_length);
    entry[name_length] = '=';
    memcpy(entry + name_length + 1, value, value_length);
    return entry;
}

static void set(struct environment *environment, const char *name, const char *value)
{
    char *entry = entry_new(name, value);
    size_t compared = strlen(name) + 1;
    for (size_t i = 0; i < environment->count; i++) {
        if (strncmp(environment->entries[i], entry, compared) == 0) {
            free(environment->entries[i]);
            environment->entries[i] = entry;
            return;
        }
    }
    ARRAY_RESERVE(environment->entries, environment->count, environment->capacity);
    environment->entries[environment->count++] = entry;
}

static void set_number(struct environment *environment, const char *name, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    set(environment, name, text);
}

// Parameter names become what a shell can read: upper case, and '_' for anything else.
static void set_param(struct environment *environment, const struct job_variable *param)
{
    size_t length = strlen(param->name);
    char *name = alloc_zero(sizeof PARAM_PREFIX + length, 1);
    memcpy(name, PARAM_PREFIX, sizeof PARAM_PREFIX - 1);
    for (size_t i = 0; i < length; i++) {
        char c = param->name[i];
        bool lower = c >= 'a' && c <= 'z';
        bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        name[sizeof PARAM_PREFIX - 1 + i] = lower ? (char)(c - 'a' + 'A') : plain ? c : '_';
    }
    set(environment, name, param->value);
    free(name);
}

static void set_base(struct environment *environment, const struct identity *identity)
{
    set(environment, "PATH", JOB_PATH);
    set(environment, "HOME", identity->home);
    set(environment, "USER", identity->name);
    set(environment, "LOGNAME", identity->name);
    set(environment, "SHELL", "/bin/sh");
    set(environment, "LANG", "C.UTF-8");
}

static void set_facts(struct environment *environment, const struct runner_start *start)
{
    char run_id[UUID_TEXT_SIZE];
    char due_at[FORMAT_TIME_SIZE];
    uuid_format(start->run_id, run_id);
    format_utc_ms(start->due_at, due_at);
    set(environment, "IRONCRON_JOB", start->job->name);
    set(environment, "IRONCRON_RUN_ID", run_id);
    set(environment, "IRONCRON_DUE_AT", due_at);
    set_number(environment, "IRONCRON_ATTEMPT", start->attempt);
    set_number(environment, "IRONCRON_FENCE", start->fence);
    for (const struct job_variable *param = start->params; param != NULL && param->name != NULL;
         param++) {
        set_param(environment, param);
    }
}

void environment_build(struct environment *environment, const struct runner_start *start,
                       const struct identity *identity)
{
    const struct job_command *command = start->job->command;
    *environment = (struct environment){0};
    set_base(environment, identity);
    for (const char *const *name = command->pass_env; name != NULL && *name != NULL; name++) {
        const char *value = getenv(*name);
        if (value != NULL) {
            set(environment, *name, value);
        }
    }
    for (const struct job_variable *variable = command->env;
         variable != NULL && variable->name != NULL; variable++) {
        set(environment, variable->name, variable->value);
    }
    set_facts(environment, start);
}

void environment_release(struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++) {
        free(environment->entries[i]);
    }
    free(environment->entries);
    *environment = (struct environment){0};
}

const char *environment_value(char *const *entries, const char *name)
{
    size_t length = strlen(name);
    for (; *entries != NULL; entries++) {
        if (strncmp(*entries, name, length) == 0 && (*entries)[length] == '=') {
            return *entries + length + 1;
        }
    }
    return NULL;
}
