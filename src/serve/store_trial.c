// SPDX-License-Identifier: MIT
#include "serve/store_trial.h"

#include <string.h>

#include "serve/aside.h"
#include "serve/node_lock.h"
#include "serve/node_state.h"
#include "serve/open_store.h"

// For nodes that connect, or end very many runs, for whoever asks over HTTP (serve/aside.c), for
// commands, and whoever else is there: these come and go, and not those of all nodes at once.
#define SPARE (10 + ASIDES_AT_ONCE)

// A copied lock file is of a node elsewhere.
static struct uuid own_node(const struct config *config)
{
    struct node_lock_holder holder;
    struct uuid own = {{0}};
    (void)node_lock_is_held(config->store_path, &holder);
    if (holder.is_copy || !uuid_parse(holder.node, &own)) {
        return (struct uuid){{0}};
    }
    return own;
}

bool store_trial_begin(struct store_trial *trial, const struct config *config, const char *command,
                       struct clock *clock, struct error *err)
{
    *trial = (struct store_trial){
        .config = config,
        .clock = clock,
        .identity = {.op = {.kind = STORE_IDENTITY}, .asked = node_state_seen(config->store_path)},
        .own = own_node(config)};
    return open_store(config, OPEN_STORE_TRY, command, clock, &trial->store, err) &&
           store_call(trial->store, &trial->identity.op, err);
}

void store_trial_end(struct store_trial *trial)
{
    if (trial->identity.system != NULL) {
        store_op_release(&trial->identity.op);
    }
    store_close(trial->store);
}

bool store_trial_memory(const struct store_trial *trial, struct error *err)
{
    return node_state_check(trial->config->store_path, &trial->identity, err);
}

bool store_trial_room(const struct store_trial *trial, struct error *err)
{
    return postgres_facts_room(trial->store, trial->config->max_running, trial->own, err);
}

bool store_trial_facts(const struct store_trial *trial, struct postgres_facts *facts_out,
                       struct error *err)
{
    return postgres_facts_read(trial->store, trial->clock, trial->own, facts_out, err);
}

// One server may have several names: then it says itself who it is.
static bool is_on_server(const struct store_trial *trial, const struct database *database)
{
    char system[POSTGRES_SYSTEM_SIZE];
    if (database->url == NULL) {
        return false;
    }
    return postgres_facts_same_server(database->url, trial->config->store_url) ||
           (postgres_facts_system(database->url, trial->clock, system) &&
            strcmp(system, trial->identity.system) == 0);
}

// Of each node, to databases on the store's server.
static int beside_the_store(const struct store_trial *trial)
{
    int connections = 0;
    for (size_t i = 0; i < trial->config->database_count; i++) {
        const struct database *database = &trial->config->databases[i];
        connections += is_on_server(trial, database) ? database->connections : 0;
    }
    return connections;
}

bool store_trial_connections(const struct store_trial *trial, const struct postgres_facts *facts,
                             struct error *err)
{
    int nodes = facts->nodes + 1;
    int databases = beside_the_store(trial);
    int wanted = nodes * (1 + databases) + SPARE;
    if (wanted <= facts->connections_most) {
        return true;
    }
    (void)error_set(
        err, ERROR_LIMIT,
        "%d node%s at work may have %d connections to the store's server, and %d can be made: each "
        "node holds 1, and up to %d to databases there; %d are for what comes and goes",
        nodes, nodes == 1 ? "" : "s", wanted, facts->connections_most, databases, SPARE);
    return error_mend(err, "raise max_connections to %d (it is %d)%s",
                      wanted + facts->connections_reserved, facts->connections_setting,
                      databases > 0 ? ", or lower \"connections\" of these databases" : "");
}
