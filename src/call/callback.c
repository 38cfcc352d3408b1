// SPDX-License-Identifier: MIT
#include "call/callback.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/attributes.h"
#include "base/log.h"
#include "base/utf8.h"

#define FORM "{\"fence\":7,\"state\":\"SUCCESS\"}"

static bool check_members(json_t *object, struct error *err)
{
    static const char *const known[] = {"fence", "state", "error", "output"};
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
            found = found || strcmp(name, known[i]) == 0;
        }
        if (!found) {
            return error_set(err, ERROR_USAGE,
                             "\"%.40s\" is not a member of an end; those are fence, state, error "
                             "and output",
                             name);
        }
    }
    return true;
}

static bool read_fence(json_t *object, struct callback *callback, struct error *err)
{
    const json_t *fence = json_object_get(object, "fence");
    callback->fence = json_integer_value(fence);
    return (json_is_integer(fence) && callback->fence > 0) ||
           error_set(err, ERROR_USAGE,
                     "\"fence\" must be the number from X-Ironcron-Fence, as in " FORM);
}

static bool read_state(json_t *object, struct callback *callback, struct error *err)
{
    const char *state = json_string_value(json_object_get(object, "state"));
    callback->success = state != NULL && strcmp(state, "SUCCESS") == 0;
    return callback->success || (state != NULL && strcmp(state, "FAILED") == 0) ||
           error_set(err, ERROR_USAGE, "\"state\" must be \"SUCCESS\" or \"FAILED\", as in " FORM);
}

// Null is the same as nothing.
static bool read_text(json_t *object, const char *name, char **text_out, struct error *err)
{
    const json_t *value = json_object_get(object, name);
    if (value == NULL || json_is_null(value)) {
        return true;
    }
    if (!json_is_string(value)) {
        return error_set(err, ERROR_USAGE, "\"%s\" must be a text", name);
    }
    *text_out = alloc_string(json_string_value(value));
    return true;
}

static void make_one_line(char *text)
{
    size_t length = utf8_cut(text, strlen(text), CALLBACK_ERROR_MAX);
    char *clean = alloc_zero(length + 1, 1);
    utf8_sanitise(text, length, clean);
    for (char *c = clean; (c = strpbrk(c, "\n\t")) != NULL;) {
        *c = ' ';
    }
    memcpy(text, clean, length + 1);
    free(clean);
}

static bool read_all(json_t *object, struct callback *callback, struct error *err)
{
    if (!check_members(object, err) || !read_fence(object, callback, err) ||
        !read_state(object, callback, err) || !read_text(object, "error", &callback->error, err) ||
        !read_text(object, "output", &callback->output, err)) {
        return false;
    }
    if (callback->success && callback->error != NULL) {
        return error_set(err, ERROR_USAGE, "a SUCCESS has no \"error\"; leave it out");
    }
    if (callback->error != NULL) {
        make_one_line(callback->error);
    }
    return true;
}

bool callback_parse(const char *body, size_t length, struct callback *callback_out,
                    struct error *err)
{
    if (length > CALLBACK_BODY_MAX) {
        return error_set(err, ERROR_USAGE, "the body is larger than %zu KB",
                         CALLBACK_BODY_MAX / 1024);
    }
    json_error_t where;
    json_t *object = json_loadb(body, length, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(object)) {
        json_decref(object);
        return error_set(err, ERROR_USAGE, "the body must be a JSON object such as " FORM "%s%s",
                         object == NULL ? ": " : "", object == NULL ? where.text : "");
    }
    struct callback callback = {0};
    bool fine = read_all(object, &callback, err);
    json_decref(object);
    if (!fine) {
        callback_release(&callback);
        return false;
    }
    *callback_out = callback;
    return true;
}

char *callback_failure(const struct callback *callback)
{
    bool told = callback->error != NULL && callback->error[0] != '\0';
    return log_mask(told ? callback->error : "the callback says FAILED");
}

void callback_release(struct callback *callback)
{
    free(callback->error);
    free(callback->output);
    *callback = (struct callback){0};
}
