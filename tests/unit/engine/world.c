// SPDX-License-Identifier: MIT
#include "world.h"

// cmocka wants these before it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/sqlite/sqlite_store.h"

static struct world *the_world; // randomness has no context

static struct instant world_now(struct clock *clock)
{
    return CONTAINER_OF(clock, struct world, clock)->now;
}

static struct mono world_mono(struct clock *clock)
{
    return CONTAINER_OF(clock, struct world, clock)->mono;
}

void world_random(void *bytes, size_t size)
{
    ground_random(&the_world->random, bytes, size);
}

// ---- the runner ---------------------------------------------------------------------------------

static const struct world_script *script_of(const struct world *world, const char *job)
{
    for (size_t i = 0; i < world->script_count; i++) {
        if (strcmp(world->scripts[i].job, job) == 0) {
            return &world->scripts[i];
        }
    }
    return NULL;
}

static int runs_before(const struct world *world, const char *job)
{
    for (size_t i = world->run_count; i-- > 0;) {
        if (strcmp(world->runs[i].job, job) == 0) {
            return world->runs[i].earlier + 1;
        }
    }
    return 0;
}

static bool fake_start(struct runner *runner, const struct runner_start *start, struct error *err)
{
    (void)err;
    struct world *world = CONTAINER_OF(runner, struct world, runner);
    assert_true(world->run_count < WORLD_RUNS_MAX && world->open_count < WORLD_OPEN_MAX);
    struct world_run run = {.due_at = start->due_at,
                            .started = world->now,
                            .began = world->mono,
                            .ended = MONO_NEVER,
                            .attempt = start->attempt,
                            .handle = start->run,
                            .script = script_of(world, start->job->name),
                            .earlier = runs_before(world, start->job->name)};
    snprintf(run.job, sizeof run.job, "%s", start->job->name);
    bool waits = start->trigger == TRIGGER_SCHEDULE || start->trigger == TRIGGER_CATCHUP;
    world->too_early += waits && world_not_done(world, run.job, run.due_at) > 0;
    world->open[world->open_count++] = world->run_count;
    world->runs[world->run_count++] = run;
    return true;
}

static void fake_stop(struct runner *runner, uint64_t handle, bool at_once)
{
    (void)at_once;
    struct world *world = CONTAINER_OF(runner, struct world, runner);
    for (size_t i = 0; i < world->open_count; i++) {
        struct world_run *run = &world->runs[world->open[i]];
        run->cancelled = run->cancelled || run->handle == handle;
    }
}

static void fake_feed(struct runner *runner, struct mono deadline)
{
    (void)runner;
    (void)deadline;
}

static const struct runner_ops fake_ops = {fake_start, fake_stop, fake_feed};

static struct mono run_end_at(const struct world *world, const struct world_run *run)
{
    struct duration takes = DURATION_MS(run->script == NULL ? 200 : run->script->takes_ms);
    return run->cancelled ? world->mono : mono_add(run->began, takes);
}

static void end_run(struct world *world, size_t open, const struct runner_end *end)
{
    struct world_run *run = &world->runs[world->open[open]];
    world->open[open] = world->open[--world->open_count];
    run->ended = world->mono;
    world->runner.events.on_end(world->runner.events.context, run->handle, end);
}

static void end_due_runs(struct world *world)
{
    for (size_t i = 0; i < world->open_count;) {
        const struct world_run *run = &world->runs[world->open[i]];
        if (mono_before(world->mono, run_end_at(world, run))) {
            i++;
            continue;
        }
        struct runner_end end = {.kind = run->cancelled ? RUNNER_CANCELLED : RUNNER_EXITED,
                                 .duration = mono_since(world->mono, run->began)};
        if (run->script != NULL && !run->cancelled) {
            bool fails = run->earlier < run->script->fail_first;
            end.exit_code = fails ? 1 : run->script->exit_code;
        }
        end_run(world, i, &end);
    }
}

// ---- what the engine tells ----------------------------------------------------------------------

static void on_started(void *context, const struct engine_run *run, struct duration delay)
{
    (void)context, (void)run, (void)delay;
}

static void on_ended(void *context, const struct engine_run *run, enum run_state state,
                     enum run_failure failure, struct duration duration, const char *error)
{
    (void)run, (void)failure, (void)duration, (void)error;
    ((struct world *)context)->ended[state]++;
}

static void on_passed_over(void *context, const struct job *job, struct instant due_at,
                           enum slot_outcome outcome, enum slot_reason reason)
{
    (void)job, (void)due_at;
    struct world *world = context;
    (outcome == SLOT_MISSED ? world->missed : world->skipped)[reason]++;
}

static void on_lock(void *context, const struct job *job, enum engine_lock_result result)
{
    (void)context, (void)job, (void)result;
}

static void on_stale(void *context, const struct engine_run *run)
{
    (void)run;
    ((struct world *)context)->stale++;
}

static void on_store(void *context, const struct error *err, const struct engine_outage *outage)
{
    (void)outage;
    ((struct world *)context)->store_down += err != NULL;
}

// ---- the world ----------------------------------------------------------------------------------

// The model; IRONCRON_WORLD=FOLDER puts a real SQLite store there instead (without faults).
static struct store *open_store(struct world *world)
{
    const char *folder = getenv("IRONCRON_WORLD");
    if (folder == NULL) {
        world->can_fail = true;
        return model_store_new(&world->clock);
    }
    char path[512];
    struct store *store;
    struct error err = ERROR_INIT;
    snprintf(path, sizeof path, "%s/world-%d-%p.db", folder, getpid(), (void *)world);
    unlink(path);
    if (!sqlite_store_open(path, SQLITE_STORE_WRITE, &world->clock, &store, &err)) {
        fail_msg("%s", err.text);
    }
    unlink(path);
    return store;
}

static void tampering_submit(struct store *store, struct store_op *op)
{
    the_world->tamper(op);
    the_world->true_ops->submit(store, op);
}

void world_tamper(struct world *world, void (*tamper)(struct store_op *op))
{
    world->tamper = tamper;
    world->true_ops = world->store->ops;
    world->tampering_ops = *world->true_ops;
    world->tampering_ops.submit = tampering_submit;
    world->store->ops = &world->tampering_ops;
}

void world_fault(struct world *world, enum model_fault fault, int count)
{
    if (world->can_fail) {
        model_store_fault(world->store, fault, count);
    }
}

void world_init(struct world *world, const char *start)
{
    *world = (struct world){.max_running = 64, .random = 1, .booted_at = INSTANT_NONE};
    the_world = world;
    world->clock = (struct clock){world_now, world_mono};
    world->now = ground_time(start);
    world->mono = (struct mono){(int64_t)1000 * 1000000};
    world->store = open_store(world);
    world->runner.ops = &fake_ops;
    world->runs = alloc_zero(WORLD_RUNS_MAX, sizeof *world->runs);
    world->jobs = alloc_zero(WORLD_JOBS_MAX, sizeof *world->jobs);
    world->zones = zone_cache_new();
    // A world is one node that is alone: it fences nobody.
    world->events =
        (struct engine_events){world,   on_started, on_started, on_ended, on_passed_over,
                               on_lock, on_stale,   on_store,   NULL,     NULL};
}

void world_release(struct world *world)
{
    if (world->engine != NULL) {
        world_crash(world);
    }
    store_close(world->store);
    zone_cache_free(world->zones);
    for (size_t i = 0; i < world->job_count; i++) {
        free((char *)(uintptr_t)world->jobs[i].name);
    }
    free(world->jobs);
    free(world->runs);
}

void world_script(struct world *world, const struct world_script *scripts, size_t count)
{
    world->scripts = scripts;
    world->script_count = count;
}

struct job *world_job(struct world *world, const char *name, const char *schedule)
{
    struct job *job = &world->jobs[world->job_count++];
    ground_job(job, alloc_string(name), schedule, world->zones);
    return job;
}

// A copy of the definitions as they are now: a set lives on while runs of it do.
struct definitions {
    struct job *jobs;
    size_t count;
};

static void definitions_release(void *owner)
{
    struct definitions *definitions = owner;
    for (size_t i = 0; i < definitions->count; i++) {
        free((char *)(uintptr_t)definitions->jobs[i].name);
    }
    free(definitions->jobs);
    free(definitions);
}

static struct job_set world_set(struct world *world)
{
    struct definitions *definitions = alloc_zero(1, sizeof *definitions);
    definitions->jobs = alloc_zero(world->job_count + 1, sizeof *definitions->jobs);
    definitions->count = world->job_count;
    for (size_t i = 0; i < world->job_count; i++) {
        definitions->jobs[i] = world->jobs[i];
        definitions->jobs[i].name = alloc_string(world->jobs[i].name);
    }
    return (struct job_set){.jobs = definitions->jobs,
                            .count = definitions->count,
                            .hash = "h",
                            .zones = world->zones,
                            .owner = definitions,
                            .release = definitions_release};
}

void world_start(struct world *world)
{
    uint8_t bytes[10];
    world_random(bytes, sizeof bytes);
    struct engine_options options = {.node = uuid_v7(instant_ms(world->now), bytes),
                                     .host = "sim",
                                     .version = "0",
                                     .actor = "test@sim",
                                     .max_running = world->max_running,
                                     .lease = DURATION_S(60),
                                     .margin = DURATION_S(15),
                                     .dry_run = world->dry_run,
                                     .booted_at = world->booted_at,
                                     .boot_id = world->boot_id,
                                     .schedules = true,
                                     .alone = true,
                                     .clock = &world->clock,
                                     .store = world->store,
                                     .runner = &world->runner,
                                     .random = world_random,
                                     .events = &world->events};
    world->engine = engine_new(&options);
    struct job_set set = world_set(world);
    struct error err = ERROR_INIT;
    if (!engine_start(world->engine, &set, &err)) {
        fail_msg("engine_start: %s", err.text);
    }
}

static struct instant settle(struct world *world)
{
    struct instant wake;
    int rounds = 0;
    do {
        wake = engine_turn(world->engine);
        if (++rounds > 10000) {
            fail_msg("the engine does not come to rest");
        }
    } while (store_pump(world->store) || engine_is_busy(world->engine));
    return wake;
}

// To the next thing that happens, at most a second: the owner's tick.
static struct duration next_step(const struct world *world, struct instant wake,
                                 struct instant until)
{
    struct instant next = instant_add(world->now, DURATION_S(1));
    next = instant_before(until, next) ? until : next;
    if (!instant_is_none(wake) && instant_before(wake, next)) {
        next = wake;
    }
    struct duration step = instant_since(next, world->now);
    for (size_t i = 0; i < world->open_count; i++) {
        struct mono end = run_end_at(world, &world->runs[world->open[i]]);
        struct duration left = mono_since(end, world->mono);
        step = left.us < step.us ? left : step;
    }
    return step.us < 1000 ? DURATION_MS(1) : step;
}

void world_advance(struct world *world, struct duration by)
{
    struct instant until = instant_add(world->now, by);
    for (;;) {
        struct instant wake = INSTANT_NONE;
        if (world->engine != NULL) {
            end_due_runs(world);
            wake = settle(world);
        }
        if (!instant_before(world->now, until)) {
            return;
        }
        struct duration step = world->engine == NULL ? instant_since(until, world->now)
                                                     : next_step(world, wake, until);
        world->now = instant_add(world->now, step);
        world->mono = mono_add(world->mono, step);
    }
}

void world_begin_reload(struct world *world)
{
    struct job_set set = world_set(world);
    engine_reload(world->engine, &set);
    world_advance(world, DURATION_S(0));
}

void world_reload(struct world *world)
{
    struct error err = ERROR_INIT;
    enum engine_reloading state;
    world_begin_reload(world);
    while ((state = engine_reloading(world->engine, &err)) != RELOADING_DONE) {
        assert_int_not_equal(state, RELOADING_FAILED);
        world_advance(world, DURATION_S(1));
    }
}

void world_jump(struct world *world, struct duration by)
{
    world->now = instant_add(world->now, by);
}

// Nobody tells a stopped node anything: also not what operators do meanwhile.
void world_freeze(struct world *world, struct duration by)
{
    world->now = instant_add(world->now, by);
    world->mono = mono_add(world->mono, by);
}

// The runner kills what runs when its scheduler dies; the engine's memory is gone.
void world_crash(struct world *world)
{
    while (world->open_count > 0) {
        end_run(world, 0, &(struct runner_end){.kind = RUNNER_GONE});
    }
    engine_abandon(world->engine);
    world->engine = NULL;
}

void world_stop(struct world *world)
{
    engine_drain(world->engine);
    for (int i = 0; i < 100000 && !engine_is_drained(world->engine); i++) {
        world_advance(world, DURATION_S(1));
    }
    struct error err = ERROR_INIT;
    if (!engine_leave(world->engine, &err)) {
        fail_msg("engine_leave: %s", err.text);
    }
    engine_free(world->engine);
    world->engine = NULL;
}
