// SPDX-License-Identifier: MIT
// The body of POST /api/v1/runs/ID/end: {"fence":7,"state":"SUCCESS","error":…,"output":…}.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CALLBACK_BODY_MAX  ((size_t)64 * 1024) // also what the HTTP server takes
#define CALLBACK_ERROR_MAX 4000                // bytes that are kept

struct callback {
    int64_t fence;
    bool success;
    char *error;    // NULL; of a failure: one line of UTF-8
    char *output;   // NULL
    const char *by; // who told it, for the record; borrowed, NULL at first
};

// ERROR_USAGE, with what is wrong and how it must be. An unknown member is an error: it may be a
// mistyped one.
bool callback_parse(const char *body, size_t length, struct callback *callback_out,
                    struct error *err) MUST_USE;
// Why a failed one failed, as it is recorded: with secrets masked. The caller frees it.
char *callback_failure(const struct callback *callback);
void callback_release(struct callback *callback); // also of a zeroed one
