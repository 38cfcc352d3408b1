// SPDX-License-Identifier: MIT
// Which HTTP statuses are a success to a job, as people write them.
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "job/job.h"

// One of "2xx", "200" and "200-204"; from 200 to 599, since a 1xx is never the end of an answer.
bool expect_parse(const char *text, struct job_status_range *range_out, struct error *err) MUST_USE;
bool expect_matches(const struct job_http *http, int status);
// "2xx, 404": what the job expects, for messages.
void expect_describe(const struct job_http *http, struct buf *out);
