// SPDX-License-Identifier: MIT
// The JSON body of a request: an object in UTF-8, no member twice, nested at most so deep that
// nothing which walks it can run out of stack.
#pragma once

#include <jansson.h>

#include "base/error.h"

#define HTTP_JSON_DEPTH_MAX 16

// No bytes at all count as {}. Says at which line and column it went wrong.
bool http_json_body(const char *text, size_t length, json_t **object_out,
                    struct error *err) MUST_USE;
