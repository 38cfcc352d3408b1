// SPDX-License-Identifier: MIT
// POST /api/v1/runs/ID/end: the end of a run of an http job with `complete: callback`, told by
// whoever carried it out (docs/http-jobs.md). Signed with the job's secret, or with a token of role
// operator. The answer 200 means that the end is recorded; the same end told again gets the same
// answer, any other end a 409.
#pragma once

#include "http/request.h"
#include "observe/bearers.h"
#include "serve/node.h"

// False, and nothing done: the path is another one.
bool callback_endpoint_answer(struct node *node, const struct bearers *bearers,
                              const struct http_request *request, struct http_response *response);
