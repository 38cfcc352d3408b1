// SPDX-License-Identifier: MIT
// The checks of a connection that was just made, and what they need of postgres_link.c.
#pragma once

#include "store/postgres/postgres_private.h"

bool check_begin(struct postgres_store *store, struct error *err) MUST_USE;
bool check_advance(struct postgres_store *store, struct error *err) MUST_USE;
// Which socket it waits for; whether it is being connected.
int check_descriptor(const struct postgres_store *store);
bool check_connects(const struct postgres_store *store);

#define POOLER_MEND                                                                                \
    "give the server's own port in `store:`, mostly 5432, or a pool with pool_mode = session"

// Fills err with what the connection says of itself; returns false.
bool link_fail(struct postgres_store *store, const char *doing, struct error *err);
bool link_poll(struct postgres_store *store, PGconn *connection, struct error *err) MUST_USE;
bool link_start_prover(struct postgres_store *store, struct error *err) MUST_USE;
// After the checks: all statements, once.
bool link_prepare(struct postgres_store *store, struct error *err) MUST_USE;
