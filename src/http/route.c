// SPDX-License-Identifier: MIT
#include "http/route.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "http/origin.h"
#include "http/parameters.h"
#include "http/problem.h"

const char *http_method_name(enum http_method method)
{
    static const char *const names[] = {"GET", "POST", "DELETE"};
    return names[method];
}

// ---- which one ----------------------------------------------------------------------------------

struct captures {
    struct http_param list[HTTP_PATH_PARAMS_MAX];
    size_t count;
    char text[2048]; // names and values
    size_t used;
};

static const char *keep(struct captures *captures, const char *start, size_t length)
{
    char *kept = captures->text + captures->used;
    if (length >= sizeof captures->text - captures->used) {
        return NULL;
    }
    memcpy(kept, start, length);
    kept[length] = '\0';
    captures->used += length + 1;
    return kept;
}

// One {name} against one segment.
static bool capture(struct captures *captures, const char *pattern, const char *segment,
                    size_t length)
{
    size_t name_length = strcspn(pattern + 1, "}");
    CHECK(captures->count < HTTP_PATH_PARAMS_MAX && pattern[name_length + 1] == '}');
    const char *name = keep(captures, pattern + 1, name_length);
    const char *value = length > 0 ? keep(captures, segment, length) : NULL;
    if (name == NULL || value == NULL) {
        return false; // an empty segment, or longer than any name or id
    }
    captures->list[captures->count++] = (struct http_param){name, value};
    return true;
}

static bool matches(const char *pattern, const char *path, struct captures *captures)
{
    captures->count = captures->used = 0;
    while (*pattern != '\0') {
        if (*pattern == '{') {
            size_t length = strcspn(path, "/");
            if (!capture(captures, pattern, path, length)) {
                return false;
            }
            pattern += strcspn(pattern, "}") + 1;
            path += length;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

static bool method_matches(enum http_method method, const char *text)
{
    return strcmp(text, http_method_name(method)) == 0 ||
           (method == HTTP_GET && strcmp(text, "HEAD") == 0);
}

static const char *allow_text(const bool takes[HTTP_METHOD_COUNT])
{
    static const char *const texts[] = {
        NULL,     "GET, HEAD",         "POST",         "GET, HEAD, POST",
        "DELETE", "GET, HEAD, DELETE", "POST, DELETE", "GET, HEAD, POST, DELETE",
    };
    return texts[takes[HTTP_GET] + 2 * takes[HTTP_POST] + 4 * takes[HTTP_DELETE]];
}

static const struct http_route *find_route(const struct http_router *router,
                                           const struct http_request *request,
                                           struct captures *captures,
                                           struct http_response *response)
{
    bool takes[HTTP_METHOD_COUNT] = {false};
    for (size_t i = 0; i < router->count; i++) {
        const struct http_route *route = &router->routes[i];
        if (!matches(route->path, request->path, captures)) {
            continue;
        }
        if (method_matches(route->method, request->method)) {
            return route;
        }
        takes[route->method] = true;
    }
    const char *allow = allow_text(takes);
    if (allow == NULL) {
        http_problem(response, 404, "There is nothing at %.200s; / lists what is here.",
                     request->path);
    } else {
        http_problem(response, 405, "%.200s takes %s, not %.40s.", request->path, allow,
                     request->method);
        response->allow = allow;
    }
    return NULL;
}

// ---- what it may say ----------------------------------------------------------------------------

void http_route(const struct http_router *router, void *context, const struct http_request *request,
                struct http_response *response)
{
    struct captures captures;
    const struct http_route *route = find_route(router, request, &captures, response);
    if (route == NULL) {
        return;
    }
    struct http_request found = *request;
    found.path_params = captures.list;
    found.path_param_count = captures.count;
    json_t *json = NULL;
    if (http_origin_admits(&found, response) &&
        (router->admit == NULL || router->admit(context, route, &found, response)) &&
        (route->parameters == NULL || http_parameters_check(route, &found, &json, response))) {
        found.json = json;
        if (router->call != NULL) {
            router->call(context, route, &found, response);
        } else {
            route->handler(context, &found, response);
        }
    }
    json_decref(json);
}
