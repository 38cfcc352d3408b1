// SPDX-License-Identifier: MIT
// Into the store: the ends of runs, in their order, and before them what they printed. Only when
// its end is there a run is over, and its place free again.
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

// ---- ends that wait -----------------------------------------------------------------------------

static void append(struct engine *engine, struct engine_run_live *ends)
{
    if (engine->ended_last == NULL) {
        engine->ended_first = ends;
    } else {
        engine->ended_last->next_ended = ends;
    }
    while (ends->next_ended != NULL) {
        ends = ends->next_ended;
    }
    engine->ended_last = ends;
}

void finish_add(struct engine_run_live *run)
{
    run->next_ended = NULL;
    append(run->engine, run);
}

// Ends that waited for somebody else's transaction, behind the others.
static void take_later(struct engine *engine)
{
    struct engine_run_live *later = engine->ended_later;
    if (later == NULL || mono_before(clock_mono(engine->options.clock), engine->held_until)) {
        return;
    }
    engine->ended_later = NULL;
    append(engine, later);
}

// ---- one of them --------------------------------------------------------------------------------

// Nobody knew, but the store: it had done what it was to do.
static void run_succeeded(struct engine_run_live *run)
{
    run->state = RUN_SUCCESS;
    run->failure = FAILURE_NONE;
    run->retry_at = INSTANT_NONE;
    free(run->error);
    run->error = NULL;
}

// The end is durable: tell the watchers, free the place, let the next one go.
static void run_finished(struct engine_run_live *run, bool stale, struct instant now)
{
    struct engine *engine = run->engine;
    struct engine_job *job = run->job;
    const struct engine_events *events = engine->options.events;
    if (stale) {
        events->on_stale(events->context, &run->facts);
    } else {
        events->on_ended(events->context, &run->facts, run->state, run->failure, run->duration,
                         run->error);
        if (run->state == RUN_SUCCESS) {
            job->last_success = store_ended_at(run->facts.started_at, run->duration, now);
        }
        if (!instant_is_none(run->retry_at)) {
            retry_add(engine, job, run->facts.due_at, run->facts.attempt + 1, run->retry_at);
        }
    }
    backfill_run_ended(engine, &run->facts, stale ? RUN_LOST : run->state);
    run_free(run);
    after_changed(engine, job);
    decide_waiting(engine, job);
}

// Somebody else's transaction has the run or its job in hand.
static void finish_later(struct engine_run_live *run, const char *holder)
{
    struct engine *engine = run->engine;
    const struct engine_events *events = engine->options.events;
    if (holder != NULL && !run->job->kept_back) {
        run->job->kept_back = true;
        events->on_kept_back(events->context, run->facts.job, holder);
    }
    run->next_ended = engine->ended_later;
    engine->ended_later = run;
    engine->held_until = mono_add(clock_mono(engine->options.clock), LOCKED_AGAIN);
}

static void finish_one(struct engine_run_live *run, const struct store_end *end, struct instant now)
{
    if (end->later) {
        finish_later(run, end->holder);
        return;
    }
    if (end->succeeded) {
        run_succeeded(run);
    }
    run_finished(run, end->stale, now);
}

// ---- an operation of them -----------------------------------------------------------------------

struct finish_batch {
    struct store_op_finish finish; // first
    struct engine_run_live **runs;
};

static void forget_texts(struct engine_run_live *run)
{
    CHECK(run->error != NULL || run->detail != NULL);
    free(run->error);
    free(run->detail);
    run->error = run->detail = NULL;
}

// Not taken: back to the head of the queue, in the same order.
static void finish_again(struct engine *engine, const struct finish_batch *batch)
{
    for (size_t i = batch->finish.end_count; i-- > 0;) {
        struct engine_run_live *run = batch->runs[i];
        run->next_ended = engine->ended_first;
        engine->ended_first = run;
        if (engine->ended_last == NULL) {
            engine->ended_last = run;
        }
    }
}

static void finish_on_done(struct store_op *op)
{
    struct finish_batch *batch = CONTAINER_OF(op, struct finish_batch, finish.op);
    struct engine *engine = op->context;
    engine->busy = true;
    engine->finishing = false;
    link_answered(op);
    if (op->result == STORE_OK) {
        engine->unsealed = true;
        for (size_t i = 0; i < batch->finish.end_count; i++) {
            finish_one(batch->runs[i], &batch->finish.ends[i], batch->finish.now);
        }
    } else {
        // An unknown end is recognised when it comes again. A refused one has a text that the store
        // does not take, which is a bug, but no reason to lose the end.
        for (size_t i = 0; i < batch->finish.end_count && op->result == STORE_REFUSED; i++) {
            forget_texts(batch->runs[i]);
        }
        finish_again(engine, batch);
    }
    free(batch->finish.ends);
    free(batch->runs);
    link_free(op);
}

static size_t ended_count(const struct engine *engine)
{
    size_t count = 0;
    for (const struct engine_run_live *run = engine->ended_first;
         run != NULL && count < STORE_BATCH_MAX; run = run->next_ended) {
        count++;
    }
    return count;
}

static void ends_flush(struct engine *engine)
{
    take_later(engine);
    size_t count = ended_count(engine);
    if (count == 0 || engine->finishing) {
        return;
    }
    struct finish_batch *batch = alloc_zero(1, sizeof *batch);
    batch->finish.op.kind = STORE_FINISH;
    batch->finish.op.done = finish_on_done;
    batch->finish.node = engine->options.node;
    batch->finish.ends = alloc_zero(count, sizeof *batch->finish.ends);
    batch->runs = alloc_zero(count, sizeof(struct engine_run_live *));
    for (size_t i = 0; i < count; i++) {
        struct engine_run_live *run = engine->ended_first;
        engine->ended_first = run->next_ended;
        batch->runs[i] = run;
        batch->finish.ends[i] = (struct store_end){.run_id = run->facts.run_id,
                                                   .fence = run->facts.fence,
                                                   .state = run->state,
                                                   .failure = run->failure,
                                                   .has_exit_code = run->has_exit_code,
                                                   .exit_code = run->exit_code,
                                                   .error = run->error,
                                                   .duration = run->duration,
                                                   .retry_at = run->retry_at,
                                                   .detail = run->detail,
                                                   .settles = run->settles};
    }
    if (engine->ended_first == NULL) {
        engine->ended_last = NULL;
    }
    batch->finish.end_count = count;
    engine->finishing = true;
    link_submit(engine, &batch->finish.op);
}

// ---- output in the store ------------------------------------------------------------------------

struct output_batch {
    struct store_op_output output; // first
    struct buf bytes;
};

static void output_on_done(struct store_op *op)
{
    struct output_batch *batch = CONTAINER_OF(op, struct output_batch, output.op);
    struct engine *engine = op->context;
    engine->busy = true;
    if (!link_settled(op)) {
        return;
    }
    engine->storing_output = false;
    free(batch->output.chunks);
    buf_release(&batch->bytes);
    link_free(op);
}

static void output_flush(struct engine *engine)
{
    if (engine->chunk_count == 0 || engine->storing_output) {
        return;
    }
    struct output_batch *batch = alloc_zero(1, sizeof *batch);
    batch->output.op.kind = STORE_OUTPUT;
    batch->output.op.done = output_on_done;
    batch->bytes = engine->output;
    batch->output.chunks = engine->chunks;
    batch->output.chunk_count = engine->chunk_count;
    buf_init(&engine->output, OUTPUT_WAITING_MAX);
    engine->chunks = NULL;
    engine->chunk_count = engine->chunk_capacity = 0;
    const char *at = buf_string(&batch->bytes);
    for (size_t i = 0; i < batch->output.chunk_count; i++) {
        batch->output.chunks[i].bytes = at;
        at += batch->output.chunks[i].length;
    }
    engine->storing_output = true;
    link_submit(engine, &batch->output.op);
}

// Output first, so that who reads an end finds all its output.
void finish_flush(struct engine *engine)
{
    if (!link_is_open(engine)) {
        return;
    }
    output_flush(engine);
    ends_flush(engine);
}
