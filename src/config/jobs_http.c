// SPDX-License-Identifier: MIT
#include "config/jobs_http.h"

#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "config/value.h"
#include "job/expect.h"
#include "job/url.h"

#define HEADERS_MAX      64
#define HEADER_NAME_MAX  256
#define HEADER_VALUE_MAX 8192
#define QUERY_SECRET_MIN 8 // shorter ones would mask half of every log
// RFC 9110 section 5.6.2.
#define TOKEN_CHARACTERS                                                                           \
    "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

struct target {
    struct load *load;
    const struct conform *conform;
    struct job_http *http;
};

// Texts that only a person with the secrets can complete: seen by commands that look at the store.
static bool is_incomplete(const struct target *target, const struct yaml_tree_node *node)
{
    return target->load->substitution.lenient && node->substituted;
}

static void keep_secret(const struct target *target, const struct yaml_tree_node *node,
                        const char *text)
{
    if (!target->load->substitution.closed) {
        log_secret(text);
    }
    load_secret(target->load, target->conform, node, !node->substituted);
}

// ---- url ----------------------------------------------------------------------------------------

// The end of the written path behind the last "${…}", up to its query.
static void find_literal(const char *raw, const char **literal_out, size_t *length_out)
{
    const char *at = raw;
    const char *literal = raw;
    while (*at != '\0' && *at != '?') {
        if (at[0] == '$' && at[1] == '{') {
            at += strcspn(at, "}");
            at += *at == '}';
            literal = at;
        } else {
            at++;
        }
    }
    *literal_out = literal;
    *length_out = (size_t)(at - literal);
}

// How much of the end of the path stands in the file itself, and so is no secret.
static size_t literal_tail(const struct yaml_tree_node *node, const struct url *url)
{
    const char *literal;
    size_t length;
    if (!node->substituted) {
        return url->path_length;
    }
    find_literal(node->raw, &literal, &length);
    bool is_there = length <= url->path_length &&
                    memcmp(url->path + url->path_length - length, literal, length) == 0;
    return is_there ? length : 0;
}

static const char *shown_url(const struct target *target, const struct yaml_tree_node *node,
                             const struct url *url)
{
    AUTO(buf_release) struct buf shown;
    buf_init(&shown, URL_MAX);
    url_describe_host(url, &shown);
    size_t tail = literal_tail(node, url);
    if (tail < url->path_length) {
        buf_add_string(&shown, "/…");
    }
    buf_add(&shown, url->path + url->path_length - tail, tail);
    return pool_text(&target->load->pool, buf_string(&shown));
}

// A query, and a path that came from outside, may be what opens the door (webhooks of chat rooms).
static void keep_url_secret(const struct target *target, const struct yaml_tree_node *node,
                            const struct url *url)
{
    const char *query = url->path + url->path_length;
    bool hides_path = literal_tail(node, url) < url->path_length;
    const char *secret = hides_path ? url->path : query;
    if (strlen(secret) > QUERY_SECRET_MIN && !target->load->substitution.closed) {
        log_secret(secret + 1);
    }
}

static void apply_url(struct target *target, const struct yaml_tree_node *node)
{
    struct job_http *http = target->http;
    struct error err = ERROR_INIT;
    struct url url;
    http->url = pool_text(&target->load->pool, node->text);
    http->shown_url = pool_text(&target->load->pool, node->raw);
    if (is_incomplete(target, node)) {
        return;
    }
    if (!url_parse(node->text, &url, &err)) {
        conform_complain(target->conform, node, "url: %s%s", err.text,
                         node->substituted ? " (after what was put in)" : "");
        return;
    }
    http->shown_url = shown_url(target, node, &url);
    keep_url_secret(target, node, &url);
}

// ---- headers ------------------------------------------------------------------------------------

static const char *reserved_by(const char *name)
{
    static const char *const connection[] = {
        "Host",    "Content-Length", "Transfer-Encoding",   "Connection",       "Keep-Alive", "TE",
        "Trailer", "Upgrade",        "Proxy-Authorization", "Proxy-Connection", "Expect"};
    if (strncasecmp(name, "X-Ironcron-", 11) == 0 || strcasecmp(name, "Idempotency-Key") == 0) {
        return "is set by ironcron for each run; choose another name";
    }
    for (size_t i = 0; i < ARRAY_LENGTH(connection); i++) {
        if (strcasecmp(name, connection[i]) == 0) {
            return "belongs to the connection and follows from \"url\" and \"body\"; remove it";
        }
    }
    return NULL;
}

static const char *name_fault(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > HEADER_NAME_MAX || name[strspn(name, TOKEN_CHARACTERS)] != '\0') {
        return "is not a name for a header: letters, digits and \"-\", 256 at most";
    }
    return reserved_by(name);
}

static const char *value_fault(const char *value)
{
    if (strpbrk(value, "\r\n") != NULL) {
        return "has a line break, which no header can hold; a YAML text after \">-\" has none";
    }
    for (const char *c = value; *c != '\0'; c++) {
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f) {
            return "has a control byte, which no header can hold";
        }
    }
    return strlen(value) > HEADER_VALUE_MAX ? "has a value of more than 8,192 bytes" : NULL;
}

static bool is_repeated(const struct yaml_tree_node *map, const struct yaml_tree_node *item)
{
    for (const struct yaml_tree_node *other = map->first; other != item; other = other->next) {
        if (strcasecmp(other->key, item->key) == 0) {
            return true;
        }
    }
    return false;
}

static bool check_header(const struct target *target, const struct yaml_tree_node *map,
                         const struct yaml_tree_node *item)
{
    const char *fault = name_fault(item->key);
    if (fault == NULL && is_repeated(map, item)) {
        fault = "is given twice; names of headers have no case";
    }
    if (fault != NULL) {
        conform_complain_key(target->conform, item, "headers: \"%.80s\" %s", item->key, fault);
        return false;
    }
    fault = value_fault(item->text);
    if (fault != NULL) {
        conform_complain(target->conform, item, "headers: \"%.80s\" %s", item->key, fault);
    }
    return fault == NULL;
}

static bool is_secret_header(const char *name, const char *value)
{
    return strcasestr(name, "auth") != NULL || strcasestr(name, "key") != NULL ||
           value_is_secret(name, value);
}

// "Bearer abc": what follows the scheme is the secret, wherever else it may turn up.
static void keep_header_secret(const struct target *target, const struct yaml_tree_node *item)
{
    if (is_secret_header(item->key, item->text)) {
        const char *space = strrchr(item->text, ' ');
        keep_secret(target, item, space == NULL ? item->text : space + 1);
    }
}

static void apply_headers(struct target *target, const struct yaml_tree_node *map)
{
    if (map->count > HEADERS_MAX) {
        conform_complain(target->conform, map, "headers: more than %d", HEADERS_MAX);
        return;
    }
    struct arena *scratch = &target->conform->tree->arena;
    struct job_variable *headers = arena_alloc(scratch, map->count + 1, sizeof *headers);
    size_t count = 0;
    for (const struct yaml_tree_node *item = map->first; item != NULL; item = item->next) {
        if (check_header(target, map, item)) {
            keep_header_secret(target, item);
            headers[count].name = pool_text(&target->load->pool, item->key);
            headers[count++].value = pool_text(&target->load->pool, item->text);
        }
    }
    target->http->headers =
        pool_object(&target->load->pool, headers, (count + 1) * sizeof *headers);
}

// ---- expect -------------------------------------------------------------------------------------

static void add_expected(struct target *target, const struct yaml_tree_node *node)
{
    struct job_http *http = target->http;
    struct error err = ERROR_INIT;
    if (is_incomplete(target, node)) {
        return;
    }
    if (http->expect_count == JOB_EXPECT_MAX) {
        conform_complain(target->conform, node, "expect: more than %d; use ranges", JOB_EXPECT_MAX);
    } else if (!expect_parse(node->text, &http->expect[http->expect_count], &err)) {
        conform_complain(target->conform, node, "expect: \"%.80s\" %s", node->raw, err.text);
    } else {
        http->expect_count++;
    }
}

static void apply_expect(struct target *target, const struct yaml_tree_node *node)
{
    if (node->kind == TREE_SCALAR) {
        add_expected(target, node);
        return;
    }
    if (node->first == NULL) {
        conform_complain(target->conform, node, "expect: an empty list lets no run succeed");
    }
    for (const struct yaml_tree_node *item = node->first;
         item != NULL && target->http->expect_count <= JOB_EXPECT_MAX; item = item->next) {
        add_expected(target, item);
    }
}

// ---- the map ------------------------------------------------------------------------------------

static void apply_key(void *context, const struct yaml_tree_node *node)
{
    struct target *target = context;
    struct pool *pool = &target->load->pool;
    switch (node->schema->id) {
    case KEY_CALL_METHOD:
        target->http->method = pool_text(pool, node->text);
        return;
    case KEY_CALL_URL:
        apply_url(target, node);
        return;
    case KEY_CALL_HEADERS:
        apply_headers(target, node);
        return;
    case KEY_CALL_BODY:
        target->http->body = pool_text(pool, node->text);
        return;
    case KEY_CALL_SECRET:
        target->http->secret = pool_text(pool, node->text);
        keep_secret(target, node, node->text);
        return;
    case KEY_CALL_EXPECT:
        apply_expect(target, node);
        return;
    case KEY_CALL_COMPLETE:
        target->http->callback = node->number == 1;
        return;
    case KEY_CALL_CA:
        target->http->ca = pool_text(pool, load_path(target->load, node->text));
        return;
    default:
        return;
    }
}

static bool may_act(const struct config_http *http)
{
    for (size_t i = 0; i < http->token_count; i++) {
        if (http->tokens[i].role != CONFIG_ROLE_VIEWER) {
            return true;
        }
    }
    return false;
}

// What only the whole map can tell.
static void check_whole(const struct target *target, const struct yaml_tree_node *map)
{
    const struct job_http *http = target->http;
    const struct config_http *server = &target->load->config->http;
    const struct yaml_tree_node *body = yaml_tree_find(map, "body");
    const struct yaml_tree_node *complete = yaml_tree_find(map, "complete");
    bool bodiless = strcmp(http->method, "GET") == 0 || strcmp(http->method, "HEAD") == 0;
    if (body != NULL && http->body != NULL && bodiless) {
        conform_complain_key(target->conform, body,
                             "body: a %s has none; remove it, or use \"method: POST\"",
                             http->method);
    }
    if (complete == NULL || !http->callback) {
        return;
    }
    if (!server->enabled) {
        conform_complain(target->conform, complete,
                         "complete: no callback can arrive where \"http.listen\" is off; listen, "
                         "or use \"complete: response\"");
    }
    if (yaml_tree_find(map, "secret") == NULL && !may_act(server)) {
        conform_complain(target->conform, complete,
                         "complete: nobody could prove that a callback is genuine; set \"secret\", "
                         "or add a token with role operator under \"http.tokens\"");
    }
}

const struct job_http *jobs_http_build(struct load *load, const struct conform *conform,
                                       const struct yaml_tree_node *map)
{
    struct job_http http;
    memset(&http, 0, sizeof http); // the padding too: equal ones are shared
    struct target target = {.load = load, .conform = conform, .http = &http};
    conform_apply(map, SECTION_JOB_HTTP, apply_key, &target);
    if (http.method != NULL) {
        check_whole(&target, map);
    }
    return pool_object(&load->pool, &http, sizeof http);
}
