// SPDX-License-Identifier: MIT
#include "observe/bearers.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "http/problem.h"

_Static_assert(sizeof((struct config_token){0}.sha256) == crypto_hash_sha256_BYTES, "hash sizes");

void bearers_init(struct bearers *bearers)
{
    *bearers = (struct bearers){0};
}

void bearers_release(struct bearers *bearers)
{
    for (size_t i = 0; i < bearers->count; i++) {
        free((char *)(uintptr_t)bearers->tokens[i].name);
    }
    free(bearers->tokens);
    *bearers = (struct bearers){0};
}

void bearers_set(struct bearers *bearers, const struct config_token *tokens, size_t count)
{
    struct bearers fresh = {.tokens = alloc_zero(count + 1, sizeof *fresh.tokens), .count = count};
    for (size_t i = 0; i < count; i++) {
        fresh.tokens[i] = tokens[i];
        fresh.tokens[i].name = alloc_string(tokens[i].name);
    }
    bearers_release(bearers);
    *bearers = fresh;
}

static const char *bearer_of(const struct http_request *request)
{
    const char *header = http_request_header(request, "Authorization");
    if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0) {
        return NULL;
    }
    return header + 7 + strspn(header + 7, " ");
}

static const struct config_token *find_token(const struct bearers *bearers, const char *bearer)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)bearer, strlen(bearer));
    const struct config_token *found = NULL;
    for (size_t i = 0; i < bearers->count; i++) {
        if (sodium_memcmp(hash, bearers->tokens[i].sha256, sizeof hash) == 0) {
            found = &bearers->tokens[i];
        }
    }
    return found;
}

static const char *role_name(enum config_role role)
{
    switch (role) {
    case CONFIG_ROLE_VIEWER:
        return "viewer";
    case CONFIG_ROLE_OPERATOR:
        return "operator";
    case CONFIG_ROLE_ADMIN:
        return "admin";
    }
    return "admin";
}

bool bearers_check(const struct bearers *bearers, const struct http_request *request,
                   enum config_role role, const char **name_out, struct http_response *response)
{
    if (name_out != NULL) {
        *name_out = NULL;
    }
    if (bearers->count == 0) {
        return true;
    }
    const char *bearer = bearer_of(request);
    const struct config_token *token = bearer == NULL ? NULL : find_token(bearers, bearer);
    if (token == NULL) {
        http_problem(
            response, 401,
            "%s needs a token of role %s: send the header `Authorization: Bearer TOKEN` with "
            "one of those under http.tokens in the configuration.",
            request->path, role_name(role));
        response->authenticate = bearer == NULL
                                     ? "Bearer realm=\"ironcron\""
                                     : "Bearer realm=\"ironcron\", error=\"invalid_token\"";
        return false;
    }
    if (token->role < role) {
        http_problem(response, 403, "%s needs role %s; the token %s has role %s.", request->path,
                     role_name(role), token->name, role_name(token->role));
        return false;
    }
    if (name_out != NULL) {
        *name_out = token->name;
    }
    return true;
}
