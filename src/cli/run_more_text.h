// SPDX-License-Identifier: MIT
// What belongs to a run, for people.
#pragma once

#include "cli/node_list.h"
#include "document/run_more.h"

// One line each: "rows", "memory peak".
void run_more_print_facts(const struct run_more *more);
// A table of the slot's attempts, when there are several.
void run_more_print_attempts(const struct run_more *more, const struct node_list *fleet,
                             const struct zone *zone, struct instant now);
// A table of its audit rows.
void run_more_print_events(const struct run_more *more, const struct zone *zone);
