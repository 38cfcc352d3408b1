// SPDX-License-Identifier: MIT
// Two virtual days of a node under random jobs, operators, crashes, clock steps and a failing
// store, from a seed; then the second opinion on the ledger (audit verify), and what the world
// itself saw. IRONCRON_SEED replays one; IRONCRON_SEEDS says how many to try.
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/attributes.h"
#include "time/format.h"

#define HOURS 48

static uint64_t dice_state;

static uint32_t dice(uint32_t sides)
{
    dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice_state >> 33) % sides;
}

static const char *const schedules[] = {
    "* * * * *", "*/5 * * * *", "@every 37s",     "@every 20m",   "15 2 * * *", "0 */2 * * *",
    "H H * * *", "@hourly",     "*/7 9-17 * * *", "30 1-5 * * *", "0 0 1 * *",  "@every 90s",
};

static const struct job_retries retries = {
    .max = 2, .backoff = {20000000}, .factor = 3, .max_backoff = {600000000}, .jitter = 0.3};

#define JOBS 24
static struct world_script scripts[JOBS];
static char names[JOBS][16];
static const char *afters[JOBS][3];

static void random_job(struct world *w, int i)
{
    snprintf(names[i], sizeof names[i], "job-%d", i);
    struct job *job = world_job(w, names[i], schedules[dice(ARRAY_LENGTH(schedules))]);
    job->overlap = (enum job_overlap)dice(4);
    job->missed = (enum job_missed)dice(3);
    job->on_lost = (enum job_on_lost)dice(2);
    job->jitter = dice(3) == 0 ? DURATION_S(dice(25)) : DURATION_S(0);
    if (dice(2) == 0) {
        job->retries = &retries;
    }
    if (i > 0 && dice(4) == 0) { // only after earlier ones: no circles
        afters[i][0] = names[dice((uint32_t)i)];
        afters[i][1] = dice(3) == 0 ? names[dice((uint32_t)i)] : NULL;
        job->after = afters[i];
        job->after_within = DURATION_S(60 + dice(4 * 3600));
    }
    int64_t takes = dice(4) == 0 ? 30 + dice(600) : dice(20);
    scripts[i] = (struct world_script){names[i], takes * 1000 + 100, dice(5) == 0, (int)dice(3)};
}

// Not by force: what was found good must stay good for who came after it.
static void backfill(struct world *w)
{
    char params[160];
    char from[FORMAT_TIME_SIZE];
    char to[FORMAT_TIME_SIZE];
    struct instant end = instant_add(w->now, DURATION_S(-(int64_t)dice(4 * 3600)));
    format_utc_ms(instant_add(end, DURATION_S(-(int64_t)dice(6 * 3600))), from);
    format_utc_ms(end, to);
    snprintf(params, sizeof params, "{\"from\":\"%s\",\"to\":\"%s\",\"max_parallel\":\"%u\"}", from,
             to, 1 + dice(3));
    world_wish(w, INTENT_BACKFILL, names[dice(JOBS)], params, dice(4) == 0);
}

// Some attempt at some slot once more, whether that makes sense or not.
static void try_again(struct world *w)
{
    char params[96];
    char due_at[FORMAT_TIME_SIZE];
    const struct world_run *run = &w->runs[w->run_count - 1 - dice((uint32_t)w->run_count)];
    format_utc_ms(run->due_at, due_at);
    snprintf(params, sizeof params, "{\"due_at\":\"%s\",\"attempt\":\"%d\"}", due_at,
             run->attempt + 1);
    world_wish(w, INTENT_RETRY, run->job, params, false);
}

static void operator_acts(struct world *w)
{
    const char *job = dice(6) == 0 ? NULL : names[dice(JOBS)];
    switch (dice(7)) {
    case 5:
        backfill(w);
        break;
    case 6:
        if (w->run_count > 0) {
            try_again(w);
        }
        break;
    case 0:
        world_control(w, job, CONTROL_PAUSE, (int)dice(2));
        break;
    case 1:
        world_control(w, job, CONTROL_DRY_RUN, (int)dice(2));
        break;
    case 2:
        world_control(w, job, CONTROL_THROTTLE, dice(2) == 0 ? 0 : 2 + (int)dice(4));
        break;
    case 3:
        if (w->engine != NULL) {
            world_intent(w, INTENT_RUN, names[dice(JOBS)]);
        }
        break;
    case 4:
        if (w->engine != NULL) {
            world_intent(w, INTENT_CANCEL, names[dice(JOBS)]);
        }
        break;
    }
}

static void nature_strikes(struct world *w)
{
    switch (dice(6)) {
    case 0:
        world_crash(w);
        world_advance(w, DURATION_S(dice(2) == 0 ? dice(30) : dice(4 * 3600)));
        world_start(w);
        break;
    case 1:
        world_fault(w, MODEL_FAULT_UNAVAILABLE, 1 + (int)dice(6));
        break;
    case 2:
        world_fault(w, MODEL_FAULT_UNKNOWN_APPLIED, 1 + (int)dice(2));
        break;
    case 3:
        world_fault(w, MODEL_FAULT_UNKNOWN_LOST, 1 + (int)dice(2));
        break;
    case 4:
        world_jump(w, DURATION_S((int)dice(1200) - 400));
        break;
    case 5:
        world_reload(w);
        break;
    }
}

static void two_days(uint64_t seed)
{
    print_message("seed %llu\n", (unsigned long long)seed);
    dice_state = seed;
    struct world w;
    world_init(&w, "2026-03-10T00:00:00Z");
    w.random = seed;
    w.max_running = 4 + (int)dice(30);
    for (int i = 0; i < JOBS; i++) {
        random_job(&w, i);
    }
    world_script(&w, scripts, JOBS);
    world_start(&w);
    struct instant until = instant_add(w.now, DURATION_S(HOURS * 3600));
    while (instant_before(w.now, until)) {
        world_advance(&w, DURATION_S(dice(1800)));
        if (dice(3) == 0) {
            operator_acts(&w);
        } else if (dice(4) == 0) {
            nature_strikes(&w);
        }
    }
    // The faults are over: everything comes to an end by itself.
    world_fault(&w, MODEL_FAULT_NONE, 0);
    world_advance(&w, DURATION_S(60));
    assert_true(engine_store_is_up(w.engine));
    // Unless a dry-run was in force most of the time.
    assert_true(w.run_count + (size_t)w.ended[RUN_DRY_RUN] > 400);
    world_stop(&w);
    world_verify(&w);
    world_release(&w);
}

static void random_days(void **state)
{
    (void)state;
    const char *seed = getenv("IRONCRON_SEED");
    const char *seeds = getenv("IRONCRON_SEEDS");
    if (seed != NULL) {
        two_days(strtoull(seed, NULL, 10));
        return;
    }
    unsigned long long count = seeds == NULL ? 12 : strtoull(seeds, NULL, 10);
    for (unsigned long long i = 1; i <= count; i++) {
        two_days(i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_days)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
