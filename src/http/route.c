// SPDX-License-Identifier: MIT
#include "http/route.h"

#include <string.h>

#include "http/problem.h"

static bool method_matches(enum http_method method, const char *text)
{
    switch (method) {
    case HTTP_GET:
        return strcmp(text, "GET") == 0 || strcmp(text, "HEAD") == 0;
    case HTTP_POST:
        return strcmp(text, "POST") == 0;
    }
    return false;
}

static const char *allow_text(bool get, bool post)
{
    return get && post ? "GET, HEAD, POST" : get ? "GET, HEAD" : "POST";
}

void http_route(const struct http_route *routes, size_t count, void *context,
                const struct http_request *request, struct http_response *response)
{
    bool get = false;
    bool post = false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(routes[i].path, request->path) != 0) {
            continue;
        }
        if (method_matches(routes[i].method, request->method)) {
            routes[i].handler(context, request, response);
            return;
        }
        get |= routes[i].method == HTTP_GET;
        post |= routes[i].method == HTTP_POST;
    }
    if (!get && !post) {
        http_problem(response, 404, "There is nothing at %.200s; / lists what is here.",
                     request->path);
        return;
    }
    const char *allow = allow_text(get, post);
    http_problem(response, 405, "%.200s takes %s, not %.40s.", request->path, allow,
                 request->method);
    response->allow = allow;
}
