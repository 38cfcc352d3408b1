// SPDX-License-Identifier: MIT
// A SQL job's run on a SQLite database, in a process of its own: opens the file, binds facts and
// params, executes in one transaction or without, prints what is returned on standard output.
#pragma once

#include "worker/order.h"
#include "worker/report.h"

// Blocks until it is done, fails, or sqlite_work_stop was called. `report_fd`: where each step is
// reported. *report_out is the last word, not yet written.
void sqlite_work_run(const struct order *order, int report_fd, struct report *report_out);
// May be called from a signal handler: the statement ends at once, its transaction is rolled back.
void sqlite_work_stop(void);
