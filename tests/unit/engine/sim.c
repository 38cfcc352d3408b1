// SPDX-License-Identifier: MIT
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

static struct sim *the_sim; // randomness has no context

uint32_t sim_dice(struct sim *sim, uint32_t sides)
{
    sim->random = sim->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(sim->random >> 33) % sides;
}

void sim_random(void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)bytes)[i] = (uint8_t)sim_dice(the_sim, 256);
    }
}

// ---- clocks -------------------------------------------------------------------------------------

struct instant sim_time(const struct sim *sim)
{
    return (struct instant){sim->epoch.us + sim->now.us};
}

static struct instant store_now(struct clock *clock)
{
    return sim_time(CONTAINER_OF(clock, struct sim, store_clock));
}

static struct mono store_mono(struct clock *clock)
{
    return CONTAINER_OF(clock, struct sim, store_clock)->now;
}

static struct mono sooner(struct mono a, struct mono b)
{
    return mono_before(a, b) ? a : b;
}

// Counts the minutes whose canaries must have been decided.
static int64_t minutes_over(const struct sim *sim)
{
    return (sim_time(sim).us - SIM_DECIDED_WITHIN.us) / 60000000;
}

void sim_advance(struct sim *sim, struct duration by)
{
    struct mono until = mono_add(sim->now, by);
    while (mono_before(sim->now, until)) {
        struct mono next = sooner(until, sim_strangers_next(sim));
        for (size_t i = 0; i < sim->node_count; i++) {
            next = sooner(next, sim_node_next(&sim->nodes[i]));
        }
        for (size_t i = 0; i < sim->late_count; i++) {
            next = sooner(next, sim->late[i].carry_at);
        }
        struct mono least = mono_add(sim->now, DURATION_US(100));
        int64_t minute = minutes_over(sim);
        sim->now = mono_before(next, least) ? least : next;
        sim_strangers_work(sim);
        sim_late_work(sim);
        for (size_t i = 0; i < sim->node_count; i++) {
            sim_node_work(&sim->nodes[i]);
        }
        if (minutes_over(sim) != minute) {
            sim_judge_minute(sim);
        }
        if (mono_since(sim->now, sim->judged).us >= SIM_JUDGED.us) {
            sim->judged = sim->now;
            sim_judge_ledger(sim, false);
        }
    }
}

// ---- the fleet ----------------------------------------------------------------------------------

void sim_init(struct sim *sim, uint64_t seed, size_t nodes, enum sim_bug bug)
{
    *sim = (struct sim){.random = seed, .node_count = nodes, .bug = bug};
    the_sim = sim;
    sim->epoch = instant_from_ms(INT64_C(1773100800000)); // 2026-03-10T00:00:00Z
    sim->now = (struct mono){1000000};
    sim->store_clock = (struct clock){store_now, store_mono};
    sim->store = model_store_new(&sim->store_clock);
    sim->zones = zone_cache_new();
    sim->max_running = 24 + (int)sim_dice(sim, 16);
    sim_events_init(sim);
    sim_jobs_draw(sim);
    for (size_t i = 0; i < nodes; i++) {
        sim_node_init(sim, i);
    }
}

void sim_release(struct sim *sim)
{
    for (size_t i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->engine != NULL) {
            sim_node_bury(node);
        }
        store_close(node->store);
        free(node->entries);
        free(node->ends);
    }
    while (sim->late_count > 0) {
        sim->now = mono_add(sim->now, DURATION_S(30));
        sim_late_work(sim);
    }
    free(sim->history);
    free(sim->late);
    free(sim->slow);
    free(sim->doubts);
    free(sim->births);
    free(sim->boots);
    store_close(sim->store);
    zone_cache_free(sim->zones);
}

void sim_finish(struct sim *sim)
{
    sim_strangers_go(sim);
    for (size_t i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        node->away_until = node->slow_until = node->frozen_until = node->dry_until = sim->now;
        bool absent = node->engine == NULL && mono_before(sim->now, node->start_at);
        node->start_at = absent ? sim->now : node->start_at;
    }
    sim_advance(sim, SIM_CALM);
    sim_judge_rest(sim);
    for (size_t i = 0; i < sim->node_count; i++) {
        sim->nodes[i].start_at = MONO_NEVER; // who is away stays away
        if (sim->nodes[i].engine != NULL) {
            sim_stop(&sim->nodes[i], DURATION_S(86400));
        }
    }
    sim_advance(sim, DURATION_S(600));
    for (size_t i = 0; i < sim->node_count; i++) {
        if (sim->nodes[i].engine != NULL) {
            sim_break(sim, JUDGE_LEDGER, "%s does not come to rest", sim->nodes[i].host);
        }
    }
    sim_judge_ledger(sim, true);
    sim_judge_history(sim);
}
