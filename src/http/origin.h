// SPDX-License-Identifier: MIT
// Protection against pages of other sites (CSRF): a browser says where a request comes from, and
// what would change something is answered only to this server's own pages and to programs.
#pragma once

#include "http/request.h"

// True for GET and HEAD, and without the headers that only browsers send; else the response is a
// problem 403 unless Origin is this very Host.
bool http_origin_admits(const struct http_request *request, struct http_response *response);
