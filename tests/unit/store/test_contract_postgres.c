// SPDX-License-Identifier: MIT
// The conformance suite against the PostgreSQL store, on a real server.
#include "../../contract/contract.h"

#include <stdlib.h>

#include "postgres_cluster.h"

static struct store *open_store(struct clock *clock, void **context)
{
    char *url = postgres_cluster_database();
    *context = url;
    return postgres_cluster_open(url, clock);
}

static void close_store(struct store *store, void *context)
{
    store_close(store);
    postgres_cluster_drop(context);
    free(context);
}

int main(void)
{
    static const struct contract_backend backend = {"postgresql", open_store, close_store};
    postgres_cluster_start();
    return contract_run(&backend);
}
