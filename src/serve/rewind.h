// SPDX-License-Identifier: MIT
// A store that is not the one that this host has seen before (serve/node_state.h), and somebody who
// says that it is meant: a restored backup, a new database.
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"
#include "store/store.h"

// Writes down that it was accepted, in the audit, and what this host has seen from now on.
// *news_out: false = it is the one that was known, and nothing was written. `store` is open for
// writing.
bool rewind_accept(const struct config *config, struct store *store, const char *actor,
                   bool *news_out, struct error *err) MUST_USE;
