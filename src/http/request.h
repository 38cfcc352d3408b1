// SPDX-License-Identifier: MIT
// One HTTP request and its answer, as plain data: handlers are called without a socket in tests.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define HTTP_HEADERS_MAX  64
#define HTTP_RESPONSE_MAX ((size_t)1024 * 1024) // a whole body; larger ones are streams

struct http_header {
    const char *name;
    const char *value;
};

// Everything lives until the handler returns.
struct http_request {
    const char *method; // as sent: methods are case-sensitive (RFC 9110 section 9.1)
    const char *path;   // percent-decoded, without the query
    const struct http_header *headers;
    size_t header_count;
    const char *body;
    size_t body_length;
};

// The first header of that name in any case, or NULL.
const char *http_request_header(const struct http_request *request, const char *name);
size_t http_request_header_count(const struct http_request *request, const char *name);

// A body that is made while it is sent. `read` fills at most `size` bytes and returns how many;
// 0 ends the body. `free` is called exactly once, also when the client goes away early.
struct http_stream {
    size_t (*read)(void *context, char *bytes, size_t size);
    void (*free)(void *context);
    void *context;
};

struct http_response {
    int status;                // 200 at first
    const char *content_type;  // static text; NULL = text/plain in UTF-8
    const char *allow;         // static text; the Allow header of a 405, else NULL
    const char *authenticate;  // static text; the WWW-Authenticate header of a 401, else NULL
    struct buf body;           // owned
    struct http_stream stream; // owned; instead of body when `read` is set
};

void http_response_init(struct http_response *response);
void http_response_release(struct http_response *response);

typedef void http_handler_fn(void *context, const struct http_request *request,
                             struct http_response *response);
