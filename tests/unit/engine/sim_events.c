// SPDX-License-Identifier: MIT
// What the engines tell: only who was fenced is counted.
#include "sim.h"

static void on_started(void *context, const struct engine_run *run, struct duration delay)
{
    (void)context, (void)run, (void)delay;
}

static void on_ended(void *context, const struct engine_run *run, enum run_state state,
                     enum run_failure failure, struct duration duration, const char *error)
{
    (void)context, (void)run, (void)state, (void)failure, (void)duration, (void)error;
}

static void on_passed_over(void *context, const struct job *job, struct instant due_at,
                           enum slot_outcome outcome, enum slot_reason reason)
{
    (void)context, (void)job, (void)due_at, (void)outcome, (void)reason;
}

static void on_lock(void *context, const struct job *job, enum engine_lock_result result)
{
    (void)context, (void)job, (void)result;
}

static void on_stale(void *context, const struct engine_run *run)
{
    (void)context, (void)run;
}

static void on_store(void *context, const struct error *err, const struct engine_outage *outage)
{
    (void)outage;
    (void)context, (void)err;
}

static void on_kept_back(void *context, const struct job *job, const char *holder)
{
    (void)context, (void)job, (void)holder;
}

static void on_fenced(void *context, struct uuid node)
{
    (void)node;
    ((struct sim *)context)->fenced++;
}

void sim_events_init(struct sim *sim)
{
    sim->events = (struct engine_events){sim,     on_started, on_started, on_ended,  on_passed_over,
                                         on_lock, on_stale,   on_store,   on_fenced, on_kept_back};
}
