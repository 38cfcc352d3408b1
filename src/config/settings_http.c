// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "config/settings.h"

#define LISTEN_REMEDY "write ADDRESS:PORT such as 127.0.0.1:8321 or [::1]:8321, or off"

struct target {
    struct load *load;
    const struct conform *conform;
    struct config_http *http;
    struct config_token *token; // the one that is being built
    const struct yaml_tree_node *listen;
};

// ---- listen -------------------------------------------------------------------------------------

static bool parse_port(const char *text, int *port_out)
{
    size_t length = strlen(text);
    if (length == 0 || length > 5 || strspn(text, "0123456789") != length ||
        (length > 1 && text[0] == '0')) {
        return false;
    }
    *port_out = (int)strtol(text, NULL, 10); // digits only, five at most
    return *port_out <= 65535;
}

static bool is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

// "127.0.0.1:8321", "[::1]:0", "localhost:8321". *host_out lives in the config's arena.
static bool parse_listen(struct load *load, const char *text, const char **host_out, int *port_out,
                         struct error *err)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !parse_port(colon + 1, port_out)) {
        return error_set(err, ERROR_CONFIG, "no port from 0 to 65535 at the end; " LISTEN_REMEDY);
    }
    size_t length = (size_t)(colon - text);
    bool bracketed = length >= 2 && text[0] == '[' && colon[-1] == ']';
    char *host = bracketed ? arena_bytes(&load->config->arena, text + 1, length - 2)
                           : arena_bytes(&load->config->arena, text, length);
    if (!bracketed && strchr(host, ':') != NULL) {
        return error_set(err, ERROR_CONFIG, "an IPv6 address stands in brackets; " LISTEN_REMEDY);
    }
    if (strcmp(host, "localhost") == 0) {
        *host_out = "127.0.0.1";
        return true;
    }
    if (!is_address(host)) {
        return error_set(err, ERROR_CONFIG, "no IP address before the port; " LISTEN_REMEDY);
    }
    *host_out = host;
    return true;
}

static bool is_loopback(const char *host)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, host, &four) == 1) {
        return (ntohl(four.s_addr) >> 24) == 127;
    }
    if (inet_pton(AF_INET6, host, &six) != 1) {
        return false;
    }
    return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
}

static void apply_listen(struct target *target, const struct yaml_tree_node *node)
{
    struct error err = ERROR_INIT;
    target->listen = node;
    target->http->enabled = strcmp(node->text, "off") != 0;
    if (target->http->enabled &&
        !parse_listen(target->load, node->text, &target->http->host, &target->http->port, &err)) {
        conform_complain(target->conform, node, "listen: \"%.80s\": %s", node->raw, err.text);
        target->http->host = NULL;
    }
}

// ---- tokens -------------------------------------------------------------------------------------

static void apply_token(void *context, const struct yaml_tree_node *node)
{
    struct target *target = context;
    struct config_token *token = target->token;
    switch (node->schema->id) {
    case KEY_TOKEN_NAME:
        token->name = pool_text(&target->load->pool, node->text);
        return;
    case KEY_TOKEN_ROLE:
        token->role = (enum config_role)node->number;
        return;
    case KEY_TOKEN_TOKEN:
        crypto_hash_sha256(token->sha256, (const unsigned char *)node->text, strlen(node->text));
        if (!target->load->substitution.closed) {
            log_secret(node->text);
        }
        if (!node->substituted) {
            target->load->config->holds_secrets = true;
        }
        return;
    case KEY_TOKEN_SHA256: {
        size_t length = 0;
        const char *end = NULL;
        if (sodium_hex2bin(token->sha256, sizeof token->sha256, node->text, strlen(node->text),
                           NULL, &length, &end) != 0 ||
            length != sizeof token->sha256 || *end != '\0') {
            conform_complain(
                target->conform, node,
                "token_sha256: must be 64 hexadecimal digits, as sha256sum prints them");
        }
        return;
    }
    default:
        return;
    }
}

static void check_token(const struct target *target, const struct yaml_tree_node *item,
                        size_t index)
{
    bool plain = yaml_tree_find(item, "token") != NULL;
    bool hashed = yaml_tree_find(item, "token_sha256") != NULL;
    if (plain == hashed) {
        conform_complain(target->conform, item,
                         "a token needs %s of \"token\" and \"token_sha256\"",
                         plain ? "only one" : "one");
        return;
    }
    const struct config_token *token = &target->http->tokens[index];
    for (size_t i = 0; i < index && token->name != NULL; i++) {
        const struct config_token *other = &target->http->tokens[i];
        if (other->name != NULL && strcmp(token->name, other->name) == 0) {
            conform_complain(target->conform, item, "the token name \"%.80s\" is given twice",
                             token->name);
            return;
        }
        if (!sodium_is_zero(token->sha256, sizeof token->sha256) &&
            memcmp(token->sha256, other->sha256, sizeof token->sha256) == 0) {
            conform_complain(target->conform, item,
                             "this token is the same as that of \"%.80s\"; each needs its own",
                             other->name);
            return;
        }
    }
}

#define TOKENS_MAX 1000

static void apply_tokens(struct target *target, const struct yaml_tree_node *list)
{
    struct config *config = target->load->config;
    if (list->count > TOKENS_MAX) {
        conform_complain(target->conform, list, "tokens: more than %d", TOKENS_MAX);
        return;
    }
    struct config_token *tokens = arena_alloc(&config->arena, list->count + 1, sizeof *tokens);
    target->http->tokens = tokens;
    for (const struct yaml_tree_node *item = list->first; item != NULL; item = item->next) {
        size_t index = target->http->token_count++;
        if (item->broken) {
            continue;
        }
        target->token = &tokens[index];
        conform_apply(item, SECTION_TOKEN, apply_token, target);
        check_token(target, item, index);
    }
}

// ---- the section --------------------------------------------------------------------------------

static void apply_tls(void *context, const struct yaml_tree_node *node)
{
    struct target *target = context;
    const char *path = load_path(target->load, node->text);
    if (node->schema->id == KEY_TLS_CERT) {
        target->http->tls_cert = path;
    } else {
        target->http->tls_key = path;
    }
}

static void apply_http(void *context, const struct yaml_tree_node *node)
{
    struct target *target = context;
    switch (node->schema->id) {
    case KEY_HTTP_LISTEN:
        apply_listen(target, node);
        return;
    case KEY_HTTP_TOKENS:
        apply_tokens(target, node);
        return;
    case KEY_HTTP_TLS:
        conform_apply(node, SECTION_TLS, apply_tls, target);
        return;
    case KEY_HTTP_TLS_TERMINATED:
        target->http->tls_terminated = node->number != 0;
        return;
    case KEY_HTTP_METRICS_PUBLIC:
        target->http->metrics_public = node->number != 0;
        return;
    default:
        return;
    }
}

// Told by what was written, not by what was right: a broken token is no reason for a second
// complaint.
static void check_exposure(const struct target *target, const struct yaml_tree_node *section)
{
    const struct config_http *http = target->http;
    if (!http->enabled || http->host == NULL || is_loopback(http->host)) {
        return;
    }
    const struct yaml_tree_node *tokens = yaml_tree_find(section, "tokens");
    if (tokens == NULL || (tokens->first == NULL && !tokens->broken)) {
        conform_complain(
            target->conform, target->listen,
            "listen: an address beyond loopback needs \"tokens\"; add one, or listen on "
            "127.0.0.1");
    }
    if (yaml_tree_find(section, "tls") == NULL && !http->tls_terminated) {
        conform_complain(
            target->conform, target->listen,
            "listen: an address beyond loopback needs \"tls\", or \"tls_terminated: true\" "
            "where a proxy in front speaks TLS");
    }
}

void settings_build_http(struct load *load, const struct conform *conform,
                         const struct yaml_tree_node *http)
{
    struct target target = {.load = load, .conform = conform, .http = &load->config->http};
    conform_apply(http, SECTION_HTTP, apply_http, &target);
    check_exposure(&target, http);
}
