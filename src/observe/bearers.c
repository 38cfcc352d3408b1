// SPDX-License-Identifier: MIT
#include "observe/bearers.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

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

static const char *access_name(enum http_access access)
{
    static const char *const names[] = {"none", "viewer", "operator", "admin"};
    return names[access];
}

static enum http_access access_of(enum config_role role)
{
    switch (role) {
    case CONFIG_ROLE_VIEWER:
        return HTTP_VIEWER;
    case CONFIG_ROLE_OPERATOR:
        return HTTP_OPERATOR;
    case CONFIG_ROLE_ADMIN:
        return HTTP_ADMIN;
    }
    return HTTP_ANYBODY;
}

// The socket's file mode keeps others out already; this is the second look.
static bool is_own_peer(const struct http_peer *peer)
{
    return peer->is_local && (peer->uid == 0 || peer->uid == geteuid());
}

static bool refuse_stranger(const struct http_request *request, struct http_response *response)
{
    http_problem(response, 403,
                 "The unix socket serves root and the user who runs the node; you are uid %u. Run "
                 "the command as one of them, or use a token over TCP.",
                 (unsigned)request->peer.uid);
    return false;
}

static bool refuse_tokenless(const struct http_request *request, enum http_access access,
                             struct http_response *response)
{
    http_problem(response, 401,
                 "%.200s needs role %s, and no tokens are configured: over TCP this node only "
                 "reads. Use the unix socket beside the store, or put a token of that role under "
                 "http.tokens in the configuration.",
                 request->path, access_name(access));
    response->authenticate = "Bearer realm=\"ironcron\"";
    return false;
}

static bool refuse_unknown(const struct http_request *request, const char *bearer,
                           enum http_access access, struct http_response *response)
{
    http_problem(response, 401,
                 "%.200s needs a token of role %s: send the header `Authorization: Bearer TOKEN` "
                 "with one of those under http.tokens in the configuration.",
                 request->path, access_name(access));
    response->authenticate = bearer == NULL ? "Bearer realm=\"ironcron\""
                                            : "Bearer realm=\"ironcron\", error=\"invalid_token\"";
    return false;
}

static bool check_token(const struct bearers *bearers, const struct http_request *request,
                        enum http_access access, const char **name_out,
                        struct http_response *response)
{
    const char *bearer = bearer_of(request);
    const struct config_token *token = bearer == NULL ? NULL : find_token(bearers, bearer);
    if (token == NULL) {
        return refuse_unknown(request, bearer, access, response);
    }
    if (access_of(token->role) < access) {
        http_problem(response, 403, "%.200s needs role %s; the token %s has role %s.",
                     request->path, access_name(access), token->name,
                     access_name(access_of(token->role)));
        return false;
    }
    *name_out = token->name;
    return true;
}

bool bearers_check(const struct bearers *bearers, const struct http_request *request,
                   enum http_access access, const char **name_out, struct http_response *response)
{
    const char *ignored;
    name_out = name_out == NULL ? &ignored : name_out;
    *name_out = NULL;
    if (access == HTTP_ANYBODY || is_own_peer(&request->peer)) {
        return true;
    }
    if (request->peer.is_local) {
        return refuse_stranger(request, response);
    }
    if (bearers->count == 0) {
        return access == HTTP_VIEWER || refuse_tokenless(request, access, response);
    }
    return check_token(bearers, request, access, name_out, response);
}
