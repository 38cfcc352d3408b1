// SPDX-License-Identifier: MIT
// What is sent for one run of an http job: headers with the run's facts, body, signature.
#pragma once

#include "base/curl_library.h"

#include "base/buf.h"
#include "runner/runner.h"

#define REQUEST_HEADERS_MAX ((size_t)256 * 1024)

struct request {
    struct curl_slist *headers;
    struct buf body;
    bool has_body;
};

// ERROR_LIMIT, ERROR_CONFIG: a param that no header can hold, or too many of them.
bool request_build(struct request *request, const struct runner_start *start, struct instant now,
                   struct error *err) MUST_USE;
void request_release(struct request *request); // also of a zeroed one
