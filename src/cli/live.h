// SPDX-License-Identifier: MIT
// The live node's API, through the unix socket beside its store: what acts goes this way, so that
// the kernel says who asks, and the node knows at once. Where the socket is not there, or is not
// for us, the store is the other way, with the same ids: a wish whose answer was lost is known.
#pragma once

#include <jansson.h>

#include "cli/session.h"

enum live_answer {
    LIVE_DONE,    // *answer_out is the document
    LIVE_REFUSED, // the node said no: err
    LIVE_ABSENT,  // nobody answered there: go by the store
};

// POSTs `body` (taken over) to /api/v1/PATH. Waits some seconds at most.
enum live_answer live_post(const struct session *session, const char *path, json_t *body,
                           json_t **answer_out, struct error *err) MUST_USE;
// GETs /api/v1/PATH; NULL when nobody answered there.
json_t *live_get(const struct session *session, const char *path);
