// SPDX-License-Identifier: MIT
// The runner of http jobs: each run is one request, on the event loop. A run is over when its
// answer is, or, with `complete: callback`, when somebody says so to call_runner_end; in any case
// at its timeout, when it is stopped, and at the trust deadline. Ending a request closes its
// connection; what the server makes of that is its own affair.
//
// A request is sent once: not again on another connection, not after a redirect.
#pragma once

#include <uv.h>

#include "call/callback.h"
#include "runner/runner.h"
#include "time/clock.h"

#define CALL_RUNNER_AT_ONCE 512 // requests under way; more wait, within their timeout

struct call_runner_options {
    uv_loop_t *loop; // outlives the runner's last event
    struct clock *clock;
    int64_t output_max;     // of a run
    bool accepts_callbacks; // false: nobody listens, so a run that ends by a callback is refused
    // After events were told, from the loop; not from within call_runner_end.
    void (*on_quiet)(void *context);
    void *context;
};

struct runner *call_runner_new(const struct call_runner_options *options);
void call_runner_set_output_max(struct runner *runner, int64_t bytes);
// Once the loop has closed its handles. What is under way is dropped without a word.
void call_runner_free(struct runner *runner); // NULL is fine

// The job of a run whose request is under way or whose callback is waited for; NULL: no such run.
const struct job *call_runner_job(const struct runner *runner, struct uuid run_id);

enum call_end_result {
    CALL_END_TAKEN,       // the run has had its on_end
    CALL_END_UNKNOWN,     // there is no such run here, or no longer
    CALL_END_WRONG_FENCE, // it has another fence
    CALL_END_BY_RESPONSE, // its answer ends it: complete: response
};
// The end of a run, as a callback says it. Its request is dropped if it still goes on.
enum call_end_result call_runner_end(struct runner *runner, struct uuid run_id,
                                     const struct callback *callback);
