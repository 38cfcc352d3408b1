// SPDX-License-Identifier: MIT
// A request's target taken apart: "/api/v1/runs?job=a%20b&limit=10". Strict, so that what was
// checked is what is used: broken percent-encoding, control bytes, text that is not UTF-8, an
// encoded slash, and more parameters than any route takes are refused. '+' is a plus, as in the
// offset of a time (RFC 3986), not a blank.
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "http/request.h"

#define HTTP_TARGET_MAX 8192
#define HTTP_QUERY_MAX  32

struct http_target {
    char *text; // owns what the others point into
    const char *path;
    struct http_param query[HTTP_QUERY_MAX];
    size_t query_count;
};

// `raw` as in the request line. On failure there is nothing to release.
bool http_target_parse(struct http_target *target, const char *raw, struct error *err) MUST_USE;
void http_target_release(struct http_target *target);
