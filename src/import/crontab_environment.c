// SPDX-License-Identifier: MIT
#include "import/crontab_environment.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define DELAY_MAX (24 * 60) // minutes: the longest jitter of a job

void crontab_environment_init(struct crontab_environment *environment)
{
    *environment = (struct crontab_environment){0};
}

void crontab_environment_release(struct crontab_environment *environment)
{
    for (size_t i = 0; i < environment->count; i++) {
        free(environment->variables[i].name);
        free(environment->variables[i].value);
    }
    free(environment->variables);
    free(environment->timezone);
    *environment = (struct crontab_environment){0};
}

// ---- reading ------------------------------------------------------------------------------------

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

// A name, in quotes or not; NULL when there is none.
static const char *read_name(const char *at, char **name_out)
{
    char quote = *at == '"' || *at == '\'' ? *at : '\0';
    at += quote != '\0';
    size_t length = quote == '\0' ? strcspn(at, " \t=") : strcspn(at, quote == '"' ? "\"" : "'");
    if (length == 0 || (quote != '\0' && at[length] == '\0')) {
        return NULL;
    }
    *name_out = alloc_bytes(at, length);
    return at + length + (quote != '\0');
}

static char *read_value(const char *at)
{
    size_t length = strlen(at);
    while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t')) {
        length--;
    }
    if (length >= 2 && (at[0] == '"' || at[0] == '\'') && at[length - 1] == at[0]) {
        return alloc_bytes(at + 1, length - 2);
    }
    return alloc_bytes(at, length);
}

bool crontab_assignment_read(const char *line, char **name_out, char **value_out)
{
    char *name = NULL;
    const char *at = read_name(skip_blanks(line), &name);
    if (at == NULL) {
        return false;
    }
    at = skip_blanks(at);
    if (*at != '=') {
        free(name);
        return false;
    }
    *name_out = name;
    *value_out = read_value(skip_blanks(at + 1));
    return true;
}

// ---- meaning ------------------------------------------------------------------------------------

static bool is_variable_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    size_t first = strspn(name, letters);
    size_t all = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
    return first > 0 && name[all] == '\0';
}

static bool is_mail(const char *name)
{
    static const char *const names[] = {"MAILTO", "MAILFROM", "CONTENT_TYPE",
                                        "CONTENT_TRANSFER_ENCODING"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool set_variable(struct crontab_environment *environment, const char *name,
                         const char *value, struct error *err)
{
    struct crontab_variable *variable = NULL;
    for (size_t i = 0; i < environment->count && variable == NULL; i++) {
        bool same = strcmp(environment->variables[i].name, name) == 0;
        variable = same ? &environment->variables[i] : NULL;
    }
    if (variable == NULL && environment->count == CRONTAB_VARIABLES_MAX) {
        return error_set(err, ERROR_LIMIT,
                         "%.64s: more than %d variables; set the others in a script", name,
                         CRONTAB_VARIABLES_MAX);
    }
    if (variable == NULL) {
        ARRAY_RESERVE(environment->variables, environment->count, environment->capacity);
        variable = &environment->variables[environment->count++];
        *variable = (struct crontab_variable){.name = alloc_string(name)};
    }
    free(variable->value);
    variable->value = alloc_string(value);
    if (strcmp(name, "HOME") == 0) {
        environment->home = variable->value;
    } else if (strcmp(name, "SHELL") == 0) {
        environment->shell = variable->value;
    }
    return true;
}

static bool set_delay(struct crontab_environment *environment, const char *value, struct error *err)
{
    char *end;
    long minutes = strtol(value, &end, 10);
    if (end == value || *end != '\0' || minutes < 0 || minutes > DELAY_MAX) {
        return error_set(err, ERROR_CONFIG, "RANDOM_DELAY=%.64s: a jitter is 0 to %d minutes",
                         value, DELAY_MAX);
    }
    environment->delay = (int)minutes;
    return true;
}

// What cron gives a meaning of its own. True in *done_out when the name is such a one.
static bool set_special(struct crontab_environment *environment, const char *name,
                        const char *value, bool *done_out, struct error *err)
{
    *done_out = true;
    if (is_mail(name)) {
        bool wants_none = value[0] == '\0';
        return wants_none || error_set(err, ERROR_CONFIG,
                                       "%s=%.200s: no mail is sent; the output of a run is kept: "
                                       "ironcron runs output ID",
                                       name, value);
    }
    if (strcmp(name, "CRON_TZ") == 0) {
        free(environment->timezone);
        environment->timezone = value[0] == '\0' ? NULL : alloc_string(value);
        return true;
    }
    if (strcmp(name, "RANDOM_DELAY") == 0) {
        return set_delay(environment, value, err);
    }
    if (strcmp(name, "LOGNAME") == 0) {
        return error_set(err, ERROR_CONFIG, "LOGNAME: cron itself does not let a crontab set it");
    }
    *done_out = false;
    return true;
}

bool crontab_environment_set(struct crontab_environment *environment, const char *name,
                             const char *value, const char **note_out, struct error *err)
{
    bool done;
    *note_out = NULL;
    if (!is_variable_name(name)) {
        return error_set(err, ERROR_CONFIG, "\"%.64s\" is not a variable's name", name);
    }
    if (!set_special(environment, name, value, &done, err)) {
        return false;
    }
    if (done) {
        return true;
    }
    if (strncmp(name, "IRONCRON_", strlen("IRONCRON_")) == 0) {
        return error_set(err, ERROR_CONFIG,
                         "%.64s: names with IRONCRON_ are those of a run's facts", name);
    }
    // Vixie's cron and cronie schedule by the daemon's own zone, whatever TZ says.
    if (strcmp(name, "TZ") == 0) {
        *note_out =
            "TZ: carried over for the commands only, as cron itself takes it; a job's times "
            "follow its \"timezone\"";
    }
    return set_variable(environment, name, value, err);
}
