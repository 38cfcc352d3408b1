// SPDX-License-Identifier: MIT
// A PostgreSQL cluster of the test's own: made in a temporary folder, reached through a socket in
// it, gone with the program.
#pragma once

#include <stddef.h>

#include "store/store.h"
#include "time/clock.h"

void postgres_cluster_start(void); // once for the program; ended at exit
// A new database with ironcron's tables; the URL is the caller's to free.
char *postgres_cluster_database(void);
void postgres_cluster_drop(const char *url);
struct store *postgres_cluster_open(const char *url, struct clock *store_clock);
// Runs SQL by psql as the superuser; what it printed is the caller's to free.
char *postgres_cluster_psql(const char *url, const char *sql);
