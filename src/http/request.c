// SPDX-License-Identifier: MIT
#include "http/request.h"

#include <string.h>
#include <strings.h>

const char *http_request_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0) {
            return request->headers[i].value;
        }
    }
    return NULL;
}

size_t http_request_header_count(const struct http_request *request, const char *name)
{
    size_t found = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        found += strcasecmp(request->headers[i].name, name) == 0;
    }
    return found;
}

static const char *find(const struct http_param *params, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(params[i].name, name) == 0) {
            return params[i].value;
        }
    }
    return NULL;
}

const char *http_request_query(const struct http_request *request, const char *name)
{
    return find(request->query, request->query_count, name);
}

const char *http_request_path_param(const struct http_request *request, const char *name)
{
    return find(request->path_params, request->path_param_count, name);
}

const char *http_request_text(const struct http_request *request, const char *name)
{
    return json_string_value(json_object_get(request->json, name));
}

void http_response_init(struct http_response *response)
{
    *response = (struct http_response){.status = 200};
    buf_init(&response->body, HTTP_RESPONSE_MAX);
}

void http_response_release(struct http_response *response)
{
    buf_release(&response->body);
    if (response->stream.free != NULL) {
        response->stream.free(response->stream.context);
    }
    *response = (struct http_response){.status = 200};
}
