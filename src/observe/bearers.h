// SPDX-License-Identifier: MIT
// Who may ask what: bearer tokens (RFC 6750), of which only hashes are kept. Hashes are compared in
// constant time and always all of them, so that the time of an answer tells nothing.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "http/route.h"

struct bearers {
    struct config_token *tokens; // copies; the names too
    size_t count;
};

void bearers_init(struct bearers *bearers);
void bearers_release(struct bearers *bearers);
// The tokens in force from now on.
void bearers_set(struct bearers *bearers, const struct config_token *tokens, size_t count);

// May this request do what needs `access`? Anybody: always. Over the unix socket root and the user
// of this process may do all. Otherwise: where no tokens are configured reading is free and acting
// is refused; else the request must bear a token of that role or a higher one. *name_out (may be
// NULL) is that token's name or NULL; it lives until the next bearers_set. False: the response is a
// problem, 401 without a known token and 403 with one of too low a role.
bool bearers_check(const struct bearers *bearers, const struct http_request *request,
                   enum http_access access, const char **name_out,
                   struct http_response *response) MUST_USE;
