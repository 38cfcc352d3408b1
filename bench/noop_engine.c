// SPDX-License-Identifier: MIT
// The real engine with a runner that answers at once and a virtual clock, so that a second passes
// when the last one's work is done.
#include "noop_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/check.h"
#include "engine/engine.h"

double noop_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void noop_fail(const char *what, const char *why)
{
    fprintf(stderr, "noop: %s: %s\n", what, why);
    exit(1);
}

// ---- the ports

struct virtual_clock {
    struct clock clock;
    struct instant now;
};

static struct instant virtual_now(struct clock *clock)
{
    return ((struct virtual_clock *)clock)->now;
}

static struct mono virtual_mono(struct clock *clock)
{
    return (struct mono){((struct virtual_clock *)clock)->now.us};
}

struct noop_runner {
    struct runner runner;
    uint64_t *runs;
    size_t count, capacity;
    size_t ended; // durably
};

static bool noop_start(struct runner *runner, const struct runner_start *start, struct error *err)
{
    (void)err;
    struct noop_runner *noop = (struct noop_runner *)runner;
    if (noop->count == noop->capacity) {
        noop->capacity = noop->capacity * 2 + 1024;
        noop->runs = realloc(noop->runs, noop->capacity * sizeof(*noop->runs));
        CHECK(noop->runs != NULL);
    }
    noop->runs[noop->count++] = start->run;
    return true;
}

static void noop_stop(struct runner *runner, uint64_t run, bool at_once)
{
    (void)runner, (void)run, (void)at_once;
}

static void noop_feed(struct runner *runner, struct mono deadline)
{
    (void)runner, (void)deadline;
}

static const struct runner_ops noop_ops = {
    .start = noop_start, .stop = noop_stop, .feed = noop_feed};

// Everything that was started has succeeded; true when there was anything.
static bool noop_deliver(struct noop_runner *noop)
{
    const struct runner_end end = {.kind = RUNNER_EXITED};
    size_t count = noop->count;
    noop->count = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t run = noop->runs[i];
        noop->runner.events.on_started(noop->runner.events.context, run, 1);
        noop->runner.events.on_end(noop->runner.events.context, run, &end);
    }
    return count > 0;
}

static void random_bytes(void *bytes, size_t size)
{
    CHECK(getrandom(bytes, size, 0) == (ssize_t)size);
}

// ---- only ends are counted

static void ignore_started(void *context, const struct engine_run *run, struct duration delay)
{
    (void)context, (void)run, (void)delay;
}

static void count_ended(void *context, const struct engine_run *run, enum run_state state,
                        enum run_failure failure, struct duration duration, const char *error)
{
    struct noop_runner *noop = context;
    (void)run, (void)state, (void)failure, (void)duration;
    if (error != NULL) {
        noop_fail("a no-op run failed", error);
    }
    noop->ended++;
}

static void ignore_passed_over(void *context, const struct job *job, struct instant due_at,
                               enum slot_outcome outcome, enum slot_reason reason)
{
    (void)context, (void)due_at, (void)outcome;
    noop_fail(job->name, slot_reason_name(reason));
}

static void ignore_lock(void *context, const struct job *job, enum engine_lock_result result)
{
    (void)context, (void)job, (void)result;
}

static void ignore_stale(void *context, const struct engine_run *run)
{
    (void)context, (void)run;
}

static void stop_on_store(void *context, const struct error *err,
                          const struct engine_outage *outage)
{
    (void)context, (void)outage;
    if (err != NULL) {
        noop_fail("the store", err->text);
    }
}

static const struct engine_events counted = {.on_started = ignore_started,
                                             .on_handed_over = ignore_started,
                                             .on_ended = count_ended,
                                             .on_passed_over = ignore_passed_over,
                                             .on_lock = ignore_lock,
                                             .on_stale = ignore_stale,
                                             .on_store = stop_on_store};

// ---- the engine

static struct job *make_jobs(size_t count)
{
    static const struct job_retries no_retries;
    static const char *const argv[] = {"/bin/true", NULL};
    static const struct job_command command = {.argv = argv};
    static struct zone_cache *zones;
    const struct zone *utc;
    struct error err = ERROR_INIT;
    zones = zone_cache_new();
    if (!zone_cache_get(zones, "UTC", &utc, &err)) {
        noop_fail("UTC", err.text);
    }
    struct job *jobs = calloc(count, sizeof(*jobs));
    CHECK(jobs != NULL);
    for (size_t i = 0; i < count; i++) {
        char *name = malloc(32);
        CHECK(name != NULL);
        snprintf(name, 32, "noop-%zu", i);
        jobs[i] = (struct job){.name = name,
                               .schedule_text = "@every 1s",
                               .timezone = "UTC",
                               .missed_within = DURATION_S(86400),
                               .kill_after = DURATION_S(10),
                               .retries = &no_retries,
                               .command = &command,
                               .missed = JOB_MISSED_LAST,
                               .config_file = "bench"};
        if (!schedule_parse("@every 1s", utc, SCHEDULE_DST_RUN, name, &jobs[i].schedule, &err)) {
            noop_fail(name, err.text);
        }
    }
    return jobs;
}

// Whether anything is left to do at this instant.
static bool turn(struct engine *engine, struct store *store, struct noop_runner *noop)
{
    engine_turn(engine);
    bool progress = store_pump(store);
    progress |= noop_deliver(noop);
    if (!progress && store_wait(store, 1000)) {
        return true;
    }
    return progress || engine_is_busy(engine);
}

static void settle(struct engine *engine, struct store *store, struct noop_runner *noop)
{
    while (turn(engine, store, noop)) {
    }
}

double noop_engine_seconds(noop_open_fn *open, const char *where, size_t job_count, int rounds)
{
    struct error err = ERROR_INIT;
    struct virtual_clock clock = {.clock = {virtual_now, virtual_mono},
                                  .now = instant_from_unix(time(NULL))}; // tables have today
    struct noop_runner noop = {.runner = {.ops = &noop_ops}};
    struct store *store = open(where, &clock.clock);
    uint8_t random[10];
    random_bytes(random, sizeof(random));
    struct engine_events events = counted;
    events.context = &noop;
    struct engine_options options = {.node = uuid_v7(instant_ms(clock.now), random),
                                     .host = "bench",
                                     .version = IRONCRON_VERSION,
                                     .actor = "bench",
                                     .max_running = (int)job_count,
                                     .lease = DURATION_S(60),
                                     .margin = DURATION_S(15),
                                     .booted_at = clock.now,
                                     .boot_id = "bench",
                                     .schedules = true,
                                     .clock = &clock.clock,
                                     .store = store,
                                     .runner = &noop.runner,
                                     .random = random_bytes,
                                     .events = &events};
    struct engine *engine = engine_new(&options);
    struct job_set set = {.jobs = make_jobs(job_count), .count = job_count, .hash = "bench"};
    if (!engine_start(engine, &set, &err)) {
        noop_fail("engine_start", err.text);
    }
    settle(engine, store, &noop);
    double begin = noop_seconds();
    for (int round = 0; round < rounds; round++) {
        clock.now = instant_add(clock.now, DURATION_S(1));
        // The next second does not wait until this one's audit is sealed.
        while (noop.ended < job_count * (size_t)(round + 1) && turn(engine, store, &noop)) {
        }
    }
    settle(engine, store, &noop);
    double taken = noop_seconds() - begin;
    engine_drain(engine);
    settle(engine, store, &noop);
    if (!engine_leave(engine, &err)) {
        noop_fail("engine_leave", err.text);
    }
    engine_free(engine);
    store_close(store);
    return taken;
}
