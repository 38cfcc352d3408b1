// SPDX-License-Identifier: MIT
// What may stand around the test's PostgreSQL server: a connection pooler before it, a standby
// behind it. One of each at a time.
#pragma once

// pgbouncer in this pool_mode; the URL of the same database through it is the caller's to free.
char *postgres_pooler_start(const char *url, const char *pool_mode);
void postgres_pooler_stop(void);

// A copy that follows; the URL of the same database there is the caller's to free.
char *postgres_standby_start(const char *url);
void postgres_standby_promote(void); // returns when it can be written
void postgres_standby_stop(void);
