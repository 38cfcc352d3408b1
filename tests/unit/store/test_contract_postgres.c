// SPDX-License-Identifier: MIT
// The conformance suite against the PostgreSQL store, on a real server.
#include "postgres_cluster.h"

int main(void)
{
    postgres_cluster_start();
    int failed = contract_run(&postgres_backend);
    return failed + contract_run(&postgres_apart_backend);
}
