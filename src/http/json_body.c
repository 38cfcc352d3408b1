// SPDX-License-Identifier: MIT
#include "http/json_body.h"

#include <stddef.h>

// Brackets outside of strings: enough, since text that is not JSON is refused right after.
static bool is_too_deep(const char *text, size_t length)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > HTTP_JSON_DEPTH_MAX) {
                return true;
            }
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return false;
}

bool http_json_body(const char *text, size_t length, json_t **object_out, struct error *err)
{
    if (length == 0) {
        *object_out = json_object();
        return true;
    }
    if (is_too_deep(text, length)) {
        return error_set(err, ERROR_USAGE, "The body is nested deeper than %d levels.",
                         HTTP_JSON_DEPTH_MAX);
    }
    json_error_t wrong;
    json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &wrong);
    if (value == NULL) {
        return error_set(err, ERROR_USAGE, "The body is not JSON: %s at line %d, column %d.",
                         wrong.text, wrong.line, wrong.column);
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return error_set(err, ERROR_USAGE, "The body must be a JSON object: {…}.");
    }
    *object_out = value;
    return true;
}
