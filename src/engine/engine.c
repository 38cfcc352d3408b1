// SPDX-License-Identifier: MIT
#include "engine/engine.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "engine/engine_private.h"

// An answer that takes so long may not come at all.
#define SILENCE DURATION_S(2)

struct engine *engine_new(const struct engine_options *options)
{
    struct engine *engine = alloc_zero(1, sizeof *engine);
    engine->options = *options;
    map_init(&engine->jobs);
    map_init(&engine->boot_left);
    planner_init(engine);
    retry_init(engine);
    buf_init(&engine->output, OUTPUT_WAITING_MAX);
    struct mono now = clock_mono(options->clock);
    engine->fed_at = engine->sealed_at = engine->beaten_at = (struct mono){INT64_MIN / 2};
    engine->fleet.pulsed_at = engine->fleet.trusted_from = (struct mono){INT64_MIN / 2};
    engine->fleet.watched_at = engine->fleet.pulsed_at;
    engine->labels = options->labels == NULL ? NULL : json_loads(options->labels, 0, NULL);
    engine->prune_at = mono_add(now, DURATION_S(60));
    run_connect(engine);
    return engine;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    while (engine->retries.count > 0) {
        retry_free(engine, CONTAINER_OF(heap_top(&engine->retries), struct engine_retry, planned));
    }
    publication_free(engine->publication);
    fleet_release(&engine->fleet);
    drain_release(&engine->drain);
    json_decref(engine->labels);
    control_release(engine);
    pauses_release(&engine->pauses);
    free(engine->removed);
    backfill_release(engine);
    while (engine->afters != NULL) {
        after_free(engine, engine->afters);
    }
    size_t at = 0;
    for (struct engine_job *job; (job = map_next(&engine->jobs, &at)) != NULL;) {
        engine_set_release(job->kept);
        free(job);
    }
    answers_release(&engine->answers);
    free(engine->reload_intents);
    free(engine->held);
    free(engine->chunks);
    buf_release(&engine->output);
    heap_release(&engine->planner);
    heap_release(&engine->retries);
    map_release(&engine->jobs);
    map_release(&engine->boot_left);
    engine_set_release(engine->set);
    free(engine);
}

void engine_abandon(struct engine *engine)
{
    CHECK(engine->operations == 0 && engine->batch == NULL);
    size_t at = 0;
    for (struct engine_job *job; (job = map_next(&engine->jobs, &at)) != NULL;) {
        while (job->runs != NULL) {
            run_free(job->runs);
        }
    }
    engine_free(engine);
}

bool engine_start(struct engine *engine, struct job_set *set, struct error *err)
{
    return start_node(engine, set, err);
}

bool engine_reload_at_start(struct engine *engine, struct job_set *set, struct error *err)
{
    return publish_again_at_start(engine, set, err);
}

void engine_reload(struct engine *engine, struct job_set *set)
{
    publish_reload(engine, set);
}

enum engine_reloading engine_reloading(struct engine *engine, struct error *err)
{
    return publish_state(engine, err);
}

static struct instant sooner(struct instant a, struct instant b)
{
    if (instant_is_none(a) || instant_is_none(b)) {
        return instant_is_none(a) ? b : a;
    }
    return instant_before(a, b) ? a : b;
}

// Nothing is decided by controls that are out of date, nor while they are being read, or where
// they change faster than they can be read; in a fleet they may have changed whenever the store did
// not answer.
static bool knows_controls(const struct engine *engine)
{
    return engine->controls_read || (!engine->store_changed && !engine->reading_intents);
}

bool engine_may_decide(const struct engine *engine)
{
    bool deaf = engine->store_down && !engine->options.alone;
    return !engine->draining && link_is_open(engine) && !deaf && knows_controls(engine) &&
           !publish_is_under_way(engine) && fleet_may_act(engine);
}

// What is due is no reason to wake up as long as nothing may be decided: an answer comes first, and
// it wakes the owner by itself.
static struct instant next_wake(const struct engine *engine)
{
    if (engine->draining || !link_is_open(engine)) {
        return INSTANT_NONE; // the owner's tick goes on
    }
    struct instant wake = sooner(housekeeping_wake(engine), fleet_wake(engine));
    if (engine->drain.on || !engine_may_decide(engine)) {
        return wake;
    }
    wake = sooner(wake, sooner(planner_wake(engine), after_wake(engine)));
    if (engine->retries.count > 0) {
        const struct engine_retry *retry =
            CONTAINER_OF(heap_top(&engine->retries), struct engine_retry, planned);
        wake = sooner(wake, retry->retry_at);
    }
    return wake;
}

// After a stop, a suspend or a stall nobody knows what operators wanted meanwhile: it is read
// first.
static void notice_gap(struct engine *engine)
{
    struct mono now = clock_mono(engine->options.clock);
    if (mono_since(now, engine->turned_at).us > GAP.us) {
        engine->store_changed = true;
        fleet_was_silent(engine);
    }
    engine->turned_at = now;
}

static void begin_turn(struct engine *engine, struct instant now)
{
    decide_ready(engine);
    planner_turn(engine, now);
    retry_turn(engine, now);
    after_turn(engine, now);
    backfill_turn(engine);
    marks_turn(engine);
}

struct instant engine_turn(struct engine *engine)
{
    engine->busy = false;
    struct instant now = engine_now(engine);
    notice_gap(engine);
    control_turn(engine);
    if (engine->drain.on) {
        drain_turn(engine, now);
    } else if (engine_may_decide(engine)) {
        begin_turn(engine, now);
        engine->live = true;
    }
    engine->controls_read = false;
    decide_flush(engine);
    publish_turn(engine);
    finish_flush(engine);
    housekeeping_turn(engine);
    adopt_sweep(engine);
    return engine_wall(engine, next_wake(engine));
}

bool engine_is_busy(const struct engine *engine)
{
    return engine->busy;
}

void engine_store_changed(struct engine *engine)
{
    engine->store_changed = true;
    engine->busy = true;
}

bool engine_is_carrying_out(const struct engine *engine)
{
    bool asks = engine->reading_intents || engine->operations > 0;
    return asks || engine->backfills != NULL;
}

void engine_give_up(struct engine *engine, const char *why)
{
    backfill_stop(engine, NULL, why);
}

// ---- the end ------------------------------------------------------------------------------------

void engine_drain(struct engine *engine)
{
    engine->draining = true;
    fleet_tell(engine);
}

void stop_runs(struct engine *engine, const char *why, bool at_once)
{
    size_t at = 0;
    for (struct engine_job *job; (job = map_next(&engine->jobs, &at)) != NULL;) {
        for (struct engine_run_live *run = job->runs; run != NULL; run = run->next) {
            run_cancel(run, why, at_once);
        }
    }
}

void engine_stop_runs(struct engine *engine, bool at_once)
{
    stop_runs(engine, "the stop of the node", at_once);
}

bool engine_is_quiet(const struct engine *engine)
{
    return engine->draining && engine->running == 0 && engine->chunk_count == 0 &&
           engine->held_count == 0;
}

bool engine_is_drained(const struct engine *engine)
{
    return engine_is_quiet(engine) && engine->operations == 0;
}

bool engine_leave(struct engine *engine, struct error *err)
{
    CHECK(engine_is_drained(engine));
    struct store_op_leave leave = {.op = {.kind = STORE_LEAVE}, .node = engine->options.node};
    if (!store_call(engine->options.store, &leave.op, err)) {
        return error_wrap(err, "leaving the store");
    }
    store_op_release(&leave.op);
    for (bool more = true; more;) {
        struct store_op_seal seal = {.op = {.kind = STORE_SEAL}, .limit = 5000};
        if (!store_call(engine->options.store, &seal.op, err)) {
            return error_wrap(err, "sealing the audit log");
        }
        more = seal.more;
        store_op_release(&seal.op);
    }
    return true;
}

void engine_replace_runner(struct engine *engine, struct runner *runner)
{
    engine->options.runner = runner;
    engine->fed_at = (struct mono){INT64_MIN / 2};
    run_connect(engine);
}

// ---- views --------------------------------------------------------------------------------------

void engine_each_job(struct engine *engine,
                     void (*each)(void *context, const struct engine_job_view *view), void *context)
{
    size_t at = 0;
    for (const struct engine_job *job; (job = map_next(&engine->jobs, &at)) != NULL;) {
        if (job->removed) {
            continue;
        }
        struct engine_job_view view = {
            .job = job->job,
            .next_due = job->wait == WAIT_NONE ? job->next_due : job->waiting_due,
            .last_success = job->last_success,
            .running = job->running,
            .paused = job->paused || engine->all_paused,
            .dry_run = decide_is_dry(engine, job),
            .throttle = job->throttle > 0 ? job->throttle : engine->all_throttle};
        each(context, &view);
    }
}

int engine_running(const struct engine *engine)
{
    return engine->running;
}

bool engine_has_joined(const struct engine *engine)
{
    return engine->fleet.epoch > 0;
}

bool engine_store_is_up(const struct engine *engine)
{
    return !engine->store_down;
}

bool engine_hears_store(const struct engine *engine)
{
    const struct fleet *fleet = &engine->fleet;
    struct duration since = mono_since(clock_mono(engine->options.clock), fleet->pulsed_at);
    bool silent = fleet->pulsing && since.us >= SILENCE.us;
    return engine->options.alone || (!engine->store_down && !silent);
}

bool engine_is_dry_run(const struct engine *engine)
{
    return engine->options.dry_run || engine->all_dry_run || engine->fleet.dry_run;
}
