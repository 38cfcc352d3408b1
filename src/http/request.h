// SPDX-License-Identifier: MIT
// One HTTP request and its answer, as plain data: handlers are called without a socket in tests.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

#define HTTP_HEADERS_MAX  64
#define HTTP_RESPONSE_MAX ((size_t)16 * 1024 * 1024) // a whole body; larger ones are streams
#define HTTP_LOCATION_MAX 160
#define HTTP_LINK_MAX     2048

struct http_header {
    const char *name;
    const char *value;
};

// A parameter of the query or of the path; decoded.
struct http_param {
    const char *name;
    const char *value;
};

// Who is at the other end of a unix socket, by the kernel's word.
struct http_peer {
    bool is_local; // false: TCP, and nothing is known
    uid_t uid;
};

// Everything lives until the handler returns.
struct http_request {
    const char *method; // as sent: methods are case-sensitive (RFC 9110 section 9.1)
    const char *path;   // percent-decoded, without the query
    const struct http_param *query;
    size_t query_count;
    const struct http_param *path_params; // filled by http_route: {id} of its pattern
    size_t path_param_count;
    const struct http_header *headers;
    size_t header_count;
    const char *body; // as sent
    size_t body_length;
    const json_t *json; // of a route with a JSON body: an object, checked against its parameters
    struct http_peer peer;
    // The handler's own, from one asking to the next (http_response.later); NULL at first.
    void **kept;
};

// The first header of that name in any case, or NULL.
const char *http_request_header(const struct http_request *request, const char *name);
size_t http_request_header_count(const struct http_request *request, const char *name);
// NULL when it is not there.
const char *http_request_query(const struct http_request *request, const char *name);
const char *http_request_path_param(const struct http_request *request, const char *name);
// A text member of the JSON body; NULL when it is absent or null.
const char *http_request_text(const struct http_request *request, const char *name);

// A body that is made while it is sent. `read` fills at most `size` bytes and returns how many;
// 0 ends the body; HTTP_STREAM_WAIT means that there is nothing yet: it is asked again after
// http_server_wake. `free` is called exactly once, also when the client goes away early.
#define HTTP_STREAM_WAIT ((size_t)-1)
struct http_stream {
    size_t (*read)(void *context, char *bytes, size_t size);
    void (*free)(void *context);
    void *context;
};

struct http_response {
    // There is no answer yet: after http_server_wake the same request is handled once more. All
    // else here counts for nothing then.
    bool later;
    int status;                       // 200 at first
    const char *content_type;         // static text; NULL = text/plain in UTF-8
    const char *allow;                // static text; the Allow header of a 405, else NULL
    const char *authenticate;         // static text; the WWW-Authenticate header of a 401
    int retry_after;                  // seconds; 0 = no such header
    char location[HTTP_LOCATION_MAX]; // "" = no such header
    char link[HTTP_LINK_MAX];         // "" = no such header
    struct buf body;                  // owned
    struct http_stream stream;        // owned; instead of body when `read` is set
};

void http_response_init(struct http_response *response);
void http_response_release(struct http_response *response);

typedef void http_handler_fn(void *context, const struct http_request *request,
                             struct http_response *response);
