// SPDX-License-Identifier: MIT
// Which handler answers a request: unknown path 404, wrong method 405 with Allow. HEAD is answered
// by the GET handler; the server leaves the body out.
#pragma once

#include "http/request.h"

enum http_method { HTTP_GET, HTTP_POST };

struct http_route {
    enum http_method method;
    const char *path; // compared in full
    http_handler_fn *handler;
};

void http_route(const struct http_route *routes, size_t count, void *context,
                const struct http_request *request, struct http_response *response);
