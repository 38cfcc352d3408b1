// SPDX-License-Identifier: MIT
// What `runs retry` asks for: another attempt at the slot of a run, or, where there was no slot, a
// new manual run.
#pragma once

#include "cli/run_text.h"
#include "cli/session.h"

struct retry_wish {
    struct run_kept run;         // the one to be tried again
    enum store_intent_kind kind; // INTENT_RETRY, or INTENT_RUN for a manual one
    char params[160];            // JSON of the intent; "" for INTENT_RUN
};

// By the ledger as it is; the store must be open. Refused with the reason, and what to do instead,
// when the run is not over or its slot did not end badly.
bool retry_wish_find(const struct session *session, const char *id, struct retry_wish *wish_out,
                     struct error *err) MUST_USE;
