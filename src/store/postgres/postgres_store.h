// SPDX-License-Identifier: MIT
// The store on PostgreSQL 15: schema ironcron, one direct connection (two while it is made, and
// while very many runs end), everything asynchronous and pipelined. The tables and what is done to
// them are schema_1.sql and functions_*_1.sql; here their calls are sent and their answers taken.
#pragma once

#include "base/error.h"
#include "store/store.h"
#include "time/clock.h"

struct postgres_store_options {
    const char *url;               // postgresql://…; no password is ever shown
    const char *application_name;  // what pg_stat_activity shows
    struct duration call_deadline; // of one call, from its sending; 0 = 10 s
    // Only for tests: the store's clock. NULL = the database's, which is what decides otherwise.
    struct clock *store_clock;
    struct clock *clock; // of this machine: for deadlines
    bool only_reads;     // a role that may only read is enough; not to be given what writes
    bool only_tries;     // goes through all checks, and writes nothing: not to be given what writes
};

// Does not connect: the first operation does, and so does the first after a connection was lost.
// False only when the URL makes no sense.
bool postgres_store_open(const struct postgres_store_options *options, struct store **store_out,
                         struct error *err) MUST_USE;

// The database was found to lack what it had acknowledged to the node that works on this store: it
// is connected to no more. *err_out says so.
bool postgres_store_is_behind(struct store *store, struct error *err_out);

// From now on the port's synchronous reading gives up after so long: for a node's loop.
void postgres_store_bound_reading(struct store *store, struct duration most);
// How long runs that have ended are kept by whoever prunes, 0 = for ever: of one that may have gone
// by itself the store is not asked when it is connected to again.
void postgres_store_set_history(struct store *store, struct duration runs);

// Makes the schema, or brings it up to this program's version, under a lock; nothing to do is fine.
// Blocks. *from_out: the version found, 0 = none.
bool postgres_store_migrate(const char *url, int *from_out, struct error *err) MUST_USE;
// The version of the tables that are there, and the oldest that a program must know to work on
// them; 0 = there are none. Blocks.
bool postgres_store_look(const char *url, int *version_out, int *oldest_out,
                         struct error *err) MUST_USE;
// The version that this program wants.
int postgres_store_version(void);
