// SPDX-License-Identifier: MIT
// Random operations on the PostgreSQL store, on a real server, and on the model.
#include "postgres_cluster.h"
#include "random_sequences.h"

int main(void)
{
    postgres_cluster_start();
    int failed = random_run(&postgres_backend, 5);
    return failed + random_run(&postgres_apart_backend, 3);
}
