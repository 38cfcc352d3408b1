// SPDX-License-Identifier: MIT
#include "serve/validate_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/postgres/postgres_facts.h"
#include "store/postgres/postgres_store.h"

#define TEXT_SIZE    1024
#define SERVER_LEAST 15
#define SKEW_MOST    DURATION_S(2)
#define CONNECTIONS  10 // fewer left: a few more nodes or pools, and somebody is refused
#define MIGRATE      "ironcron migrate deploy --store"
#define DIRECT_REMEDY                                                                              \
    "name the server's own port in \"store\", or set the proxy's pool_mode to session"

struct look {
    const struct config *config;
    struct validate_report *report;
    struct postgres_facts facts;
    size_t told; // lines that are not OK
};

static void tell(struct look *look, enum validate_result result, const char *detail,
                 const char *remedy)
{
    look->told++;
    validate_add(look->report, result, "store", detail, remedy);
}

static void fail(struct look *look, enum error_code code, const char *detail, const char *remedy)
{
    tell(look, VALIDATE_FAILED, detail, remedy);
    look->report->code = code;
}

// ---- one check each -----------------------------------------------------------------------------

static void check_server(struct look *look)
{
    const struct postgres_facts *facts = &look->facts;
    char detail[TEXT_SIZE];
    if (facts->server_major < SERVER_LEAST) {
        snprintf(detail, sizeof detail, "%s is %s; ironcron needs %d or later", look->config->store,
                 facts->server, SERVER_LEAST);
        fail(look, ERROR_VERSION, detail, "keep the store on a newer server");
    }
    if (facts->is_standby) {
        snprintf(detail, sizeof detail, "%s is a standby, which cannot be written",
                 look->config->store);
        fail(look, ERROR_ENVIRONMENT, detail,
             "name the primary in \"store\", or all servers with ?target_session_attrs=read-write");
    } else if (facts->is_read_only) {
        fail(look, ERROR_ENVIRONMENT, "default_transaction_read_only is on, so nothing is written",
             "set it off for this role or database");
    }
}

static void check_schema(struct look *look)
{
    int wanted = postgres_store_version();
    int found = look->facts.schema;
    char detail[TEXT_SIZE];
    if (found == 0) {
        snprintf(detail, sizeof detail, "%s has no tables of ironcron yet%s", look->config->store,
                 look->facts.may_create ? "" : ", and this role may not make them");
        fail(look, ERROR_VERSION, detail,
             look->facts.may_create ? MIGRATE : MIGRATE " as a role with CREATE on this database");
    } else if (found < wanted || look->facts.schema_oldest > wanted) {
        snprintf(detail, sizeof detail,
                 "the store's tables are of version %d, this ironcron (%s) works on version %d",
                 found, IRONCRON_VERSION, wanted);
        fail(look, ERROR_VERSION, detail,
             found < wanted ? MIGRATE : "install the ironcron that made them, or a later one");
    } else if (!look->facts.may_write) {
        fail(look, ERROR_ENVIRONMENT, "this role may not write all tables of schema ironcron",
             "use the role that ran `" MIGRATE "`, which owns them");
    }
}

static void check_sessions(struct look *look)
{
    if (look->facts.loses_sessions) {
        fail(look, ERROR_ENVIRONMENT,
             "a proxy in front of the store gives each transaction another session, so that one "
             "node's locks do not keep another out",
             DIRECT_REMEDY);
    } else if (look->facts.has_proxy) {
        tell(look, VALIDATE_WARNING, "there is a proxy in front of the store",
             "its pool_mode must be session; better name the server's own port");
    }
}

static void check_room(struct look *look)
{
    const struct postgres_facts *facts = &look->facts;
    char detail[TEXT_SIZE];
    if (facts->connections_left < CONNECTIONS) {
        snprintf(detail, sizeof detail,
                 "%d more connections can be made (max_connections is %d); each node holds one, "
                 "each command that looks takes one",
                 facts->connections_left, facts->connections_most);
        tell(look, VALIDATE_WARNING, detail,
             "raise max_connections, or end what holds them: select * from pg_stat_activity");
    }
    int wanted = facts->locks + look->config->max_running;
    if (wanted > facts->locks_most - facts->locks_most / 5) {
        snprintf(detail, sizeof detail,
                 "the server's lock table has room for %d, %d are taken, and this node may add %d",
                 facts->locks_most, facts->locks, look->config->max_running);
        tell(look, VALIDATE_WARNING, detail,
             "raise max_locks_per_transaction, or lower node.max_running");
    }
}

static void check_promises(struct look *look)
{
    const struct postgres_facts *facts = &look->facts;
    if (!facts->is_fsync) {
        tell(look, VALIDATE_WARNING,
             "fsync is off: a crash of the server may lose or damage what it has promised",
             "set fsync = on");
    }
    struct duration skew = facts->skew;
    if (llabs(skew.us) > SKEW_MOST.us) {
        char detail[TEXT_SIZE];
        snprintf(detail, sizeof detail,
                 "this host's clock is %.1f s %s the store's; slots are due by the store's",
                 (double)llabs(skew.us) / 1e6, skew.us > 0 ? "behind" : "ahead of");
        tell(look, VALIDATE_WARNING, detail, "let both follow NTP: timedatectl set-ntp true");
    }
}

// ---- all ----------------------------------------------------------------------------------------

void validate_postgresql_store(const struct config *config, const struct validate_options *options,
                               struct validate_report *report)
{
    struct look look = {.config = config, .report = report};
    struct error err = ERROR_INIT;
    if (!postgres_facts_read(config->store_url, "ironcron/validate", options->clock, &look.facts,
                             &err)) {
        validate_add_away(report, "store", err.text,
                          "start it, or correct \"store\": host, port, user, password, database");
        return;
    }
    check_server(&look);
    if (!look.facts.is_standby) {
        check_schema(&look);
        check_sessions(&look);
        check_room(&look);
        check_promises(&look);
    }
    if (look.told == 0) {
        validate_ok(report, "store", "%s answers: %s, tables of version %d, %d connections left",
                    config->store, look.facts.server, look.facts.schema,
                    look.facts.connections_left);
    }
}
