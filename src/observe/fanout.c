// SPDX-License-Identifier: MIT
#include "observe/fanout.h"

#include "base/check.h"

#define FORWARD(from, function, ...)                                                               \
    do {                                                                                           \
        const struct fanout *all = (from);                                                         \
        for (size_t i = 0; i < all->count; i++) {                                                  \
            if (all->targets[i]->function != NULL) {                                               \
                all->targets[i]->function(all->targets[i]->context, __VA_ARGS__);                  \
            }                                                                                      \
        }                                                                                          \
    } while (0)

static void forward_started(void *context, const struct engine_run *run, struct duration delay)
{
    FORWARD(context, on_started, run, delay);
}

static void forward_handed_over(void *context, const struct engine_run *run, struct duration queue)
{
    FORWARD(context, on_handed_over, run, queue);
}

static void forward_ended(void *context, const struct engine_run *run, enum run_state state,
                          enum run_failure failure, struct duration duration, const char *error)
{
    FORWARD(context, on_ended, run, state, failure, duration, error);
}

static void forward_passed_over(void *context, const struct job *job, struct instant due_at,
                                enum slot_outcome outcome, enum slot_reason reason)
{
    FORWARD(context, on_passed_over, job, due_at, outcome, reason);
}

static void forward_lock(void *context, const struct job *job, enum engine_lock_result result)
{
    FORWARD(context, on_lock, job, result);
}

static void forward_stale(void *context, const struct engine_run *run)
{
    FORWARD(context, on_stale, run);
}

static void forward_store(void *context, const struct error *err,
                          const struct engine_outage *outage)
{
    FORWARD(context, on_store, err, outage);
}

static void forward_fenced(void *context, struct uuid node)
{
    FORWARD(context, on_fenced, node);
}

static void forward_kept_back(void *context, const struct job *job, const char *holder)
{
    FORWARD(context, on_kept_back, job, holder);
}

void fanout_init(struct fanout *fanout)
{
    *fanout = (struct fanout){0};
    fanout->events = (struct engine_events){
        .context = fanout,
        .on_started = forward_started,
        .on_handed_over = forward_handed_over,
        .on_ended = forward_ended,
        .on_passed_over = forward_passed_over,
        .on_lock = forward_lock,
        .on_stale = forward_stale,
        .on_store = forward_store,
        .on_fenced = forward_fenced,
        .on_kept_back = forward_kept_back,
    };
}

void fanout_add(struct fanout *fanout, const struct engine_events *target)
{
    CHECK(fanout->count < FANOUT_MAX);
    fanout->targets[fanout->count++] = target;
}
