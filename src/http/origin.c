// SPDX-License-Identifier: MIT
#include "http/origin.h"

#include <string.h>
#include <strings.h>

#include "http/problem.h"

static bool is_own(const char *origin, const char *host)
{
    const char *authority = strstr(origin, "://");
    return host != NULL && authority != NULL && strcasecmp(authority + 3, host) == 0;
}

// https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site; "none" is a person's doing.
static bool is_own_site(const char *site)
{
    return site == NULL || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
}

bool http_origin_admits(const struct http_request *request, struct http_response *response)
{
    if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0) {
        return true;
    }
    const char *origin = http_request_header(request, "Origin");
    if (is_own_site(http_request_header(request, "Sec-Fetch-Site")) &&
        (origin == NULL || is_own(origin, http_request_header(request, "Host")))) {
        return true;
    }
    http_problem(response, 403,
                 "A page of another site asked for this; only programs and this server's own "
                 "pages may change anything.");
    return false;
}
