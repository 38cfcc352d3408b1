// SPDX-License-Identifier: MIT
#include "cli/doctor_fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/words.h"
#include "serve/store_trial.h"

#define SHOWN       5
#define SKEW_MOST   DURATION_S(2)
#define HELD_MOST   3600      // seconds that a transaction may take
#define AGE_MOST    100000000 // transactions; far from harm, and far from usual
#define LEFT_LEAST  10        // connections
#define LOCKS_SHARE 80        // percent of the lock table

// ---- nodes --------------------------------------------------------------------------------------

static void tell_overdue(struct doctor *doctor, const struct listed_node *node)
{
    char id[UUID_TEXT_SIZE];
    char since[WORDS_TIME_SIZE];
    uuid_format(node->row.node, id);
    words_relative(node->row.valid_until, doctor->overview.now, since);
    doctor_add(doctor, "nodes", DOCTOR_TODO,
               "a live node declares it dead by itself; look at the host, and start one where none "
               "lives: ironcron serve",
               "node %s on %s is past its lease, which ended %s", id, node->row.host, since);
}

static void tell_drain(struct doctor *doctor, const struct listed_node *node)
{
    char id[UUID_TEXT_SIZE];
    char remedy[sizeof id + 32];
    AUTO(buf_release) struct buf words;
    buf_init(&words, 16384);
    node_list_describe_drain(node, doctor->session->zone, &words);
    uuid_format(node->row.node, id); // more than one may live on its host
    snprintf(remedy, sizeof remedy, "ironcron nodes resume %.13s", id);
    doctor_add(doctor, "nodes",
               node_list_all_drain(&doctor->overview.fleet) ? DOCTOR_TODO : DOCTOR_NOTE, remedy,
               "the node on %s is draining %s", node->row.host, buf_string(&words));
}

static void tell_refusal(struct doctor *doctor, const struct listed_node *node)
{
    doctor_add(doctor, "definitions", DOCTOR_TODO,
               "mend it on that host, or put other definitions into force: ironcron reload",
               "the node on %s cannot execute version %" PRId64 " and begins nothing: %s",
               node->row.host, doctor->session->version, node->row.refused);
}

// What operators and hosts do to single nodes, in a fleet or where there is but one.
void doctor_each_node(struct doctor *doctor)
{
    const struct node_list *fleet = &doctor->overview.fleet;
    size_t told = 0;
    for (size_t i = 0; i < fleet->count && told < SHOWN; i++) {
        const struct listed_node *node = &fleet->nodes[i];
        bool drains = node_list_lives(node) && !instant_is_none(node->row.draining_since);
        bool refuses = node_list_lives(node) && node->row.refused != NULL;
        told += drains || refuses;
        if (drains) {
            tell_drain(doctor, node);
        }
        if (refuses) {
            tell_refusal(doctor, node);
        }
    }
}

void doctor_nodes(struct doctor *doctor)
{
    const struct node_list *fleet = &doctor->overview.fleet;
    size_t told = 0;
    for (size_t i = 0; i < fleet->count && told < SHOWN; i++) {
        if (strcmp(fleet->nodes[i].state, "overdue") == 0) {
            tell_overdue(doctor, &fleet->nodes[i]);
            told++;
        }
    }
    if (fleet->live == 0) {
        doctor_add(doctor, "nodes", DOCTOR_TODO, "ironcron serve",
                   "no node is live, so nothing runs");
    } else if (told == 0) {
        doctor_add(doctor, "nodes", DOCTOR_OK, NULL, "%zu live", fleet->live);
    }
    if (fleet->dry_run > 0 && fleet->dry_run < fleet->live) {
        doctor_add(doctor, "nodes", DOCTOR_TODO, "restart it without --dry-run and JOB_DRY_RUN",
                   "%zu of %zu nodes, such as the one on %s, were started in dry-run, and so all "
                   "are",
                   fleet->dry_run, fleet->live, fleet->dry->row.host);
    }
    if (fleet->other_version != NULL) {
        doctor_add(doctor, "nodes", DOCTOR_NOTE, "ironcron nodes",
                   "they are of different versions, such as %s: fine while you upgrade one after "
                   "the other",
                   fleet->other_version);
    }
}

// ---- the server ---------------------------------------------------------------------------------

static void tell_clock(struct doctor *doctor, struct duration skew)
{
    double seconds = (double)llabs(skew.us) / 1e6;
    if (llabs(skew.us) > SKEW_MOST.us) {
        doctor_add(doctor, "skew", DOCTOR_TODO, "let both follow NTP: timedatectl set-ntp true",
                   "this host's clock is %.1f s %s the store's; slots are due by the store's",
                   seconds, skew.us > 0 ? "behind" : "ahead of");
    } else {
        doctor_add(doctor, "skew", DOCTOR_OK, NULL,
                   "%.3f s between this host's clock and the store's", seconds);
    }
}

static void ago(const struct doctor *doctor, int64_t seconds, char out[WORDS_TIME_SIZE])
{
    struct instant now = doctor->overview.now;
    words_relative(instant_add(now, DURATION_S(-seconds)), now, out);
}

static void tell_connections(struct doctor *doctor, const struct postgres_facts *facts,
                             const struct postgres_health *health)
{
    if (facts->connections_left < LEFT_LEAST) {
        doctor_add(doctor, "server", DOCTOR_TODO,
                   "raise max_connections, or end what holds them: select * from pg_stat_activity",
                   "%d connections are left (max_connections is %d); of those in use %d are of %s",
                   facts->connections_left, facts->connections_setting,
                   health->most_connections.count, health->most_connections.who);
    }
}

static void tell_lock_table(struct doctor *doctor, const struct postgres_facts *facts,
                            const struct postgres_health *health)
{
    char session[32] = "";
    char remedy[160] = "raise max_locks_per_transaction, and start the server again";
    if ((int64_t)facts->locks * 100 <= (int64_t)facts->locks_most * LOCKS_SHARE) {
        return;
    }
    if (health->most_locks.pid > 0) {
        snprintf(session, sizeof session, "session %d, ", health->most_locks.pid);
        snprintf(remedy, sizeof remedy,
                 "select pg_terminate_backend(%d), if that is nothing usual; or raise "
                 "max_locks_per_transaction, and start the server again",
                 health->most_locks.pid);
    }
    doctor_add(doctor, "server", DOCTOR_TODO, remedy,
               "%d of about %d places of the lock table are taken, %d of them by %s%s: where none "
               "is left nothing can start",
               facts->locks, facts->locks_most, health->most_locks.count, session,
               health->most_locks.who);
}

static void tell_room(struct doctor *doctor, const struct postgres_facts *facts,
                      const struct postgres_health *health)
{
    tell_connections(doctor, facts, health);
    tell_lock_table(doctor, facts, health);
    if (!facts->is_fsync) {
        doctor_add(doctor, "server", DOCTOR_NOTE, "set fsync = on",
                   "fsync is off: a crash of the server forgets what it has promised");
    }
}

static void tell_holder(struct doctor *doctor, const struct postgres_health *health)
{
    char since[WORDS_TIME_SIZE] = "nobody knows when";
    bool is_long = health->holder.seconds > HELD_MOST || health->holder.transactions > AGE_MOST;
    if (!health->holder.is_there || !is_long) {
        return;
    }
    if (health->holder.seconds >= 0) {
        ago(doctor, health->holder.seconds, since);
    }
    doctor_add(doctor, "vacuum", DOCTOR_TODO, health->holder.remedy,
               "%s holds back what vacuum could clear away; it began %s, %lld transactions before "
               "the newest one",
               health->holder.who, since, (long long)health->holder.transactions);
}

static void tell_bloat(struct doctor *doctor, const struct postgres_health *health)
{
    for (size_t i = 0; i < health->bloated_count; i++) {
        char remedy[128];
        char last[WORDS_TIME_SIZE] = "never";
        if (health->bloated[i].vacuumed >= 0) {
            ago(doctor, health->bloated[i].vacuumed, last);
        }
        snprintf(remedy, sizeof remedy, "vacuum ironcron.%s; and is autovacuum on?",
                 health->bloated[i].name);
        doctor_add(doctor, "vacuum", DOCTOR_TODO, remedy,
                   "table ironcron.%s has %lld dead rows beside %lld live ones, and was last "
                   "vacuumed %s",
                   health->bloated[i].name, (long long)health->bloated[i].dead,
                   (long long)health->bloated[i].live, last);
    }
}

static void tell_locks(struct doctor *doctor, const struct postgres_health *health)
{
    for (size_t i = 0; i < health->lock_count; i++) {
        char remedy[128];
        char quiet[WORDS_TIME_SIZE];
        ago(doctor, health->locks[i].quiet, quiet);
        snprintf(remedy, sizeof remedy, "select pg_terminate_backend(%d)", health->locks[i].pid);
        doctor_add(doctor, "locks", DOCTOR_TODO, remedy,
                   "session %d (%s), whose last statement was %s, holds the lock of %s, and no run "
                   "of it is going: it cannot start",
                   health->locks[i].pid, health->locks[i].who, quiet, health->locks[i].job);
    }
}

static void tell_error(struct doctor *doctor, enum doctor_level level, const struct error *err)
{
    const char *remedy = error_remedy(err);
    doctor_add(doctor, "store", level, remedy != NULL ? remedy : "ironcron validate", "%.*s",
               error_cause_length(err), err->text);
}

// What keeps the next start of this host's node from going on with the store.
static void tell_trial(struct doctor *doctor, const struct store_trial *trial,
                       const struct postgres_facts *facts)
{
    struct error err = ERROR_INIT;
    if (!store_trial_memory(trial, &err)) {
        tell_error(doctor, DOCTOR_TODO, &err);
    }
    if (!store_trial_room(trial, &err)) {
        tell_error(doctor, DOCTOR_TODO, &err);
    }
    if (!store_trial_connections(trial, facts, &err)) {
        tell_error(doctor, DOCTOR_NOTE, &err);
    }
}

static bool try_server(struct doctor *doctor, struct postgres_facts *facts_out, struct error *err)
{
    const struct session *session = doctor->session;
    struct store_trial trial;
    struct error why = ERROR_INIT;
    bool works = store_trial_begin(&trial, session->config, "doctor", session->clock, &why);
    bool read = postgres_facts_read(session->store, session->clock, trial.own, facts_out, err);
    if (read && works) {
        tell_trial(doctor, &trial, facts_out);
    } else if (!works) {
        tell_error(doctor, DOCTOR_TODO, &why);
    }
    store_trial_end(&trial);
    return read;
}

bool doctor_server(struct doctor *doctor, struct error *err)
{
    const struct session *session = doctor->session;
    struct postgres_facts facts;
    struct postgres_health health;
    if (!try_server(doctor, &facts, err) || !postgres_health_read(session->store, &health, err)) {
        return false;
    }
    doctor_add(doctor, "store", DOCTOR_OK, NULL, "%s, %.1f MB, %s, %d connections left",
               session->config->store, (double)health.bytes / 1e6, facts.server,
               facts.connections_left);
    tell_clock(doctor, facts.skew);
    tell_room(doctor, &facts, &health);
    tell_holder(doctor, &health);
    tell_bloat(doctor, &health);
    tell_locks(doctor, &health);
    return true;
}
