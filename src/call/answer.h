// SPDX-License-Identifier: MIT
// What became of a request, in one sentence: what happened, where, how to mend it. Neither queries
// nor headers are quoted, and registered secrets are masked.
#pragma once

#include "base/curl_library.h"

#include "base/buf.h"
#include "call/transfer.h"
#include "job/job.h"

#define ANSWER_TEXT_MAX ((size_t)4000)

// True: a complete answer with a status that the job expects. False: `sentence` says why not.
bool answer_judge(const struct transfer *transfer, const struct job_http *http, CURLcode code,
                  struct buf *sentence);
// How far it had come when we ended it ourselves: "POST https://a/x: no answer yet, …".
void answer_describe_progress(const struct transfer *transfer, const struct job_http *http,
                              struct buf *sentence);
