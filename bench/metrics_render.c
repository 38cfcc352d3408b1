// SPDX-License-Identifier: MIT
// How long /metrics takes to be made, without HTTP: the stream of many jobs, each with counters and
// histograms that really count something, read in pieces as the server reads it.
//
//   metrics_render [JOBS [ROUNDS]]
//
// Prints "jobs bytes series milliseconds longest", the fastest round: `longest` is the longest time
// in microseconds that one piece kept its reader waiting.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/check.h"
#include "observe/metrics.h"

#define PIECE ((size_t)32 * 1024)

static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

struct world {
    struct job *jobs;
    size_t count;
    struct metrics *metrics;
};

static void each_job(void *source, void (*each)(void *context, const struct engine_job_view *view),
                     void *context)
{
    const struct world *world = source;
    for (size_t i = 0; i < world->count; i++) {
        each(context, &(struct engine_job_view){.job = &world->jobs[i],
                                                .next_due = {1700000000000000 + (int64_t)i},
                                                .last_success = {1699999999123456},
                                                .running = i % 50 == 0});
    }
}

// Durations from a millisecond to an hour, each run by a different one; every seventh fails.
static void run_often(struct world *world, const struct job *job, uint64_t *seed)
{
    const struct engine_events *e = metrics_events(world->metrics);
    struct engine_run run = {.job = job, .attempt = 1, .trigger = TRIGGER_SCHEDULE};
    for (int i = 0; i < 20; i++) {
        *seed = *seed * 6364136223846793005 + 1442695040888963407;
        struct duration took = {(int64_t)(*seed >> 33) % (1000 << (*seed >> 60))};
        e->on_lock(e->context, job, LOCK_WON);
        e->on_started(e->context, &run, DURATION_US(took.us / 7));
        e->on_handed_over(e->context, &run, DURATION_US(took.us / 11));
        e->on_ended(e->context, &run, i % 7 == 0 ? RUN_FAILED : RUN_SUCCESS,
                    i % 7 == 0 ? FAILURE_EXIT : FAILURE_NONE, took, NULL);
    }
}

static void world_init(struct world *world, size_t count)
{
    uint64_t seed = 1;
    *world = (struct world){.jobs = alloc_zero(count + 1, sizeof *world->jobs), .count = count};
    world->metrics = metrics_new(&(struct metrics_options){.version = "bench"});
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "nightly-report-%zu", i);
        world->jobs[i].name = alloc_string(name);
        world->jobs[i].schedule_text = "15 2 * * *";
        world->jobs[i].timezone = "Europe/Berlin";
    }
    metrics_set_jobs(world->metrics, world->jobs, count);
    metrics_set_source(world->metrics, each_job, world);
    for (size_t i = 0; i < count; i++) {
        run_often(world, &world->jobs[i], &seed);
    }
}

static void world_release(struct world *world)
{
    metrics_free(world->metrics);
    for (size_t i = 0; i < world->count; i++) {
        free((char *)(uintptr_t)world->jobs[i].name);
    }
    free(world->jobs);
}

struct page {
    size_t bytes, series;
    double took, longest; // microseconds
};

static size_t count_series(const char *bytes, size_t length, bool *at_start)
{
    size_t series = 0;
    for (size_t i = 0; i < length; i++) {
        series += *at_start && bytes[i] != '#';
        *at_start = bytes[i] == '\n';
    }
    return series;
}

static struct page render(struct world *world)
{
    static char piece[PIECE];
    struct page page = {0};
    bool at_start = true;
    double begin = microseconds();
    struct http_stream stream = metrics_stream(world->metrics, EXPOSITION_TEXT);
    double counting = 0;
    size_t length;
    do {
        double before = microseconds();
        length = stream.read(stream.context, piece, sizeof piece);
        double after = microseconds();
        page.longest = after - before > page.longest ? after - before : page.longest;
        page.bytes += length;
        page.series += count_series(piece, length, &at_start);
        counting += microseconds() - after;
    } while (length > 0);
    stream.free(stream.context);
    page.took = microseconds() - begin - counting;
    return page;
}

int main(int argc, char **argv)
{
    size_t jobs = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 5;
    struct world world;
    world_init(&world, jobs);
    struct page best = render(&world);
    for (size_t i = 1; i < rounds; i++) {
        struct page page = render(&world);
        best = page.took < best.took ? page : best;
    }
    printf("%zu %zu %zu %.2f %.0f\n", jobs, best.bytes, best.series, best.took / 1e3, best.longest);
    world_release(&world);
    return 0;
}
