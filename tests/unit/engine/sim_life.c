// SPDX-License-Identifier: MIT
// A random life of the fleet: what operators want and what befalls nodes, network and store.
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "store/model/model_private.h"
#include "time/format.h"

// ---- operators ----------------------------------------------------------------------------------

static void operate(struct sim *sim, struct store_op *op)
{
    struct error err = ERROR_INIT;
    assert_true(store_call(sim->store, op, &err));
    store_op_release(op);
}

static void set_control(struct sim *sim, const char *job, enum store_control_kind kind, int value)
{
    struct store_op_control op = {
        .op = {.kind = STORE_CONTROL}, .job = job, .kind = kind, .value = value, .actor = "op@sim"};
    operate(sim, &op.op);
}

// Lifted more often than set, so that most jobs are free most of the time.
static void control(struct sim *sim)
{
    int job = SIM_CANARIES + (int)sim_dice(sim, SIM_JOBS - SIM_CANARIES);
    enum store_control_kind kind = (enum store_control_kind)sim_dice(sim, CONTROL_KIND_COUNT);
    int on = kind == CONTROL_THROTTLE ? 2 + (int)sim_dice(sim, 3) : 1;
    set_control(sim, sim->names[job], kind, sim_dice(sim, 5) == 0 ? on : 0);
}

static void control_all(struct sim *sim)
{
    enum store_control_kind kind = (enum store_control_kind)sim_dice(sim, CONTROL_KIND_COUNT);
    set_control(sim, NULL, kind, kind == CONTROL_THROTTLE ? 2 : 1);
    sim_advance(sim, DURATION_S(sim_dice(sim, 90)));
    set_control(sim, NULL, kind, 0);
}

static void wish(struct sim *sim, struct store_intent intent)
{
    struct store_op_intent_put op = {.op = {.kind = STORE_INTENT_PUT}, .intent = intent};
    op.intent.actor = "op@sim";
    for (size_t i = 0; i < sizeof op.intent.intent_id; i++) {
        op.intent.intent_id.bytes[i] = (uint8_t)sim_dice(sim, 256);
    }
    operate(sim, &op.op);
}

static void wish_run(struct sim *sim)
{
    int job = (int)sim_dice(sim, SIM_JOBS);
    bool dry = sim_dice(sim, 5) == 0;
    sim->wishes[job] += !dry;
    wish(sim, (struct store_intent){.kind = INTENT_RUN, .job = sim->names[job], .dry_run = dry});
}

static void wish_cancel(struct sim *sim)
{
    const struct model_store *model = model_of(sim->store);
    struct store_intent intent = {.kind = INTENT_CANCEL};
    if (model->open_count > 0 && sim_dice(sim, 2) == 0) {
        intent.run_id = model->open[sim_dice(sim, (uint32_t)model->open_count)]->row.run_id;
    } else {
        intent.job = sim->names[sim_dice(sim, SIM_JOBS)];
    }
    wish(sim, intent);
}

// Not by force: what was found good must stay good for who came after it.
static void wish_backfill(struct sim *sim)
{
    char params[160];
    char from[FORMAT_TIME_SIZE];
    char to[FORMAT_TIME_SIZE];
    struct instant end = instant_add(sim_time(sim), DURATION_S(-(int64_t)sim_dice(sim, 3600)));
    format_utc_ms(instant_add(end, DURATION_S(-(int64_t)sim_dice(sim, 1800))), from);
    format_utc_ms(end, to);
    snprintf(params, sizeof params, "{\"from\":\"%s\",\"to\":\"%s\",\"max_parallel\":\"%u\"}", from,
             to, 1 + sim_dice(sim, 3));
    wish(sim, (struct store_intent){.kind = INTENT_BACKFILL,
                                    .job = sim->names[sim_dice(sim, SIM_JOBS)],
                                    .params = params,
                                    .dry_run = sim_dice(sim, 6) == 0});
}

// Some attempt at some slot once more, whether that makes sense or not.
static void wish_retry(struct sim *sim)
{
    char params[96];
    char due_at[FORMAT_TIME_SIZE];
    const struct model_store *model = model_of(sim->store);
    const char *name = sim->names[sim_dice(sim, SIM_JOBS)];
    const struct model_job *job = map_get(&model->jobs_by_name, name);
    if (job == NULL || job->slot_count == 0) {
        return;
    }
    size_t back = sim_dice(sim, job->slot_count < 30 ? (uint32_t)job->slot_count : 30);
    const struct model_slot *slot = &job->slots[job->slot_count - 1 - back];
    format_utc_ms(slot->due_at, due_at);
    snprintf(params, sizeof params, "{\"due_at\":\"%s\",\"attempt\":\"%d\"}", due_at,
             slot->attempt + 1);
    wish(sim, (struct store_intent){.kind = INTENT_RETRY, .job = name, .params = params});
}

static void give_order(struct sim *sim, struct sim_node *node, bool drains)
{
    char id[UUID_TEXT_SIZE];
    char params[UUID_TEXT_SIZE + 16];
    uuid_format(node->id, id);
    snprintf(params, sizeof params, "{\"node\":\"%s\"}", id);
    wish(sim,
         (struct store_intent){.kind = drains ? INTENT_DRAIN : INTENT_RESUME, .params = params});
    if (drains) {
        sim_drain(node);
    } else {
        sim_resume(node);
    }
}

// Told to begin nothing more often than not for a short while only.
static void order(struct sim *sim, struct sim_node *node)
{
    give_order(sim, node, !node->drains && sim_dice(sim, 2) == 0);
}

void sim_lift(struct sim_node *node)
{
    struct engine_drain_order before;
    if (engine_told_to_drain(node->engine, &before)) {
        give_order(node->sim, node, false);
    }
}

static void all_resume(struct sim *sim)
{
    for (size_t i = 0; i < sim->node_count; i++) {
        if (sim->nodes[i].drains) {
            order(sim, &sim->nodes[i]);
        }
    }
}

static void operators_act(struct sim *sim, struct sim_node *node)
{
    switch (sim_dice(sim, sim->plain ? 10 : 12)) {
    case 0:
    case 1:
        control(sim);
        break;
    case 2:
    case 3:
        wish_cancel(sim);
        break;
    case 4:
        sim_new_version(node);
        break;
    case 5:
        wish_backfill(sim);
        break;
    case 6:
        wish_retry(sim);
        break;
    case 7:
        if (sim_dice(sim, 5) == 0) {
            control_all(sim);
        }
        break;
    case 10:
    case 11:
        order(sim, node);
        break;
    default:
        wish_run(sim);
    }
}

// ---- nature -------------------------------------------------------------------------------------

// The store itself cannot be reached; perhaps another one is the primary then.
static void store_goes_away(struct sim *sim)
{
    struct duration by = DURATION_S(sim_dice(sim, 2) == 0   ? 5 + sim_dice(sim, 20)
                                    : sim_dice(sim, 2) == 0 ? 90
                                                            : 30 + sim_dice(sim, 120));
    for (size_t i = 0; i < sim->node_count; i++) {
        sim_cut(&sim->nodes[i], by);
    }
    if (sim_dice(sim, 2) == 0) {
        model_store_up_since(sim->store, instant_add(sim_time(sim), by));
    }
}

// It answers all, after seconds.
static void store_is_slow(struct sim *sim)
{
    if (!sim->plain) {
        sim_slow_store(sim, DURATION_S(30 + sim_dice(sim, 300)), DURATION_S(1 + sim_dice(sim, 4)));
    }
}

static bool is_there(const struct sim_node *node)
{
    return node->engine != NULL && !node->stopping;
}

// One node after the other, each when the one before is back.
static void rolling_restart(struct sim *sim)
{
    for (size_t i = 0; i < sim->node_count; i++) {
        if (is_there(&sim->nodes[i])) {
            sim_stop(&sim->nodes[i], DURATION_S(1 + sim_dice(sim, 3)));
            sim_advance(sim, DURATION_S(40));
        }
    }
}

static void seldom(struct sim *sim, struct sim_node *node)
{
    switch (sim_dice(sim, 6)) {
    case 0:
        rolling_restart(sim);
        break;
    case 1:
        sim_start_dry(node, DURATION_S(20 + sim_dice(sim, 100)));
        break;
    case 2:
        store_goes_away(sim);
        break;
    case 3:
        store_is_slow(sim);
        break;
    default: // nothing, for once
        break;
    }
}

static void nature_strikes(struct sim *sim, struct sim_node *node)
{
    switch (sim_dice(sim, 9)) {
    case 0:
        sim_crash(node, DURATION_S(1 + sim_dice(sim, 20)));
        break;
    case 1:
        sim_crash(node, DURATION_S(60 + sim_dice(sim, 300)));
        break;
    case 2:
        sim_freeze(node, DURATION_S(1 + sim_dice(sim, 150)));
        break;
    case 3:
        sim_cut(node, DURATION_S(1 + sim_dice(sim, 150)));
        break;
    case 4:
        sim_ambush(node);
        break;
    case 5:
        sim_slow(node, DURATION_S(sim_dice(sim, 120)), DURATION_S(1 + sim_dice(sim, 50)));
        break;
    case 6:
        sim_stop(node, DURATION_S(sim_dice(sim, 400)));
        break;
    case 7:
        sim_step_clock(node, DURATION_S((int)sim_dice(sim, 1200) - 600));
        break;
    case 8:
        seldom(sim, node);
        break;
    }
}

void sim_live(struct sim *sim, uint64_t minutes)
{
    sim_advance(sim, DURATION_S(60));
    struct mono until = mono_add(sim->now, DURATION_S((int64_t)minutes * 60));
    while (mono_before(sim->now, until)) {
        sim_advance(sim, DURATION_MS(sim_dice(sim, 40000)));
        struct sim_node *node = &sim->nodes[sim_dice(sim, (uint32_t)sim->node_count)];
        if (is_there(node) && sim_dice(sim, 3) == 0) {
            operators_act(sim, node);
        } else if (is_there(node)) {
            nature_strikes(sim, node);
        }
    }
    all_resume(sim);
    sim_finish(sim);
}
