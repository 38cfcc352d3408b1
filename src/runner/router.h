// SPDX-License-Identifier: MIT
// One runner in front of several, one for each kind of job: what is started goes to the runner of
// its job's kind, what any of them reports goes to the owner. The runners stay their makers'.
#pragma once

#include "runner/runner.h"

struct runner_router {
    struct runner port; // first: the port is the whole; its events are the owner's
    struct runner *routes[JOB_KIND_COUNT]; // NULL: such a job is refused
};

void runner_router_init(struct runner_router *router);
// From now on jobs of this kind go there; takes over its events. One runner may have several kinds.
void runner_router_set(struct runner_router *router, enum job_kind kind, struct runner *runner);
