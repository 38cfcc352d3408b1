// SPDX-License-Identifier: MIT
#include "postgres_cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sqlite_file.h"
#include "store/postgres/postgres_private.h"

#define BIN "/usr/lib/postgresql/15/bin"

static char folder[64];
static int databases;

// The server refuses to be root.
const char *postgres_cluster_user(void)
{
    return geteuid() == 0 ? "setpriv --reuid=postgres --regid=postgres --clear-groups -- " : "";
}

const char *postgres_cluster_folder(void)
{
    return folder;
}

static void stop(void)
{
    free(sqlite_file_shell("cd / && kill -QUIT $(head -n 1 %s/data/postmaster.pid) 2>&1; "
                           "for i in $(seq 100); do [ -e %s/data/postmaster.pid ] || break; sleep "
                           "0.05; done; rm -rf %s",
                           folder, folder, folder));
}

static void pg_ctl(const char *arguments)
{
    char *printed = sqlite_file_shell("cd %s && %s" BIN "/pg_ctl -D data -w -t 60 %s >ctl.log 2>&1 "
                                      "|| cat ctl.log server.log",
                                      folder, postgres_cluster_user(), arguments);
    if (printed[0] != '\0') {
        fail_msg("pg_ctl %s: %s", arguments, printed);
    }
    free(printed);
}

void postgres_cluster_stop(void)
{
    pg_ctl("-m immediate stop");
}

void postgres_cluster_again(void)
{
    char arguments[256];
    snprintf(arguments, sizeof arguments,
             "-l server.log -o \"-c fsync=off -c listen_addresses= -c unix_socket_directories=%s "
             "-c max_connections=40\" start",
             folder);
    pg_ctl(arguments);
}

void postgres_cluster_start(void)
{
    const char *root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof folder, "%s/ironcron-pg-XXXXXX", root);
    assert_non_null(mkdtemp(folder));
    if (geteuid() == 0) {
        free(sqlite_file_shell("chown postgres: %s", folder));
    }
    char *printed = sqlite_file_shell(
        "cd %s && %s" BIN "/initdb -D data -U postgres -A trust -E UTF8 --locale=C.UTF-8 "
        "--no-sync >made.log 2>&1 || cat made.log",
        folder, postgres_cluster_user());
    atexit(stop);
    if (printed[0] != '\0') {
        fail_msg("no cluster: %s", printed);
    }
    free(printed);
    postgres_cluster_again();
}

static char *url_of(const char *name)
{
    char url[256];
    snprintf(url, sizeof url, "postgresql:///%s?host=%s&user=postgres", name, folder);
    return strdup(url);
}

#define PSQL "psql -XAtq -v ON_ERROR_STOP=1 -d '%s' -c \"%s\""

char *postgres_cluster_psql(const char *url, const char *sql)
{
    return sqlite_file_shell(PSQL " 2>&1", url, sql);
}

char *postgres_cluster_try(const char *url, const char *sql)
{
    return sqlite_file_shell(PSQL " 2>&1 || true", url, sql);
}

void postgres_cluster_background(const char *url, const char *sql)
{
    free(sqlite_file_shell(
        "PGAPPNAME=background setsid " PSQL " </dev/null >/dev/null 2>&1 & for i in $(seq 100); do "
        "[ \"$(psql -XAtq -d '%s' -c \"select count(*) from pg_stat_activity where "
        "application_name = 'background' and wait_event = 'PgSleep'\")\" = 1 ] && break; sleep "
        "0.05; done",
        url, sql, url));
}

static void must(char *printed)
{
    if (printed[0] != '\0') {
        fail_msg("psql: %s", printed);
    }
    free(printed);
}

char *postgres_cluster_database(void)
{
    char *admin = url_of("postgres");
    char sql[128];
    if (databases == 0) {
        int from = -1;
        struct error err = ERROR_INIT;
        must(postgres_cluster_psql(admin, "create database model"));
        char *model = url_of("model");
        if (!postgres_store_migrate(model, &from, &err)) {
            fail_msg("the tables are not made: %s", err.text);
        }
        assert_int_equal(from, 0);
        free(model);
    }
    char name[32];
    snprintf(name, sizeof name, "t%d", ++databases);
    snprintf(sql, sizeof sql, "create database %s template model", name);
    must(postgres_cluster_psql(admin, sql));
    free(admin);
    return url_of(name);
}

void postgres_cluster_drop(const char *url)
{
    char sql[128];
    char *admin = url_of("postgres");
    const char *name = strstr(url, ":///") + 4;
    snprintf(sql, sizeof sql, "drop database %.*s with (force)", (int)strcspn(name, "?"), name);
    must(postgres_cluster_psql(admin, sql));
    free(admin);
}

struct store *postgres_cluster_open(const char *url, struct clock *store_clock)
{
    struct store *store = NULL;
    struct error err = ERROR_INIT;
    struct postgres_store_options options = {.url = url,
                                             .application_name = "ironcron test",
                                             .store_clock = store_clock,
                                             .clock = clock_system()};
    if (!postgres_store_open(&options, &store, &err)) {
        fail_msg("the store does not open: %s", err.text);
    }
    return store;
}

static struct store *open_store(struct clock *clock, void **context)
{
    char *url = postgres_cluster_database();
    *context = url;
    return postgres_cluster_open(url, clock);
}

static void close_store(struct store *store, void *context)
{
    store_close(store);
    postgres_cluster_drop(context);
    free(context);
}

void postgres_cluster_apart(struct store *port)
{
    struct postgres_store *store = postgres_of(port);
    struct store_op_identity identity = {.op.kind = STORE_IDENTITY};
    struct error err = ERROR_INIT;
    if (!store_call(port, &identity.op, &err)) {
        fail_msg("%s", err.text);
    }
    store_op_release(&identity.op);
    store->apart.used_at = clock_mono(clock_system());
    apart_open(store);
    store_settle(port);
    assert_int_equal(store->apart.store->link, LINK_UP);
}

static struct store *open_apart(struct clock *clock, void **context)
{
    struct store *store = open_store(clock, context);
    postgres_cluster_apart(store);
    return store;
}

const struct contract_backend postgres_apart_backend = {
    .name = "postgresql, ends apart", .open = open_apart, .close = close_store, .fleet = true};

const struct contract_backend postgres_backend = {
    .name = "postgresql", .open = open_store, .close = close_store, .fleet = true};
