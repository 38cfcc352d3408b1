// SPDX-License-Identifier: MIT
// What a PostgreSQL server and the store on it are like right now: for who checks them before a
// start, and for who looks for trouble. Reads only, and blocks, within a few seconds.
#pragma once

#include "base/error.h"
#include "store/store.h"
#include "time/clock.h"

struct postgres_facts {
    char server[64];  // "PostgreSQL 15.8"
    int server_major; // 15
    bool is_standby;
    bool is_read_only; // default_transaction_read_only
    int schema;        // version of the store's tables; 0 = there are none yet
    int schema_oldest; // the oldest version that a program must know to work on them
    bool may_create;   // the schema, in this database
    bool may_write;    // into all tables of the schema; without tables true
    bool is_fsync;
    bool has_proxy;        // not every answer comes from the session that we began
    bool loses_sessions;   // a lock that one session holds does not keep another one out
    int connections_left;  // for this role, of the server, the database and the role itself
    int connections_most;  // the server's max_connections
    int locks, locks_most; // in its lock table
    struct duration skew;  // the server's clock less this host's
};

// Opens a connection of its own (two, for the sessions) and closes it.
bool postgres_facts_read(const char *url, const char *application_name, struct clock *clock,
                         struct postgres_facts *facts_out, struct error *err) MUST_USE;

// The clock of an open store. The first thing that a command asks, since it says as well whether
// the store can be reached and is one that we may use.
bool postgres_store_greet(struct store *store, struct instant *now_out, struct error *err) MUST_USE;

// ---- what is wrong by and by --------------------------------------------------------------------

#define POSTGRES_HEALTH_TABLES 3
#define POSTGRES_HEALTH_LOCKS  8

struct postgres_health {
    int64_t bytes; // of the schema
    // The oldest transaction of the server that keeps dead rows from being cleared away.
    struct {
        bool is_there;
        int pid; // 0 = a replication slot or a prepared transaction, by its name
        char who[128];
        int64_t seconds;
        int64_t transactions; // its age
    } holder;
    // Tables with more dead rows than live ones, the worst first.
    struct {
        char name[64];
        int64_t live, dead;
    } bloated[POSTGRES_HEALTH_TABLES];
    size_t bloated_count;
    // Sessions that hold a job's lock though no run of it is STARTED, seen twice, a second apart.
    struct {
        int pid;
        int64_t job_id;
        char job[160];
        char who[64];
    } locks[POSTGRES_HEALTH_LOCKS];
    size_t lock_count;
};
bool postgres_health_read(struct store *store, struct postgres_health *health_out,
                          struct error *err) MUST_USE;
