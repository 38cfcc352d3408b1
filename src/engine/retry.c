// SPDX-License-Identifier: MIT
// Attempts that wait: after a failed one the slot stays open until the next has had its turn.
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/alloc.h"

static const struct engine_retry *retry_of(const struct heap_node *node)
{
    return CONTAINER_OF(node, const struct engine_retry, planned);
}

static bool retries_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct engine_retry *x = retry_of(a);
    const struct engine_retry *y = retry_of(b);
    return x->retry_at.us != y->retry_at.us ? x->retry_at.us < y->retry_at.us
                                            : x->serial < y->serial;
}

void retry_init(struct engine *engine)
{
    heap_init(&engine->retries, retries_before);
}

void retry_add(struct engine *engine, struct engine_job *job, struct instant due_at, int attempt,
               struct instant when)
{
    struct engine_retry *retry = alloc_zero(1, sizeof *retry);
    *retry = (struct engine_retry){.job = job,
                                   .due_at = due_at,
                                   .attempt = attempt,
                                   .retry_at = when,
                                   .serial = ++engine->serial};
    job->retries++;
    heap_push(&engine->retries, &retry->planned);
}

void retry_free(struct engine *engine, struct engine_retry *retry)
{
    retry->job->retries--;
    heap_remove(&engine->retries, &retry->planned);
    free(retry);
}

void retry_turn(struct engine *engine, struct instant now)
{
    int taken = 0;
    for (struct heap_node *top; (top = heap_top(&engine->retries)) != NULL;) {
        struct engine_retry *retry = CONTAINER_OF(top, struct engine_retry, planned);
        if (instant_before(now, retry->retry_at)) {
            return;
        }
        if (taken++ == TURN_MAX) {
            engine->busy = true;
            return;
        }
        heap_remove(&engine->retries, &retry->planned);
        decide_retry(engine, retry, now);
    }
}

// When the next attempt is due: backoff × factor^(attempt - 1), at most max_backoff, a share of it
// drawn. None when there is to be no other attempt.
struct instant retry_when(const struct engine *engine, const struct engine_run_live *run)
{
    const struct job_retries *retries = run->facts.job->retries;
    bool has_slot = run->facts.trigger != TRIGGER_MANUAL && run->facts.trigger != TRIGGER_BACKFILL;
    bool failed = run->state == RUN_FAILED || run->state == RUN_TIMED_OUT;
    bool lost_again = run->state == RUN_LOST && run->facts.job->on_lost == JOB_LOST_RETRY;
    if (lost_again && has_slot && run->facts.attempt < ATTEMPTS_MAX) {
        return engine_now(engine);
    }
    if (!has_slot || !failed || run->facts.attempt > retries->max) {
        return INSTANT_NONE;
    }
    double delay = (double)retries->backoff.us;
    for (int i = 1; i < run->facts.attempt && delay < (double)retries->max_backoff.us; i++) {
        delay *= retries->factor;
    }
    if (delay > (double)retries->max_backoff.us) {
        delay = (double)retries->max_backoff.us;
    }
    uint32_t drawn;
    engine->options.random(&drawn, sizeof drawn);
    delay -= delay * retries->jitter * ((double)drawn / (double)UINT32_MAX);
    return instant_add(engine_now(engine), DURATION_MS(delay / 1000));
}

// They are given up in the next turn. Rare, so a walk over all that wait will do.
void retry_abandon(struct engine *engine, struct engine_job *job)
{
    for (size_t i = 0; job->retries > 0 && i < engine->retries.count; i++) {
        struct engine_retry *retry =
            CONTAINER_OF(engine->retries.nodes[i], struct engine_retry, planned);
        if (retry->job == job && !retry->abandoned) {
            retry->abandoned = true;
            retry->retry_at = engine_now(engine);
            heap_remove(&engine->retries, &retry->planned);
            heap_push(&engine->retries, &retry->planned);
            i = (size_t)-1; // the heap has been reordered
        }
    }
    engine->busy = true;
}
