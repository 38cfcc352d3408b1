// SPDX-License-Identifier: MIT
// The worker process: `ironcron worker`, started by ironcron itself through its runner process.
#pragma once

#include "base/error.h"

// Reads an order from standard input, carries it out, leaves its report there. False: there was no
// order. *exit_out: 0, or 1 when it failed.
bool worker_main(int *exit_out, struct error *err) MUST_USE;
