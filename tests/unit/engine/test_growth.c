// SPDX-License-Identifier: MIT
// What grows with the number of jobs and what must not, counted rather than timed: how often the
// engine asks a schedule, walks through its jobs, allocates, and calls the store.
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/map.h"

#define JOBS  20000
#define START "2026-03-10T00:00:00Z"

// ---- counting -----------------------------------------------------------------------------------
// The linker puts these in front of the real ones (meson.build).

static struct counts {
    size_t walked;  // jobs that were gone through one after the other
    size_t asked;   // schedules
    size_t lookups; // in maps
    size_t allocs;
    size_t store_calls;
    size_t claims, most_claims_a_turn;
} counts;

void *__real_map_next(const struct map *map, size_t *at);
void *__wrap_map_next(const struct map *map, size_t *at);
void *__wrap_map_next(const struct map *map, size_t *at)
{
    counts.walked++;
    return __real_map_next(map, at);
}

void *__real_map_get(const struct map *map, const char *key);
void *__wrap_map_get(const struct map *map, const char *key);
void *__wrap_map_get(const struct map *map, const char *key)
{
    counts.lookups++;
    return __real_map_get(map, key);
}

struct instant __real_schedule_next(const struct schedule *schedule, struct instant t);
struct instant __wrap_schedule_next(const struct schedule *schedule, struct instant t);
struct instant __wrap_schedule_next(const struct schedule *schedule, struct instant t)
{
    counts.asked++;
    return __real_schedule_next(schedule, t);
}

void *__real_alloc_zero(size_t count, size_t size);
void *__wrap_alloc_zero(size_t count, size_t size);
void *__wrap_alloc_zero(size_t count, size_t size)
{
    counts.allocs++;
    return __real_alloc_zero(count, size);
}

bool __real_store_call(struct store *store, struct store_op *op, struct error *err);
bool __wrap_store_call(struct store *store, struct store_op *op, struct error *err);
bool __wrap_store_call(struct store *store, struct store_op *op, struct error *err)
{
    counts.store_calls++;
    return __real_store_call(store, op, err);
}

struct uuid __real_uuid_v7(int64_t unix_ms, const uint8_t random[10]);
struct uuid __wrap_uuid_v7(int64_t unix_ms, const uint8_t random[10]);
struct uuid __wrap_uuid_v7(int64_t unix_ms, const uint8_t random[10])
{
    counts.claims++;
    return __real_uuid_v7(unix_ms, random);
}

struct instant __real_engine_turn(struct engine *engine);
struct instant __wrap_engine_turn(struct engine *engine);
struct instant __wrap_engine_turn(struct engine *engine)
{
    counts.claims = 0;
    struct instant wake = __real_engine_turn(engine);
    if (counts.claims > counts.most_claims_a_turn) {
        counts.most_claims_a_turn = counts.claims;
    }
    return wake;
}

static void count_from_here(void)
{
    counts = (struct counts){0};
}

// ---- a node of many jobs ------------------------------------------------------------------------

static void start(struct world *world)
{
    static char schedules[JOBS][32]; // jobs point to them
    world_init(world, START);
    for (int i = 0; i < JOBS; i++) {
        char name[32];
        snprintf(name, sizeof name, "job-%05d", i);
        snprintf(schedules[i], sizeof schedules[i], "%d %d 1 1 *", i % 60, i / 60 % 24);
        world_job(world, name, schedules[i]);
    }
    world_job(world, "minutely", "* * * * *");
    count_from_here();
    world_start(world);
}

static void a_start_asks_each_schedule_once(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    assert_in_range(counts.asked, JOBS, JOBS + 10);
    assert_in_range(counts.store_calls, 1, 8);
    assert_in_range(counts.lookups, JOBS, 10 * JOBS);
    assert_in_range(counts.walked, 0, 2 * JOBS);
    // Again, now that the store knows them all.
    world_crash(&w);
    count_from_here();
    world_start(&w);
    assert_in_range(counts.asked, JOBS, JOBS + 10);
    assert_in_range(counts.store_calls, 1, 8);
    world_release(&w);
}

static void a_slot_costs_the_same_however_many_jobs_wait(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    world_advance(&w, DURATION_S(61));
    count_from_here();
    world_advance(&w, DURATION_S(60)); // one slot of one job
    assert_int_equal(world_count(&w, "minutely"), 2);
    assert_in_range(counts.asked, 1, 4);
    assert_in_range(counts.walked, 0, 50);
    assert_in_range(counts.lookups, 0, 2000); // of the model
    world_release(&w);
}

static void a_control_costs_the_same_however_many_jobs_wait(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    world_advance(&w, DURATION_S(61));
    count_from_here();
    for (int i = 0; i < 10; i++) {
        world_control(&w, "job-00007", CONTROL_PAUSE, 1);
        world_advance(&w, DURATION_S(1));
        world_control(&w, "job-00007", CONTROL_PAUSE, 0);
        world_advance(&w, DURATION_S(1));
    }
    assert_in_range(counts.walked, 0, JOBS / 20);
    assert_in_range(counts.asked, 0, 4);
    world_release(&w);
}

// All due at the same instant: a piece a turn, so that none of them holds the loop up.
static void many_due_at_once_come_piece_by_piece(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    world_stop(&w);
    for (size_t i = 0; i < w.job_count; i++) {
        w.jobs[i].schedule_text = "* * * * *";
        w.jobs[i].schedule = w.jobs[w.job_count - 1].schedule;
    }
    w.dry_run = true;
    world_start(&w);
    world_advance(&w, DURATION_S(30));
    count_from_here();
    world_advance(&w, DURATION_S(35));
    assert_int_equal(w.ended[RUN_DRY_RUN], w.job_count);
    assert_in_range(counts.most_claims_a_turn, 1, 1000);
    world_release(&w);
}

// Each waiting attempt finds its job by one search, not by a walk through all.
static void attempts_that_wait_are_adopted(void **state)
{
    (void)state;
    const struct job_retries retries = {
        .max = 3, .backoff = DURATION_S(7200), .factor = 1, .max_backoff = DURATION_S(7200)};
    static const struct world_script fails = {.takes_ms = 10, .exit_code = 1};
    struct world w;
    world_init(&w, START);
    w.max_running = 4000;
    struct world_script scripts[2000];
    char names[2000][16];
    for (int i = 0; i < 2000; i++) {
        snprintf(names[i], sizeof names[i], "job-%05d", i);
        world_job(&w, names[i], "1 0 * * *")->retries = &retries;
        scripts[i] = fails;
        scripts[i].job = names[i];
    }
    world_script(&w, scripts, 2000);
    world_start(&w);
    world_advance(&w, DURATION_S(120));
    assert_int_equal(w.ended[RUN_FAILED], 2000);
    world_crash(&w);
    count_from_here();
    world_start(&w);
    assert_in_range(counts.walked, 0, 3 * 2000);
    world_advance(&w, DURATION_S(7300));
    assert_int_equal(w.ended[RUN_FAILED], 4000);
    world_release(&w);
}

// A thousand pauses with slots in between, a downtime after the last: what is decided late is
// decided by the right ones, and those that can't matter any more are not kept.
static void a_thousand_pauses(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "minutely", "* * * * *")->missed = JOB_MISSED_ALL;
    world_start(&w);
    for (int i = 0; i < 1000; i++) {
        const char *job = i % 2 == 0 ? "minutely" : NULL;
        world_control(&w, job, CONTROL_PAUSE, 1);
        world_advance(&w, DURATION_S(20));
        world_control(&w, job, CONTROL_PAUSE, 0);
        world_advance(&w, DURATION_S(20));
    }
    world_control(&w, "minutely", CONTROL_PAUSE, 1);
    world_crash(&w);
    world_advance(&w, DURATION_S(600));
    world_control(&w, "minutely", CONTROL_PAUSE, 0);
    world_advance(&w, DURATION_S(600));
    int paused = w.skipped[REASON_PAUSED];
    world_start(&w);
    world_advance(&w, DURATION_S(30));
    assert_in_range(w.skipped[REASON_PAUSED] - paused, 9, 11);
    world_verify(&w);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_asks_each_schedule_once),
        cmocka_unit_test(a_slot_costs_the_same_however_many_jobs_wait),
        cmocka_unit_test(a_control_costs_the_same_however_many_jobs_wait),
        cmocka_unit_test(many_due_at_once_come_piece_by_piece),
        cmocka_unit_test(attempts_that_wait_are_adopted),
        cmocka_unit_test(a_thousand_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
