// SPDX-License-Identifier: MIT
// The databases. A URL of PostgreSQL is read by libpq itself, so that what is accepted here is what
// the connection takes later.
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "config/settings.h"

#define DATABASES_MAX 100
#define URL_REMEDY                                                                                 \
    "write postgresql://USER@HOST:PORT/DATABASE, with the password as ${NAME}, or sqlite:FILE"
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

struct target {
    struct load *load;
    const struct conform *conform;
    struct database *database; // the one that is being built
};

// ---- PostgreSQL ---------------------------------------------------------------------------------

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

// Secrets as they are written, with their percent signs, and as they are used.
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

static void register_secrets(const struct target *target, const struct yaml_tree_node *node,
                             const PQconninfoOption *options)
{
    static const char *const words[] = {"password", "sslpassword"};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        const char *value = option(options, words[i]);
        if (value != NULL && !target->load->substitution.closed) {
            log_secret(value);
            register_written_password(node->text);
        }
        target->load->config->holds_secrets |= value != NULL && !node->substituted;
    }
}

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

static const char *place_of(const struct target *target, const PQconninfoOption *options)
{
    const char *host = option(options, "host");
    host = host != NULL ? host : option(options, "hostaddr");
    const char *port = option(options, "port");
    const char *name = option(options, "dbname");
    const char *user = option(options, "user");
    AUTO(buf_release) struct buf place;
    buf_init(&place, 8192);
    buf_printf(&place, "%s at ", name == NULL ? "its default" : name);
    add_hosts(&place, host == NULL ? "the local socket" : host, port == NULL ? "" : port);
    if (user != NULL) {
        buf_printf(&place, " as %s", user);
    }
    return pool_text(&target->load->pool, buf_string(&place));
}

static void apply_postgresql(const struct target *target, const struct yaml_tree_node *node)
{
    char *message = NULL; // not shown: it quotes the URL, password and all
    PQconninfoOption *options = PQconninfoParse(node->text, &message);
    PQfreemem(message);
    if (options == NULL) {
        conform_complain(target->conform, node,
                         "url: is no URL that libpq understands; " URL_REMEDY
                         " (special characters in it percent-encoded, as %%40 for @)");
        return;
    }
    register_secrets(target, node, options);
    if (!ports_are_numbers(option(options, "port"))) {
        conform_complain(target->conform, node, "url: its port is no number from 1 to 65535");
    }
    target->database->kind = DATABASE_POSTGRESQL;
    target->database->url = pool_text(&target->load->pool, node->text);
    target->database->place = place_of(target, options);
    PQconninfoFree(options);
}

// ---- SQLite -------------------------------------------------------------------------------------

static void apply_sqlite(const struct target *target, const struct yaml_tree_node *node)
{
    const char *path = node->text + strlen("sqlite:");
    if (strcmp(path, ":memory:") == 0) {
        conform_complain(target->conform, node,
                         "url: a database in memory would be gone after each run; name a file");
        return;
    }
    if (path[0] == '\0' || path[strlen(path) - 1] == '/' || strpbrk(path, "?#") != NULL) {
        conform_complain(target->conform, node,
                         "url: the part behind \"sqlite:\" must be the name of a file");
        return;
    }
    target->database->kind = DATABASE_SQLITE;
    target->database->path = load_path(target->load, path);
    target->database->place = target->database->path;
}

// ---- one database -------------------------------------------------------------------------------

static void apply_url(const struct target *target, const struct yaml_tree_node *node)
{
    if (target->load->substitution.lenient && strstr(node->text, "${") != NULL) {
        target->database->place = "a URL that is not set here"; // only read, never connected to
    } else if (strncmp(node->text, "sqlite:", 7) == 0) {
        apply_sqlite(target, node);
    } else if (strncmp(node->text, "postgresql://", 13) == 0 ||
               strncmp(node->text, "postgres://", 11) == 0) {
        apply_postgresql(target, node);
    } else {
        conform_complain(target->conform, node, "url: names no kind of database; " URL_REMEDY);
    }
}

static void apply_name(const struct target *target, const struct yaml_tree_node *node)
{
    const struct config *config = target->load->config;
    if (node->text[strspn(node->text, NAME_CHARACTERS)] != '\0') {
        conform_complain(target->conform, node,
                         "name: \"%.80s\" is not a name for a database: letters, digits, \"_\", "
                         "\".\" and \"-\"",
                         node->raw);
    } else if (database_find(config->databases, config->database_count, node->text) != NULL) {
        conform_complain(target->conform, node,
                         "name: there is a database \"%.80s\" already; each needs its own",
                         node->raw);
    } else {
        target->database->name = pool_text(&target->load->pool, node->text);
    }
}

static void apply_database(void *context, const struct yaml_tree_node *node)
{
    const struct target *target = context;
    switch (node->schema->id) {
    case KEY_DATABASE_NAME:
        apply_name(target, node);
        return;
    case KEY_DATABASE_URL:
        apply_url(target, node);
        return;
    case KEY_DATABASE_CONNECTIONS:
        target->database->connections = (int)node->number;
        return;
    default:
        return;
    }
}

void settings_build_databases(struct load *load, const struct conform *conform,
                              const struct yaml_tree_node *list)
{
    if (list == NULL || list->broken || list->schema == NULL) {
        return;
    }
    if (list->count > DATABASES_MAX) {
        conform_complain(conform, list, "databases: more than %d", DATABASES_MAX);
        return;
    }
    struct config *config = load->config;
    struct database *databases = arena_alloc(&config->arena, list->count + 1, sizeof *databases);
    config->databases = databases;
    for (const struct yaml_tree_node *item = list->first; item != NULL; item = item->next) {
        struct database *database = &databases[config->database_count];
        struct target target = {load, conform, database};
        conform_apply(item, SECTION_DATABASE, apply_database, &target);
        // One that is wrong still has its name, so that its jobs are not wrong as well.
        config->database_count += database->name != NULL;
    }
}
