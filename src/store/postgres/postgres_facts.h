// SPDX-License-Identifier: MIT
// What a PostgreSQL server and the store on it are like right now, beyond what each connection is
// checked for (postgres_check.h): for who looks before a start, and for who looks for trouble.
// Reads only, and blocks.
#pragma once

#include "base/error.h"
#include "store/store.h"
#include "time/clock.h"

struct postgres_facts {
    char server[64]; // "PostgreSQL 15.8"
    int schema;      // version of the store's tables
    bool may_write;  // into all of them
    bool is_fsync;
    int nodes;                // that live, but for `own`
    int connections_left;     // for this role, of the server, the database and the role itself
    int connections_most;     // for this role, when nobody else had any
    int connections_setting;  // the server's max_connections
    int connections_reserved; // of those, for superusers
    int locks, locks_most;    // in its lock table
    struct duration skew;     // the server's clock less this host's
};

// own: the node that lives here or did last; nil = none.
bool postgres_facts_read(struct store *store, struct clock *clock, struct uuid own,
                         struct postgres_facts *facts_out, struct error *err) MUST_USE;
// Is there room for another node's locks? One that joins asks the same.
bool postgres_facts_room(struct store *store, int max_running, struct uuid own,
                         struct error *err) MUST_USE;
// Do two URLs name one server, as far as words can tell?
bool postgres_facts_same_server(const char *url, const char *other);
// Which server a URL leads to, by its own word (store_op_identity.system). False: it did not tell
// within some seconds.
#define POSTGRES_SYSTEM_SIZE 24
bool postgres_facts_system(const char *url, struct clock *clock, char out[POSTGRES_SYSTEM_SIZE]);

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
        char who[160];
        char remedy[160];
        int64_t seconds;      // -1 = nobody knows
        int64_t transactions; // its age
    } holder;
    // Tables with more dead rows than live ones, the worst first.
    struct {
        char name[64];
        int64_t live, dead;
        int64_t vacuumed; // so many seconds ago; -1 = never
    } bloated[POSTGRES_HEALTH_TABLES];
    size_t bloated_count;
    // Sessions that hold a job's lock though no run of it is STARTED, seen twice, a second apart.
    struct {
        int pid;
        int64_t job_id;
        char job[160];
        char who[64];
        int64_t quiet; // seconds since it last began or ended a statement
    } locks[POSTGRES_HEALTH_LOCKS];
    size_t lock_count;
    // Who has most of the server's lock table, and most of its connections.
    struct {
        int pid; // of the session; 0 = a prepared transaction
        char who[64];
        int count;
    } most_locks, most_connections;
};
bool postgres_health_read(struct store *store, struct postgres_health *health_out,
                          struct error *err) MUST_USE;
