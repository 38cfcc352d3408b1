// SPDX-License-Identifier: MIT
#include "serve/validate_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "serve/store_trial.h"

#define TEXT_SIZE   2048
#define SKEW_MOST   DURATION_S(2)
#define CONNECTIONS 10 // fewer left: a few more nodes or pools, and somebody is refused
#define REMEDY      "start it, or correct \"store\": host, port, user, password, database"

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

static void tell_error(struct look *look, enum validate_result result, const struct error *err)
{
    char detail[TEXT_SIZE];
    const char *remedy = error_remedy(err);
    remedy = remedy == NULL ? REMEDY : remedy;
    snprintf(detail, sizeof detail, "%.*s", error_cause_length(err), err->text);
    if (result == VALIDATE_FAILED && err->code == ERROR_UNAVAILABLE) {
        look->told++;
        validate_add_away(look->report, "store", detail, remedy);
        return;
    }
    tell(look, result, detail, remedy);
    if (result == VALIDATE_FAILED) {
        look->report->code = err->code;
    }
}

// ---- one check each -----------------------------------------------------------------------------

static void check_rights(struct look *look)
{
    if (!look->facts.may_write) {
        tell(look, VALIDATE_FAILED, "this role may not write all tables of schema ironcron",
             "use the role that ran `ironcron migrate deploy --store`, which owns them");
    }
}

static void check_connections(struct look *look, const struct store_trial *trial)
{
    const struct postgres_facts *facts = &look->facts;
    struct error err = ERROR_INIT;
    char detail[TEXT_SIZE];
    if (facts->connections_left < CONNECTIONS) {
        snprintf(detail, sizeof detail,
                 "%d more connections can be made (max_connections is %d); each node holds one, "
                 "each command that looks takes one",
                 facts->connections_left, facts->connections_setting);
        tell(look, VALIDATE_WARNING, detail,
             "raise max_connections, or end what holds them: select * from pg_stat_activity");
    }
    if (!store_trial_connections(trial, facts, &err)) {
        tell_error(look, VALIDATE_WARNING, &err);
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

static void check_all(struct look *look, const struct store_trial *trial)
{
    struct error err = ERROR_INIT;
    if (!store_trial_memory(trial, &err)) {
        tell_error(look, VALIDATE_FAILED, &err);
    }
    if (!store_trial_facts(trial, &look->facts, &err)) {
        tell_error(look, VALIDATE_FAILED, &err);
        return;
    }
    check_rights(look);
    if (!store_trial_room(trial, &err)) {
        tell_error(look, VALIDATE_FAILED, &err);
    }
    check_connections(look, trial);
    check_promises(look);
}

void validate_postgresql_store(const struct config *config, const struct validate_options *options,
                               struct validate_report *report)
{
    struct look look = {.config = config, .report = report};
    struct store_trial trial;
    struct error err = ERROR_INIT;
    if (store_trial_begin(&trial, config, "validate", options->clock, &err)) {
        check_all(&look, &trial);
    } else {
        tell_error(&look, VALIDATE_FAILED, &err);
    }
    store_trial_end(&trial);
    if (look.told == 0) {
        validate_ok(report, "store", "%s answers: %s, tables of version %d, %d connections left",
                    config->store, look.facts.server, look.facts.schema,
                    look.facts.connections_left);
    }
}
