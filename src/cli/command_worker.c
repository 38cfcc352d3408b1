// SPDX-License-Identifier: MIT
// `worker`: what ironcron starts for a SQL job on a SQLite database. Nobody calls it by hand.
#include "cli/run.h"
#include "worker/worker.h"

bool command_worker(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)invocation;
    return worker_main(exit_out, err);
}
