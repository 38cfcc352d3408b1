// SPDX-License-Identifier: MIT
// Which handler answers a request, and what has been checked by then. One table says all: who may
// ask, and what query and body may hold; the API's description is made from the same table.
//
// In this order: unknown path 404; wrong method 405 with Allow; a page of another site 403; who
// may not 401 or 403 (the owner's `admit`); a parameter that is unknown, missing, twice or of the
// wrong type 400; a body that is not JSON 400 or 415. HEAD is answered by the GET handler; the
// server leaves the body out.
#pragma once

#include "http/request.h"

enum http_method { HTTP_GET, HTTP_POST, HTTP_DELETE, HTTP_METHOD_COUNT };
const char *http_method_name(enum http_method method);

// Each includes what is before it.
enum http_access {
    HTTP_ANYBODY,  // no token
    HTTP_VIEWER,   // reads
    HTTP_OPERATOR, // acts
    HTTP_ADMIN,    // approves deletion, restores
};

enum http_parameter_place { HTTP_IN_PATH, HTTP_IN_QUERY, HTTP_IN_BODY };
enum http_parameter_kind {
    HTTP_TEXT,
    HTTP_INTEGER, // not negative
    HTTP_BOOLEAN, // in a query: true, false
    HTTP_UUID,
    HTTP_TIME,   // RFC 3339 or -2h; read by the handler
    HTTP_OBJECT, // JSON object, in a body only
};

struct http_parameter {
    const char *name; // NULL ends a list
    enum http_parameter_place place;
    enum http_parameter_kind kind;
    bool required;
    const char *summary;
};

struct http_route {
    enum http_method method;
    const char *path; // "/api/v1/runs/{id}/end": {id} takes one segment that is not empty
    http_handler_fn *handler;
    enum http_access access;
    // What the query and the JSON body may hold, ended by {NULL}; NULL: neither is looked at, and
    // the body is whatever was sent. Path parameters need to be here only for their kind.
    const struct http_parameter *parameters;
    const char *summary; // for the API's description
    const char *answer;  // name of the answer's schema there
};

struct http_router {
    const struct http_route *routes;
    size_t count;
    // Who may? False: the response says why not. NULL: everybody.
    bool (*admit)(void *context, const struct http_route *route, const struct http_request *request,
                  struct http_response *response);
    // Calls the route's handler, now or where it stands in nobody's way. NULL: at once.
    void (*call)(void *context, const struct http_route *route, const struct http_request *request,
                 struct http_response *response);
};

#define HTTP_PATH_PARAMS_MAX 4

void http_route(const struct http_router *router, void *context, const struct http_request *request,
                struct http_response *response);
