// SPDX-License-Identifier: MIT
#include "http/parameters.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/uuid.h"
#include "http/json_body.h"
#include "http/problem.h"

#define DIGITS_MAX 15

static const struct http_parameter *find(const struct http_route *route, const char *name,
                                         enum http_parameter_place place)
{
    for (const struct http_parameter *p = route->parameters; p->name != NULL; p++) {
        if (p->place == place && strcmp(p->name, name) == 0) {
            return p;
        }
    }
    return NULL;
}

static void list_known(const struct http_route *route, enum http_parameter_place place, char *out,
                       size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (const struct http_parameter *p = route->parameters; p->name != NULL; p++) {
        if (p->place == place && used < size) {
            int length = snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", p->name);
            used += (size_t)length;
        }
    }
    if (used == 0) {
        snprintf(out, size, "none");
    }
}

static bool refuse_unknown(const struct http_route *route, enum http_parameter_place place,
                           const char *name, struct http_response *response)
{
    char known[400];
    list_known(route, place, known, sizeof known);
    http_problem(response, 400, "The %s has an unknown %s %.60s; known here: %s.",
                 place == HTTP_IN_QUERY ? "query" : "body",
                 place == HTTP_IN_QUERY ? "parameter" : "member", name, known);
    return false;
}

static const char *kind_words(enum http_parameter_kind kind)
{
    static const char *const words[] = {
        [HTTP_TEXT] = "a text",
        [HTTP_INTEGER] = "a whole number of at most 15 digits",
        [HTTP_BOOLEAN] = "true or false",
        [HTTP_UUID] = "a UUID such as 0190a1b2-0000-7000-8000-000000000000",
        [HTTP_TIME] = "a time such as 2026-11-24T03:00:00Z or -2h",
        [HTTP_OBJECT] = "an object",
    };
    return words[kind];
}

static bool refuse_kind(const struct http_parameter *parameter, struct http_response *response)
{
    http_problem(response, 400, "%s must be %s.", parameter->name, kind_words(parameter->kind));
    return false;
}

// ---- path and query -----------------------------------------------------------------------------

static bool is_text_of_kind(enum http_parameter_kind kind, const char *text)
{
    struct uuid id;
    size_t length = strlen(text);
    switch (kind) {
    case HTTP_INTEGER:
        return length > 0 && length <= DIGITS_MAX && strspn(text, "0123456789") == length;
    case HTTP_BOOLEAN:
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
    case HTTP_UUID:
        return uuid_parse(text, &id);
    case HTTP_OBJECT:
        return false;
    case HTTP_TEXT:
    case HTTP_TIME:
        break;
    }
    return length > 0;
}

static bool check_path(const struct http_route *route, const struct http_request *request,
                       struct http_response *response)
{
    for (size_t i = 0; i < request->path_param_count; i++) {
        const struct http_param *param = &request->path_params[i];
        const struct http_parameter *p = find(route, param->name, HTTP_IN_PATH);
        if (p != NULL && !is_text_of_kind(p->kind, param->value)) {
            return refuse_kind(p, response);
        }
    }
    return true;
}

static bool is_twice(const struct http_request *request, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(request->query[i].name, request->query[index].name) == 0) {
            return true;
        }
    }
    return false;
}

static bool check_query(const struct http_route *route, const struct http_request *request,
                        struct http_response *response)
{
    for (size_t i = 0; i < request->query_count; i++) {
        const struct http_param *param = &request->query[i];
        const struct http_parameter *p = find(route, param->name, HTTP_IN_QUERY);
        if (p == NULL) {
            return refuse_unknown(route, HTTP_IN_QUERY, param->name, response);
        }
        if (is_twice(request, i)) {
            http_problem(response, 400, "The query has %s twice.", p->name);
            return false;
        }
        if (!is_text_of_kind(p->kind, param->value)) {
            return refuse_kind(p, response);
        }
    }
    return true;
}

// ---- body ---------------------------------------------------------------------------------------

static bool is_json_type(const char *type)
{
    static const char json[] = "application/json";
    size_t length = sizeof json - 1;
    if (type == NULL || strncasecmp(type, json, length) != 0) {
        return false;
    }
    const char *rest = type + length + strspn(type + length, " \t");
    return *rest == '\0' || *rest == ';';
}

static bool is_json_of_kind(enum http_parameter_kind kind, const json_t *value)
{
    struct uuid id;
    switch (kind) {
    case HTTP_INTEGER:
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case HTTP_BOOLEAN:
        return json_is_boolean(value);
    case HTTP_UUID:
        return json_is_string(value) && uuid_parse(json_string_value(value), &id);
    case HTTP_OBJECT:
        return json_is_object(value);
    case HTTP_TEXT:
    case HTTP_TIME:
        break;
    }
    return json_is_string(value);
}

static bool check_members(const struct http_route *route, json_t *body,
                          struct http_response *response)
{
    const char *name;
    json_t *value;
    json_object_foreach(body, name, value)
    {
        const struct http_parameter *p = find(route, name, HTTP_IN_BODY);
        if (p == NULL) {
            return refuse_unknown(route, HTTP_IN_BODY, name, response);
        }
        if (!is_json_of_kind(p->kind, value) && !(json_is_null(value) && !p->required)) {
            return refuse_kind(p, response);
        }
    }
    return true;
}

static bool check_body(const struct http_route *route, const struct http_request *request,
                       json_t **json_out, struct http_response *response)
{
    struct error err = ERROR_INIT;
    if (route->method == HTTP_GET) {
        return true;
    }
    if (request->body_length > 0 && !is_json_type(http_request_header(request, "Content-Type"))) {
        http_problem(response, 415, "The body must be JSON: send Content-Type: application/json.");
        return false;
    }
    if (!http_json_body(request->body, request->body_length, json_out, &err)) {
        http_problem(response, 400, "%s", err.text);
        return false;
    }
    return check_members(route, *json_out, response);
}

static bool check_required(const struct http_route *route, const struct http_request *request,
                           const json_t *body, struct http_response *response)
{
    for (const struct http_parameter *p = route->parameters; p->name != NULL; p++) {
        bool present = p->place == HTTP_IN_PATH ||
                       (p->place == HTTP_IN_QUERY ? http_request_query(request, p->name) != NULL
                                                  : json_object_get(body, p->name) != NULL);
        if (p->required && !present) {
            http_problem(response, 400, "%s is missing: %s.", p->name, kind_words(p->kind));
            return false;
        }
    }
    return true;
}

bool http_parameters_check(const struct http_route *route, const struct http_request *request,
                           json_t **json_out, struct http_response *response)
{
    return check_path(route, request, response) && check_query(route, request, response) &&
           check_body(route, request, json_out, response) &&
           check_required(route, request, *json_out, response);
}
