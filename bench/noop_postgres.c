// SPDX-License-Identifier: MIT
// How many no-op jobs a second the engine takes through the PostgreSQL store, durably.
//
//   noop_postgres URL [JOBS [ROUNDS]]
//
// Prints the rate. The tables are made where there are none.
#include <stdio.h>
#include <stdlib.h>

#include "noop_engine.h"
#include "store/postgres/postgres_store.h"

static struct store *open_postgres(const char *url, struct clock *clock)
{
    struct error err = ERROR_INIT;
    struct store *store;
    struct postgres_store_options options = {.url = url,
                                             .application_name = "ironcron bench",
                                             .store_clock = clock,
                                             .clock = clock_system()};
    if (!postgres_store_open(&options, &store, &err)) {
        noop_fail(url, err.text);
    }
    return store;
}

int main(int argc, char **argv)
{
    size_t jobs = argc > 2 ? strtoul(argv[2], NULL, 10) : 4000;
    int rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 25;
    struct error err = ERROR_INIT;
    int from;
    if (argc < 2) {
        fprintf(stderr, "usage: noop_postgres URL [JOBS [ROUNDS]]\n");
        return 2;
    }
    if (!postgres_store_migrate(argv[1], &from, &err)) {
        noop_fail(argv[1], err.text);
    }
    double taken = noop_engine_seconds(open_postgres, argv[1], jobs, rounds);
    printf("%.0f\n", (double)jobs * rounds / taken);
    return 0;
}
