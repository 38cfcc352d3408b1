// SPDX-License-Identifier: MIT
// `migrate deploy --store`, `migrate status --store`: the store's own tables on PostgreSQL.
#include <stdio.h>

#include "cli/json.h"
#include "cli/run.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "store/postgres/postgres_facts.h"
#include "store/postgres/postgres_store.h"

struct migration {
    struct session session;
    const struct invocation *invocation;
    int from, to; // versions of the tables; 0 = none
    bool fits;    // this program can work on those that were found
};

static void migration_release(struct migration *migration)
{
    session_release(&migration->session);
}

static bool only_the_store(const struct invocation *invocation, struct error *err)
{
    bool other = invocation_has(invocation, "dir") || invocation_has(invocation, "database") ||
                 invocation_has(invocation, "url");
    if (invocation_has(invocation, "store") && other) {
        return error_set(err, ERROR_USAGE,
                         "--store stands alone: the database is the one that \"store\" in the "
                         "configuration names; leave out --dir, --database and --url");
    }
    return invocation_has(invocation, "store") ||
           error_set(err, ERROR_USAGE,
                     "give --store: in this version `migrate` knows ironcron's own tables only; a "
                     "folder of Prisma migrations is applied by `prisma migrate deploy`");
}

static bool begin(struct migration *migration, struct error *err)
{
    migration->to = postgres_store_version();
    return only_the_store(migration->invocation, err) &&
           session_config(&migration->session, migration->invocation, err);
}

static void print_store(const struct migration *migration)
{
    terminal_put(stdout, COLOUR_NONE, migration->session.config->store);
}

static void print_json(const struct migration *migration, int now)
{
    const struct config *config = migration->session.config;
    bool is_remote = config->store_url != NULL;
    json_print(json_pack("{s:o, s:o, s:o, s:o, s:b}", "store", json_text(config->store), "found",
                         is_remote ? json_integer(migration->from) : json_null(), "now",
                         is_remote ? json_integer(now) : json_null(), "wanted",
                         is_remote ? json_integer(migration->to) : json_null(), "ok",
                         !is_remote || migration->fits));
}

static void say_sqlite(const struct migration *migration)
{
    print_store(migration);
    puts(": a store on SQLite is made and brought up to date by whoever writes to it first; "
         "nothing to do");
}

// ---- deploy -------------------------------------------------------------------------------------

static void say_deployed(const struct migration *migration)
{
    print_store(migration);
    if (migration->from == migration->to) {
        printf(": tables of version %d, nothing to do\n", migration->to);
    } else if (migration->from == 0) {
        printf(": had no tables, has version %d now. Go on with: ironcron validate\n",
               migration->to);
    } else {
        printf(": tables from version %d to %d\n", migration->from, migration->to);
    }
}

bool command_migrate_deploy(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(migration_release) struct migration migration = {.invocation = invocation};
    if (!begin(&migration, err)) {
        return false;
    }
    const char *url = migration.session.config->store_url;
    if (url != NULL && !postgres_store_migrate(url, &migration.from, err)) {
        return false;
    }
    migration.fits = true;
    if (invocation->json) {
        print_json(&migration, migration.to);
    } else if (url == NULL) {
        say_sqlite(&migration);
    } else {
        say_deployed(&migration);
    }
    return true;
}

// ---- status -------------------------------------------------------------------------------------

static void say_status(const struct migration *migration)
{
    print_store(migration);
    if (migration->fits) {
        printf(": tables of version %d, which this ironcron (%s) works on\n", migration->from,
               IRONCRON_VERSION);
    } else if (migration->from == 0) {
        puts(": no tables yet; run: ironcron migrate deploy --store");
    } else {
        printf(": tables of version %d, this ironcron (%s) works on version %d; %s\n",
               migration->from, IRONCRON_VERSION, migration->to,
               migration->from < migration->to
                   ? "run: ironcron migrate deploy --store"
                   : "install the ironcron that made them, or a later one");
    }
}

bool command_migrate_status(struct invocation *invocation, int *exit_out, struct error *err)
{
    AUTO(migration_release) struct migration migration = {.invocation = invocation};
    if (!begin(&migration, err)) {
        return false;
    }
    int oldest = 0;
    const char *url = migration.session.config->store_url;
    if (url != NULL && !postgres_store_look(url, &migration.from, &oldest, err)) {
        return false;
    }
    migration.fits = migration.from >= migration.to && oldest <= migration.to;
    *exit_out = url == NULL || migration.fits ? 0 : 1;
    if (invocation->json) {
        print_json(&migration, migration.from);
    } else if (url == NULL) {
        say_sqlite(&migration);
    } else {
        say_status(&migration);
    }
    return true;
}
