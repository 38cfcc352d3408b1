// SPDX-License-Identifier: MIT
// That the store did not answer, as the nodes recorded it when it did again (STORE_BACK).
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "cli/session.h"

#define OUTAGE_LATELY DURATION_S(-3600)

struct outage { // the last one; what several nodes saw at the same time is one
    size_t nodes;
    struct instant since;
    struct instant until;
    size_t others; // before it
};

// `nodes` is 0 where there was none lately.
bool outage_load(struct outage *outage, const struct session *session, struct instant now,
                 struct error *err) MUST_USE;
// "did not answer for 42s, until 2026-…, as 3 nodes saw it".
void outage_words(const struct outage *outage, const struct zone *zone, struct buf *out);
json_t *outage_json(const struct outage *outage); // null where there was none
