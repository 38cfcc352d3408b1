// SPDX-License-Identifier: MIT
// The life of a run, in the order in which it happens: claimed, handed to the runner, its output,
// its end. What becomes of those in the store is in finish.c.
#include "engine/engine_private.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/utf8.h"
#include "job/params.h"
#include "time/format.h"

// ---- claimed ------------------------------------------------------------------------------------

// The store's commit is definite: from here on the run exists, and must come to an end.
struct engine_run_live *run_claimed(struct engine *engine, struct engine_job *job,
                                    const struct store_slot *slot)
{
    struct engine_run_live *run = alloc_zero(1, sizeof *run);
    run->facts = (struct engine_run){.job = job->job,
                                     .run_id = slot->run_id,
                                     .due_at = slot->due_at,
                                     .attempt = slot->attempt,
                                     .trigger = slot->trigger,
                                     .fence = slot->fence,
                                     .started_at = slot->started_at};
    run->engine = engine;
    run->job = job;
    run->set = engine->set;
    run->set->references++;
    run->claimed = clock_mono(engine->options.clock);
    run->next = job->runs;
    job->runs = run;
    job->running++;
    engine->running++;
    engine->worked = true;
    engine->claims++;
    const struct engine_events *events = engine->options.events;
    events->on_started(events->context, &run->facts, instant_since(slot->started_at, slot->due_at));
    return run;
}

// ---- handed to the runner -----------------------------------------------------------------------

static void run_end(struct engine_run_live *run, enum run_state state, enum run_failure failure,
                    const char *error);

void run_start(struct engine_run_live *run, const char *params)
{
    struct job_variable list[JOB_PARAMS_MAX + 1];
    json_t *object = params == NULL ? NULL : json_loads(params, 0, NULL);
    job_params_fill(run->facts.job, object, list);
    struct runner_start start = {.run = (uint64_t)(uintptr_t)run,
                                 .job = run->facts.job,
                                 .run_id = run->facts.run_id,
                                 .due_at = run->facts.due_at,
                                 .attempt = run->facts.attempt,
                                 .trigger = run->facts.trigger,
                                 .fence = run->facts.fence,
                                 .params = list};
    struct runner *runner = run->engine->options.runner;
    struct error err = ERROR_INIT;
    if (!fleet_is_trusted(run->engine)) {
        // Others may take this node for dead by now, and begin it themselves.
        run_end(run, RUN_LOST, FAILURE_LOST,
                "not started: this node could not renew its lease in time");
    } else if (!runner->ops->start(runner, &start, &err)) {
        run_end(run, RUN_FAILED, FAILURE_SPAWN, err.text);
    }
    json_decref(object);
}

static struct engine_run_live *run_of(uint64_t handle)
{
    return (struct engine_run_live *)(uintptr_t)handle;
}

static void run_on_started(void *context, uint64_t handle, int pid)
{
    (void)pid;
    struct engine *engine = context;
    struct engine_run_live *run = run_of(handle);
    const struct engine_events *events = engine->options.events;
    struct duration queue = mono_since(clock_mono(engine->options.clock), run->claimed);
    events->on_handed_over(events->context, &run->facts, queue);
}

void run_cancel(struct engine_run_live *run, const char *by, bool at_once)
{
    if (run->ended) {
        return;
    }
    run->cancelled = true;
    if (run->cancelled_by == NULL) {
        run->cancelled_by = alloc_string(by);
    }
    struct runner *runner = run->engine->options.runner;
    runner->ops->stop(runner, (uint64_t)(uintptr_t)run, at_once);
}

// ---- output -------------------------------------------------------------------------------------

static void run_on_output(void *context, uint64_t handle, const char *bytes, size_t length)
{
    struct engine *engine = context;
    struct engine_run_live *run = run_of(handle);
    if (engine->output.length + length > OUTPUT_WAITING_MAX) {
        return; // the store has not taken any for long: what is lost shows in output_bytes
    }
    ARRAY_RESERVE(engine->chunks, engine->chunk_count, engine->chunk_capacity);
    engine->chunks[engine->chunk_count++] = (struct store_chunk){
        .run_id = run->facts.run_id, .offset = run->output_bytes, .length = length};
    buf_add(&engine->output, bytes, length);
    run->output_bytes += (int64_t)length;
    engine->busy = true;
}

// ---- the end ------------------------------------------------------------------------------------

// What only a process has.
static bool has_process(const struct engine_run_live *run)
{
    enum job_kind kind = run->facts.job->kind;
    return kind == JOB_COMMAND || kind == JOB_SHELL;
}

static char *end_detail(const struct engine_run_live *run, const struct runner_end *end)
{
    json_t *detail = json_object();
    if (run->cancelled_by != NULL) {
        json_object_set_new(detail, "by", json_string(run->cancelled_by));
    }
    if (end != NULL && end->facts != NULL) {
        json_t *facts = json_loads(end->facts, 0, NULL);
        CHECK(json_is_object(facts));
        json_object_update(detail, facts);
        json_decref(facts);
    }
    if (end != NULL && has_process(run)) {
        json_object_set_new(detail, "cpu_ms", json_integer(duration_ms(end->cpu)));
        json_object_set_new(detail, "memory_peak", json_integer(end->memory_peak));
        json_object_set_new(detail, "output_bytes", json_integer(end->output_bytes));
        if (end->leftovers > 0) {
            json_object_set_new(detail, "leftovers", json_integer(end->leftovers));
        }
        if (end->signal > 0) {
            json_object_set_new(detail, "signal", json_integer(end->signal));
        }
    }
    char *text = json_dumps(detail, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(detail);
    return text;
}

// Decides the final state, once; from here the run waits for its end to be stored.
static void run_end(struct engine_run_live *run, enum run_state state, enum run_failure failure,
                    const char *error)
{
    CHECK(!run->ended);
    struct engine *engine = run->engine;
    run->ended = true;
    run->state = state;
    run->failure = failure;
    if (error != NULL) {
        size_t length = utf8_cut(error, strlen(error), 4000);
        run->error = alloc_zero(length + 1, 1);
        utf8_sanitise(error, length, run->error);
        for (char *c = run->error; (c = strchr(c, '\n')) != NULL;) {
            *c = ' '; // one line in every table and log
        }
    }
    if (run->detail == NULL) {
        run->detail = end_detail(run, NULL);
    }
    run->retry_at = run->job->removed ? INSTANT_NONE : retry_when(engine, run);
    finish_add(run);
    engine->busy = true;
}

static void run_on_end(void *context, uint64_t handle, const struct runner_end *end)
{
    (void)context;
    static const struct {
        enum run_state state;
        enum run_failure failure;
    } ends[] = {
        [RUNNER_SUCCEEDED] = {RUN_SUCCESS, FAILURE_NONE},
        [RUNNER_FAILED] = {RUN_FAILED, FAILURE_NONE},
        [RUNNER_EXITED] = {RUN_FAILED, FAILURE_EXIT},
        [RUNNER_SIGNALLED] = {RUN_FAILED, FAILURE_SIGNAL},
        [RUNNER_TIMED_OUT] = {RUN_TIMED_OUT, FAILURE_TIMEOUT},
        [RUNNER_CANCELLED] = {RUN_CANCELLED, FAILURE_NONE},
        [RUNNER_SPAWN_FAILED] = {RUN_FAILED, FAILURE_SPAWN},
        [RUNNER_GONE] = {RUN_LOST, FAILURE_LOST},
    };
    struct engine_run_live *run = run_of(handle);
    run->duration = end->duration;
    run->has_exit_code = end->kind == RUNNER_EXITED;
    run->exit_code = end->exit_code;
    run->detail = end_detail(run, end);
    run->settles = end->settles;
    if (end->kind == RUNNER_SUCCEEDED || (end->kind == RUNNER_EXITED && end->exit_code == 0)) {
        run_end(run, RUN_SUCCESS, FAILURE_NONE, NULL);
        return;
    }
    char text[4096];
    end_text(run->facts.job, run->cancelled_by, has_process(run), end, text, sizeof text);
    enum run_failure failure = end->kind == RUNNER_FAILED ? end->failure : ends[end->kind].failure;
    run_end(run, ends[end->kind].state, failure, text);
}

void run_free(struct engine_run_live *run)
{
    struct engine_run_live **link = &run->job->runs;
    while (*link != run) {
        link = &(*link)->next;
    }
    *link = run->next;
    run->job->running--;
    run->engine->running--;
    run->engine->worked = true;
    run->engine->claims--;
    engine_set_release(run->set);
    free(run->error);
    free(run->detail);
    free(run->cancelled_by);
    free(run);
}

void run_connect(struct engine *engine)
{
    engine->options.runner->events = (struct runner_events){.context = engine,
                                                            .on_started = run_on_started,
                                                            .on_output = run_on_output,
                                                            .on_end = run_on_end};
}
