// SPDX-License-Identifier: MIT
#include "http/request.h"

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
