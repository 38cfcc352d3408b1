// SPDX-License-Identifier: MIT
// A PostgreSQL cluster of the test's own: made in a temporary folder, reached through a socket in
// it, gone with the program.
#pragma once

#include "../../contract/contract.h"

#include <stddef.h>

#include "store/store.h"
#include "time/clock.h"

// The folder of its socket, and what before a command makes it run as the server's user.
const char *postgres_cluster_folder(void);
const char *postgres_cluster_user(void);
void postgres_cluster_start(void); // once for the program; ended at exit
// A new database with ironcron's tables; the URL is the caller's to free.
char *postgres_cluster_database(void);
void postgres_cluster_drop(const char *url);
struct store *postgres_cluster_open(const char *url, struct clock *store_clock);
// Runs SQL by psql as the superuser; what it printed is the caller's to free. It must succeed.
char *postgres_cluster_psql(const char *url, const char *sql);
char *postgres_cluster_try(const char *url, const char *sql);       // it may fail
void postgres_cluster_background(const char *url, const char *sql); // returns when it has begun
void postgres_cluster_stop(void);                                   // at once, as a crash does
void postgres_cluster_again(void);

extern const struct contract_backend postgres_backend;
// The same, with a second connection for ends from the beginning.
extern const struct contract_backend postgres_apart_backend;
void postgres_cluster_apart(struct store *store); // makes it; returns when it is there
