// SPDX-License-Identifier: MIT
#include "job/params.h"

#include <stdio.h>
#include <string.h>

const struct job_variable *job_params_find(const struct job_variable *params, const char *name)
{
    for (; params != NULL && params->name != NULL; params++) {
        if (strcmp(params->name, name) == 0) {
            return params;
        }
    }
    return NULL;
}

void job_params_names(const struct job_variable *params, const char *names_out[JOB_PARAMS_MAX + 1])
{
    size_t count = 0;
    for (; params != NULL && params->name != NULL && count < JOB_PARAMS_MAX; params++) {
        names_out[count++] = params->name;
    }
    names_out[count] = NULL;
}

json_t *job_params_object(const struct job_variable *params)
{
    json_t *object = json_object();
    for (; params != NULL && params->name != NULL; params++) {
        json_object_set_new(object, params->name, json_string(params->value));
    }
    return object;
}

bool job_param_is_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
    size_t length = strlen(text);
    return length > 0 && length <= JOB_PARAM_NAME_MAX && strchr(letters, text[0]) != NULL &&
           strspn(text, rest) == length;
}

// "day, tenant (required)", as far as it fits.
static void declared(const struct job *job, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (const struct job_variable *param = job->params;
         param != NULL && param->name != NULL && used + 1 < size; param++) {
        int written = snprintf(out + used, size - used, "%s%s%s", used > 0 ? ", " : "", param->name,
                               param->value == NULL ? " (required)" : "");
        used += (size_t)written;
    }
}

static bool check_given(const struct job *job, json_t *given, struct error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(given, name, value)
    {
        char names[1024];
        declared(job, names, sizeof names);
        if (job->params != NULL && job_params_find(job->params, name) == NULL) {
            return error_set(err, ERROR_USAGE, "job %s takes no param \"%.80s\"; it takes: %s",
                             job->name, name, names);
        }
        if (job->params == NULL && job->kind == JOB_SQL) {
            return error_set(err, ERROR_USAGE,
                             "job %s takes no params: declare \"%.80s\" under its \"params\" first",
                             job->name, name);
        }
        if (!json_is_string(value)) {
            return error_set(err, ERROR_USAGE, "the param \"%.80s\" must be a text", name);
        }
    }
    return json_object_size(given) <= JOB_PARAMS_MAX ||
           error_set(err, ERROR_USAGE, "%zu params are given, and %d is the most",
                     json_object_size(given), JOB_PARAMS_MAX);
}

static bool check_required(const struct job *job, json_t *given, struct error *err)
{
    for (const struct job_variable *param = job->params; param != NULL && param->name != NULL;
         param++) {
        if (param->value == NULL && json_object_get(given, param->name) == NULL) {
            return error_set(err, ERROR_USAGE, "job %s needs the param \"%s\": --param %s=VALUE",
                             job->name, param->name, param->name);
        }
    }
    return true;
}

bool job_params_check(const struct job *job, const char *given, struct error *err)
{
    json_t *object = given == NULL ? json_object() : json_loads(given, 0, NULL);
    bool fine = json_is_object(object)
                    ? check_given(job, object, err) && check_required(job, object, err)
                    : error_set(err, ERROR_USAGE, "params must be a JSON object of texts");
    json_decref(object);
    return fine;
}

void job_params_fill(const struct job *job, json_t *given,
                     struct job_variable list_out[JOB_PARAMS_MAX + 1])
{
    size_t count = 0;
    const char *name;
    json_t *value;
    for (const struct job_variable *param = job->params;
         param != NULL && param->name != NULL && count < JOB_PARAMS_MAX; param++) {
        const char *text = json_string_value(json_object_get(given, param->name));
        text = text == NULL ? param->value : text;
        if (text != NULL) {
            list_out[count++] = (struct job_variable){param->name, text};
        }
    }
    json_object_foreach(given, name, value)
    {
        if (count < JOB_PARAMS_MAX && json_is_string(value) && job->params == NULL) {
            list_out[count++] = (struct job_variable){name, json_string_value(value)};
        }
    }
    list_out[count] = (struct job_variable){NULL, NULL};
}
