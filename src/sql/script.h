// SPDX-License-Identifier: MIT
// What is sent for a run, in which order. A single statement in a transaction goes out in one
// message with everything around it, the reset of the connection included: one round trip a run.
// What is not flushed here the caller flushes.
#pragma once

#include "sql/seat.h"

void script_greet(struct seat *seat);
// Whatever the last run left in the session goes.
void script_reset(struct seat *seat);
// May this run be sent before the answer of the reset is there?
bool script_may_follow(const struct sql_run *run);
void script_start(struct seat *seat, struct sql_run *run);
// The answer of a stage of a run is complete: sends what comes next. True: nothing does, the run is
// answered.
bool script_go_on(struct seat *seat, enum stage done);
