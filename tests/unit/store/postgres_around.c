// SPDX-License-Identifier: MIT
#include "postgres_around.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres_cluster.h"
#include "sqlite_file.h"

static char *url_at(const char *url, const char *place, int port)
{
    const char *name = strstr(url, ":///") + 4;
    char text[256];
    snprintf(text, sizeof text, "postgresql:///%.*s?host=%s%s&port=%d&user=postgres",
             (int)strcspn(name, "?"), name, postgres_cluster_folder(), place, port);
    return strdup(text);
}

// ---- pooler -------------------------------------------------------------------------------------

char *postgres_pooler_start(const char *url, const char *pool_mode)
{
    const char *folder = postgres_cluster_folder();
    free(
        sqlite_file_shell("cd %s && rm -rf pooler && %s mkdir pooler && cat >pooler/ini <<END\n"
                          "[databases]\n"
                          "* = host=%s user=postgres\n"
                          "[pgbouncer]\n"
                          "listen_addr =\n"
                          "listen_port = 6432\n"
                          "unix_socket_dir = %s/pooler\n"
                          "auth_type = any\n"
                          "pool_mode = %s\n"
                          "logfile = %s/pooler/log\n"
                          "pidfile = %s/pooler/pid\n"
                          "END\n"
                          "%s /usr/sbin/pgbouncer -q -d pooler/ini && for i in $(seq 100); do [ -S "
                          "pooler/.s.PGSQL.6432 ] && break; sleep 0.05; done",
                          folder, postgres_cluster_user(), folder, folder, pool_mode, folder,
                          folder, postgres_cluster_user()));
    return url_at(url, "/pooler", 6432);
}

void postgres_pooler_stop(void)
{
    free(sqlite_file_shell("cd %s && kill -TERM $(cat pooler/pid) && for i in $(seq 100); do "
                           "[ -e pooler/pid ] || break; sleep 0.05; done",
                           postgres_cluster_folder()));
}

// ---- standby ------------------------------------------------------------------------------------

static void pg_ctl(const char *arguments)
{
    free(sqlite_file_shell("cd %s && %s /usr/lib/postgresql/15/bin/pg_ctl -D standby -w -t 60 %s "
                           ">standby.ctl 2>&1",
                           postgres_cluster_folder(), postgres_cluster_user(), arguments));
}

char *postgres_standby_start(const char *url)
{
    const char *folder = postgres_cluster_folder();
    char arguments[256];
    free(sqlite_file_shell("cd %s && %s /usr/lib/postgresql/15/bin/pg_basebackup -h %s -U postgres "
                           "-D standby -R -X stream -c fast --no-sync",
                           folder, postgres_cluster_user(), folder));
    snprintf(arguments, sizeof arguments,
             "-l standby.log -o \"-c fsync=off -c listen_addresses= -c unix_socket_directories=%s "
             "-c max_connections=40 -c port=5433\" start",
             folder);
    pg_ctl(arguments);
    return url_at(url, "", 5433);
}

void postgres_standby_promote(void)
{
    pg_ctl("promote");
}

void postgres_standby_stop(void)
{
    pg_ctl("-m immediate stop");
    free(sqlite_file_shell("rm -rf %s/standby", postgres_cluster_folder()));
}
