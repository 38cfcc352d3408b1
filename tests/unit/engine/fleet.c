// SPDX-License-Identifier: MIT
#include "fleet.h"

// cmocka wants these before it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define LEASE  DURATION_S(60)
#define MARGIN DURATION_S(15)
#define GRACE  DURATION_S(10)

static struct fleet *the_fleet; // randomness has no context

// ---- clocks and chance --------------------------------------------------------------------------

static struct instant store_now(struct clock *clock)
{
    return CONTAINER_OF(clock, struct fleet, clock)->now;
}

static struct mono store_mono(struct clock *clock)
{
    return CONTAINER_OF(clock, struct fleet, clock)->mono;
}

static struct instant node_now(struct clock *clock)
{
    const struct fleet_node *node = CONTAINER_OF(clock, struct fleet_node, clock);
    return instant_add(node->fleet->now, node->skew);
}

static struct mono node_mono(struct clock *clock)
{
    return CONTAINER_OF(clock, struct fleet_node, clock)->fleet->mono;
}

void fleet_random(void *bytes, size_t size)
{
    ground_random(&the_fleet->random, bytes, size);
}

// ---- the runner ---------------------------------------------------------------------------------

static int index_of(const struct fleet_node *node)
{
    return (int)(node - node->fleet->nodes);
}

static bool fake_start(struct runner *runner, const struct runner_start *start, struct error *err)
{
    (void)err;
    struct fleet_node *node = CONTAINER_OF(runner, struct fleet_node, runner);
    struct fleet *fleet = node->fleet;
    assert_true(fleet->run_count < FLEET_RUNS);
    assert_true(mono_before(fleet->mono, node->deadline));
    struct fleet_run *run = &fleet->runs[fleet->run_count++];
    *run = (struct fleet_run){.node = index_of(node),
                              .due_at = start->due_at,
                              .attempt = start->attempt,
                              .began = fleet->now,
                              .ended = INSTANT_NONE,
                              .handle = start->run};
    snprintf(run->job, sizeof run->job, "%s", start->job->name);
    return true;
}

static void fake_stop(struct runner *runner, uint64_t handle, bool at_once)
{
    (void)at_once;
    struct fleet_node *node = CONTAINER_OF(runner, struct fleet_node, runner);
    struct fleet *fleet = node->fleet;
    for (size_t i = 0; i < fleet->run_count; i++) {
        struct fleet_run *run = &fleet->runs[i];
        bool meant = run->node == index_of(node) && run->handle == handle;
        run->cancelled = run->cancelled || (meant && instant_is_none(run->ended));
    }
}

static void fake_feed(struct runner *runner, struct mono deadline)
{
    CONTAINER_OF(runner, struct fleet_node, runner)->deadline = deadline;
}

static const struct runner_ops fake_ops = {fake_start, fake_stop, fake_feed};

static void end_run(struct fleet *fleet, struct fleet_run *run, enum runner_end_kind kind)
{
    struct fleet_node *node = &fleet->nodes[run->node];
    struct runner_end end = {.kind = kind,
                             .exit_code = kind == RUNNER_EXITED ? fleet->exit_code : 0,
                             .duration = instant_since(fleet->now, run->began)};
    run->ended = fleet->now;
    node->runner.events.on_end(node->runner.events.context, run->handle, &end);
}

// A runner ends what it runs at its deadline, whether or not its scheduler turns. That one is told
// when it does.
static void end_due_runs(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->run_count; i++) {
        struct fleet_run *run = &fleet->runs[i];
        const struct fleet_node *node = &fleet->nodes[run->node];
        if (!instant_is_none(run->ended) || node->engine == NULL) {
            continue;
        }
        bool dies = !mono_before(fleet->mono, node->deadline);
        bool over = !instant_before(fleet->now, instant_add(run->began, fleet->takes));
        if (node->hung && !dies) {
            continue;
        }
        if (dies) {
            end_run(fleet, run, RUNNER_GONE);
        } else if (run->cancelled || over) {
            end_run(fleet, run, run->cancelled ? RUNNER_CANCELLED : RUNNER_EXITED);
        }
    }
}

// ---- what the engines tell ----------------------------------------------------------------------

static void on_started(void *context, const struct engine_run *run, struct duration delay)
{
    (void)context, (void)run, (void)delay;
}

static void on_ended(void *context, const struct engine_run *run, enum run_state state,
                     enum run_failure failure, struct duration duration, const char *error)
{
    (void)run, (void)failure, (void)duration, (void)error;
    ((struct fleet *)context)->ended[state]++;
}

static void on_passed_over(void *context, const struct job *job, struct instant due_at,
                           enum slot_outcome outcome, enum slot_reason reason)
{
    (void)job, (void)due_at, (void)outcome;
    ((struct fleet *)context)->passed_over[reason]++;
}

static void on_lock(void *context, const struct job *job, enum engine_lock_result result)
{
    (void)context, (void)job, (void)result;
}

static void on_stale(void *context, const struct engine_run *run)
{
    (void)run;
    ((struct fleet *)context)->stale++;
}

static void on_store(void *context, const struct error *err, const struct engine_outage *outage)
{
    (void)outage;
    struct fleet *fleet = context;
    *(err == NULL ? &fleet->store_ups : &fleet->store_downs) += 1;
}

static void on_kept_back(void *context, const struct job *job, const char *holder)
{
    (void)job;
    struct fleet *fleet = context;
    *(holder == NULL ? &fleet->let_go : &fleet->kept_back) += 1;
}

static void on_fenced(void *context, struct uuid node)
{
    (void)node;
    ((struct fleet *)context)->fenced++;
}

// ---- the store ----------------------------------------------------------------------------------

static struct fleet_node *node_of(struct store *store)
{
    for (int i = 0; i < FLEET_NODES; i++) {
        if (the_fleet->nodes[i].store == store) {
            return &the_fleet->nodes[i];
        }
    }
    fail_msg("an engine has a store that is no node's");
    return NULL;
}

// Nobody answers a node that is cut off.
static void counting_submit(struct store *store, struct store_op *op)
{
    struct fleet_node *node = node_of(store);
    node->operations[op->kind]++;
    node->doubtful = node->doubtful || op->kind == node->doubtful_from;
    node->fails = node->fails || op->kind == node->failing;
    enum model_fault fault = node->cut || node->fails ? MODEL_FAULT_UNAVAILABLE
                             : node->doubtful         ? MODEL_FAULT_UNKNOWN_APPLIED
                                                      : MODEL_FAULT_NONE;
    model_store_fault(store, fault, 1000000);
    node->true_ops->submit(store, op);
}

static void open_store(struct fleet_node *node)
{
    node->store = model_store_attach(node->fleet->store);
    node->true_ops = node->store->ops;
    node->counting_ops = *node->true_ops;
    node->counting_ops.submit = counting_submit;
    node->store->ops = &node->counting_ops;
}

// ---- jobs ---------------------------------------------------------------------------------------

struct job *fleet_job(struct fleet *fleet, const char *name, const char *schedule)
{
    fleet->jobs = alloc_resize(fleet->jobs, fleet->job_count + 1, sizeof *fleet->jobs);
    struct job *job = &fleet->jobs[fleet->job_count++];
    ground_job(job, name, schedule, fleet->zones);
    return job;
}

static struct job_set set_of(const struct fleet *fleet, int64_t version)
{
    struct job *jobs = alloc_zero(fleet->job_count + 1, sizeof *jobs);
    memcpy(jobs, fleet->jobs, fleet->job_count * sizeof *jobs);
    return (struct job_set){.jobs = jobs,
                            .count = fleet->job_count,
                            .hash = "h",
                            .version = version,
                            .zones = fleet->zones,
                            .owner = jobs,
                            .release = free};
}

// ---- nodes --------------------------------------------------------------------------------------

void fleet_start_after(struct fleet *fleet, int index, struct uuid predecessor)
{
    struct fleet_node *node = &fleet->nodes[index];
    uint8_t bytes[10];
    fleet_random(bytes, sizeof bytes);
    node->id = uuid_v7(instant_ms(fleet->now), bytes);
    node->hung = node->cut = node->slow = node->doubtful = false;
    node->doubtful_from = node->failing = STORE_OP_COUNT;
    node->deadline = mono_add(fleet->mono, LEASE);
    open_store(node);
    struct engine_options options = {.node = node->id,
                                     .host = "sim",
                                     .version = "0",
                                     .actor = "test@sim",
                                     .max_running = node->max_running,
                                     .lease = LEASE,
                                     .margin = MARGIN,
                                     .grace = GRACE,
                                     .booted_at = node->booted_at,
                                     .boot_id = node->boot_id,
                                     .schedules = true,
                                     .predecessor = predecessor,
                                     .labels = node->labels,
                                     .dry_run = node->dry_run,
                                     .clock = &node->clock,
                                     .store = node->store,
                                     .runner = &node->runner,
                                     .random = fleet_random,
                                     .events = &fleet->events};
    node->engine = engine_new(&options);
    struct job_set set = set_of(fleet, fleet->version);
    struct error err = ERROR_INIT;
    if (!engine_start(node->engine, &set, &err)) {
        fail_msg("engine_start: %s", err.text);
    }
}

void fleet_start(struct fleet *fleet, int index)
{
    fleet_start_after(fleet, index, (struct uuid){{0}});
}

void fleet_start_all(struct fleet *fleet, int count)
{
    for (int i = 0; i < count; i++) {
        fleet_start(fleet, i);
    }
}

static void drop(struct fleet_node *node)
{
    engine_abandon(node->engine);
    store_close(node->store);
    node->engine = NULL;
    node->store = NULL;
}

void fleet_kill(struct fleet *fleet, int index)
{
    struct fleet_node *node = &fleet->nodes[index];
    for (size_t i = 0; i < fleet->run_count; i++) {
        struct fleet_run *run = &fleet->runs[i];
        if (run->node == index && instant_is_none(run->ended)) {
            end_run(fleet, run, RUNNER_GONE);
        }
    }
    store_settle(node->store);
    drop(node);
}

void fleet_drain(struct fleet *fleet, int index)
{
    engine_drain(fleet->nodes[index].engine);
}

void fleet_leave(struct fleet *fleet, int index)
{
    struct fleet_node *node = &fleet->nodes[index];
    struct error err = ERROR_INIT;
    for (int i = 0; i < 1000 && !engine_is_drained(node->engine); i++) {
        fleet_advance(fleet, DURATION_S(1));
    }
    if (!engine_leave(node->engine, &err)) {
        fail_msg("engine_leave: %s", err.text);
    }
    engine_free(node->engine);
    store_close(node->store);
    node->engine = NULL;
    node->store = NULL;
}

// ---- time goes on -------------------------------------------------------------------------------

// What serve does: it loads the active definitions.
static void follow_version(struct fleet_node *node)
{
    struct error err = ERROR_INIT;
    enum engine_reloading state = engine_reloading(node->engine, &err);
    int64_t wanted = engine_wants_version(node->engine);
    bool over = state != RELOADING_GOES_ON && state != RELOADING_WAITS;
    if (over && wanted != 0 && !node->fleet->stays_behind) {
        struct job_set set = set_of(node->fleet, wanted);
        engine_reload(node->engine, &set);
    }
}

static bool pump(struct fleet_node *node)
{
    bool more = store_pump(node->store);
    node->fails = false;
    return more;
}

static struct instant settle(struct fleet_node *node)
{
    struct instant wake;
    int rounds = 0;
    do {
        wake = engine_turn(node->engine);
        if (++rounds > 10000) {
            fail_msg("the engine of node %d does not come to rest", index_of(node));
        }
    } while (!node->slow && (pump(node) || engine_is_busy(node->engine)));
    follow_version(node);
    if (!instant_is_none(wake)) {
        wake = instant_add(wake, (struct duration){-node->skew.us});
    }
    return wake;
}

static struct instant earlier(struct instant a, struct instant b)
{
    return instant_is_none(b) || instant_before(a, b) ? a : b;
}

static struct instant turn_all(struct fleet *fleet)
{
    struct instant next = instant_add(fleet->now, DURATION_MS(1500)); // the owner's tick
    end_due_runs(fleet);
    for (int i = 0; i < FLEET_NODES; i++) {
        struct fleet_node *node = &fleet->nodes[i];
        if (node->engine != NULL && !node->hung) {
            next = earlier(next, settle(node));
        }
    }
    for (size_t i = 0; i < fleet->run_count; i++) {
        const struct fleet_run *run = &fleet->runs[i];
        if (instant_is_none(run->ended)) {
            next =
                earlier(next, run->cancelled ? fleet->now : instant_add(run->began, fleet->takes));
        }
    }
    return next;
}

void fleet_advance(struct fleet *fleet, struct duration by)
{
    struct instant until = instant_add(fleet->now, by);
    for (;;) {
        struct instant next = earlier(turn_all(fleet), until);
        if (!instant_before(fleet->now, until)) {
            return;
        }
        struct duration step = instant_since(next, fleet->now);
        step = step.us < 1000 ? DURATION_MS(1) : step;
        fleet->now = instant_add(fleet->now, step);
        fleet->mono = mono_add(fleet->mono, step);
    }
}

// ---- the world ----------------------------------------------------------------------------------

struct fleet *fleet_new(const char *start)
{
    struct fleet *fleet = alloc_zero(1, sizeof *fleet);
    *fleet = (struct fleet){.random = 1, .takes = DURATION_MS(200)};
    the_fleet = fleet;
    fleet->clock = (struct clock){store_now, store_mono};
    fleet->now = ground_time(start);
    fleet->mono = (struct mono){(int64_t)1000 * 1000000};
    fleet->store = model_store_new(&fleet->clock);
    fleet->zones = zone_cache_new();
    fleet->events =
        (struct engine_events){fleet,   on_started, on_started, on_ended,  on_passed_over,
                               on_lock, on_stale,   on_store,   on_fenced, on_kept_back};
    model_store_up_since(fleet->store, instant_add(fleet->now, DURATION_S(-86400)));
    for (int i = 0; i < FLEET_NODES; i++) {
        fleet->nodes[i] = (struct fleet_node){.fleet = fleet,
                                              .clock = {node_now, node_mono},
                                              .runner = {.ops = &fake_ops},
                                              .max_running = 64,
                                              .booted_at = INSTANT_NONE};
    }
    return fleet;
}

void fleet_free(struct fleet *fleet)
{
    for (int i = 0; i < FLEET_NODES; i++) {
        if (fleet->nodes[i].engine != NULL) {
            fleet_kill(fleet, i);
        }
    }
    store_close(fleet->store);
    zone_cache_free(fleet->zones);
    free(fleet->jobs);
    free(fleet);
}
