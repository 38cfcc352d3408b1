// SPDX-License-Identifier: MIT
#include "config/postgresql_url.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"

#define SHOWN_MAX 8192

static const char *option(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0) {
            return options->val != NULL && options->val[0] != '\0' ? options->val : NULL;
        }
    }
    return NULL;
}

// One for each host, with commas between; libpq itself only complains when it connects.
static bool ports_are_numbers(const char *ports)
{
    for (; ports != NULL; ports = strchr(ports, ',') == NULL ? NULL : strchr(ports, ',') + 1) {
        size_t length = strcspn(ports, ",");
        if (strspn(ports, "0123456789") < length || length > 5 || strtol(ports, NULL, 10) > 65535) {
            return false;
        }
    }
    return true;
}

// ---- secrets ------------------------------------------------------------------------------------

// As they are written, with their percent signs; libpq gives them as they are used.
static void register_written_password(const char *url)
{
    const char *start = strstr(url, "://") + 3;
    const char *at = strchr(start, '@');
    const char *colon = at == NULL ? NULL : memchr(start, ':', (size_t)(at - start));
    if (colon != NULL) {
        char *written = strndup(colon + 1, (size_t)(at - colon - 1));
        log_secret(written == NULL ? "" : written);
        free(written);
    }
}

// Beside references, such as postgresql://me:password@${HOST}/app.
static bool has_written_password(const char *raw)
{
    const char *start = strstr(raw, "://");
    const char *at = start == NULL ? NULL : strchr(start, '@');
    const char *colon = at == NULL ? NULL : memchr(start + 3, ':', (size_t)(at - start - 3));
    if (colon != NULL && colon + 1 < at && memmem(colon, (size_t)(at - colon), "${", 2) == NULL) {
        return true;
    }
    const char *option = strstr(raw, "password=");
    return option != NULL && strncmp(option + strlen("password="), "${", 2) != 0;
}

static void register_secrets(struct load *load, const struct conform *conform,
                             const struct yaml_tree_node *node, const PQconninfoOption *options)
{
    bool is_written = false;
    static const char *const words[] = {"password", "sslpassword"};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        const char *value = option(options, words[i]);
        if (value != NULL && !load->substitution.closed) {
            log_secret(value);
            register_written_password(node->text);
        }
        is_written = is_written || (value != NULL && has_written_password(node->raw));
    }
    load_secret(load, conform, node, is_written);
}

// ---- for people ---------------------------------------------------------------------------------

// "h1,h2" and "6000,6001" to "h1:6000,h2:6001".
static void add_hosts(struct buf *out, const char *hosts, const char *ports)
{
    while (*hosts != '\0') {
        size_t host = strcspn(hosts, ",");
        size_t port = strcspn(ports, ",");
        buf_printf(out, "%.*s%s%.*s", (int)host, hosts, port > 0 ? ":" : "", (int)port, ports);
        hosts += host;
        ports += ports[port] == ',' ? port + 1 : 0;
        if (*hosts == ',') {
            buf_add_char(out, *hosts++);
        }
    }
}

static void add_server(struct buf *out, const PQconninfoOption *options, const char *fallback)
{
    const char *host = option(options, "host");
    const char *port = option(options, "port");
    host = host != NULL ? host : option(options, "hostaddr");
    add_hosts(out, host == NULL ? fallback : host, port == NULL ? "" : port);
}

static const char *place_of(struct load *load, const PQconninfoOption *options)
{
    const char *name = option(options, "dbname");
    const char *user = option(options, "user");
    AUTO(buf_release) struct buf place;
    buf_init(&place, SHOWN_MAX);
    buf_printf(&place, "%s at ", name == NULL ? "its default" : name);
    add_server(&place, options, "the local socket");
    if (user != NULL) {
        buf_printf(&place, " as %s", user);
    }
    return pool_text(&load->pool, buf_string(&place));
}

static const char *shown_of(struct load *load, const PQconninfoOption *options)
{
    const char *name = option(options, "dbname");
    const char *user = option(options, "user");
    AUTO(buf_release) struct buf shown;
    buf_init(&shown, SHOWN_MAX);
    buf_printf(&shown, "postgresql://%s%s", user == NULL ? "" : user, user == NULL ? "" : "@");
    add_server(&shown, options, "");
    buf_printf(&shown, "/%s", name == NULL ? "" : name);
    return pool_text(&load->pool, buf_string(&shown));
}

// ---- reading ------------------------------------------------------------------------------------

bool postgresql_url_is(const char *text)
{
    return strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0;
}

// Most likely the end of a password. A socket's name may have one, and begin with it.
static bool has_at_sign(const char *hosts)
{
    const char *at = hosts == NULL ? NULL : strchr(hosts, '@');
    return at != NULL && hosts[0] != '/' && at != hosts && at[-1] != ',';
}

// Where the password has a slash behind its @: what follows is no name of a database. Of the URL as
// it is written, since a database may well have an %40 in its name.
static bool path_has_at_sign(const char *url)
{
    const char *path = strchr(strstr(url, "//") + 2, '/');
    return path != NULL && memchr(path, '@', strcspn(path, "?")) != NULL;
}

static bool has_raw_password(const struct conform *conform, const struct yaml_tree_node *node,
                             const PQconninfoOption *options)
{
    bool in_path = path_has_at_sign(node->text);
    if (!in_path && !has_at_sign(option(options, "host"))) {
        return false;
    }
    conform_complain(conform, node,
                     "%s: its %s has an @: percent-encode special characters in the password, as "
                     "%%40 for @ and %%2F for /",
                     node->schema->name, in_path ? "database" : "host");
    return true;
}

static bool take(struct load *load, const struct conform *conform,
                 const struct yaml_tree_node *node, const PQconninfoOption *options,
                 struct postgresql_url *url_out)
{
    register_secrets(load, conform, node, options);
    if (has_raw_password(conform, node, options)) {
        return false;
    }
    if (!ports_are_numbers(option(options, "port"))) {
        conform_complain(conform, node, "%s: its port is no number from 1 to 65535",
                         node->schema->name);
        return false;
    }
    *url_out = (struct postgresql_url){.text = pool_text(&load->pool, node->text),
                                       .place = place_of(load, options),
                                       .shown = shown_of(load, options)};
    return true;
}

bool postgresql_url_read(struct load *load, const struct conform *conform,
                         const struct yaml_tree_node *node, struct postgresql_url *url_out)
{
    char *message = NULL; // not shown: it quotes the URL, password and all
    PQconninfoOption *options = PQconninfoParse(node->text, &message);
    PQfreemem(message);
    if (options == NULL) {
        conform_complain(conform, node,
                         "%s: is no URL that libpq understands; " POSTGRESQL_URL_REMEDY
                         " (special characters in it percent-encoded, as %%40 for @)",
                         node->schema->name);
        return false;
    }
    bool taken = take(load, conform, node, options, url_out);
    PQconninfoFree(options);
    return taken;
}
