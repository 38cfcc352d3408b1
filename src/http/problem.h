// SPDX-License-Identifier: MIT
// Errors as problem documents (RFC 9457). Type is about:blank, so the title is the status's own
// phrase and `detail` says what to do.
#pragma once

#include "base/attributes.h"
#include "http/request.h"

#define HTTP_PROBLEM_TYPE "application/problem+json"

// Replaces the response by a problem document with this status.
void http_problem(struct http_response *response, int status, const char *format, ...) PRINTF(3, 4);
// The same without the closing brace, for a caller that adds members of its own.
void http_problem_open(struct http_response *response, int status, const char *detail);
// Adds a JSON string with its quotes; what is not UTF-8 becomes '?'.
void http_json_string(struct buf *out, const char *text);
