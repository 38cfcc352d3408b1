// SPDX-License-Identifier: MIT
// Answers a request with the document of a command: this same program, run once with --json.
#pragma once

#include "http/request.h"

// `words` ends with NULL: "doctor", "--deep". `missing` is the status of what the command refuses.
// Blocks: for a process of its own (serve/aside.h).
void aside_command(const char *config_path, const char *const *words, int missing,
                   struct http_response *response);
