// SPDX-License-Identifier: MIT
// What a request may say, checked against its route's list: nothing unknown, nothing missing,
// nothing twice, each of its kind. So handlers only look at meaning.
#pragma once

#include <jansson.h>

#include "http/route.h"

// Query, path and body. *json_out (the caller's to release) is the body of a route that is not a
// GET, an object. False: the response is a problem 400 or 415.
bool http_parameters_check(const struct http_route *route, const struct http_request *request,
                           json_t **json_out, struct http_response *response);
