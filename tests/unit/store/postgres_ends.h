// SPDX-License-Identifier: MIT
// A fleet whose first node has a second connection, and ends of runs there.
#pragma once

#include "postgres_fleet.h"
#include "store/postgres/postgres_private.h"

struct ending {
    struct store_end end;
    struct store_op_finish finish;
};

int ends_setup(void **state); // of a fleet, which is torn down as any other
struct postgres_store *ends_store(struct fleet *fleet); // of the first node
int ends_backend(struct fleet *fleet);                  // its second session's process id
struct store_slot ends_claim(struct fleet *fleet, int64_t due_ms);
void ends_submit(struct fleet *fleet, struct ending *ending, const struct store_slot *slot);
void ends_pump(struct fleet *fleet, const struct store_op *op); // until it has ended
void ends_pump_a_while(struct fleet *fleet);
// What is done to the rows meanwhile needs no pump.
void ends_come_to(struct fleet *fleet, const char *sql, const char *expected);
void ends_once(struct fleet *fleet); // the one run there was has, and nothing is left of it
// The second session has rows in hand, as if it was amid an end.
void ends_hold(struct fleet *fleet, const char *sql);
