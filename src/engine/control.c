// SPDX-License-Identifier: MIT
// The controls in force: pause, dry-run, throttle. They are read whenever somebody else has written
// to the store, and in the same operation the intents that are pending.
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/alloc.h"

// Controls that were asked for so long ago are out of date when the answer comes.
#define OUTDATED DURATION_S(10)

// ---- in force -----------------------------------------------------------------------------------

static void control_apply(struct engine *engine, const struct store_control_row *row)
{
    struct engine_job *job = row->job == NULL ? NULL : map_get(&engine->jobs, row->job);
    if (row->job != NULL && job == NULL) {
        return; // of a job that left the configuration
    }
    if (job != NULL) {
        ARRAY_RESERVE(engine->controlled, engine->controlled_count, engine->controlled_capacity);
        engine->controlled[engine->controlled_count++] = alloc_string(row->job);
    }
    switch (row->kind) {
    case CONTROL_PAUSE:
        *(job == NULL ? &engine->all_paused : &job->paused) = true;
        break;
    case CONTROL_DRY_RUN:
        *(job == NULL ? &engine->all_dry_run : &job->dry_run) = true;
        break;
    case CONTROL_THROTTLE:
        *(job == NULL ? &engine->all_throttle : &job->throttle) = row->value;
        break;
    case CONTROL_KIND_COUNT:
        break;
    }
}

static void controls_clear(struct engine *engine)
{
    engine->all_paused = false;
    engine->all_dry_run = false;
    engine->all_throttle = 0;
    for (size_t i = 0; i < engine->controlled_count; i++) {
        struct engine_job *job = map_get(&engine->jobs, engine->controlled[i]);
        if (job != NULL) { // else it has left since
            job->paused = false;
            job->dry_run = false;
            job->throttle = 0;
        }
        free(engine->controlled[i]);
    }
    engine->controlled_count = 0;
}

// Costs what is in force, however many jobs there are.
static void controls_apply(struct engine *engine, const struct store_control_row *rows,
                           size_t count)
{
    controls_clear(engine);
    for (size_t i = 0; i < count; i++) {
        if (instant_is_none(rows[i].to)) {
            control_apply(engine, &rows[i]);
        }
    }
    pauses_update(engine, rows, count);
}

void control_release(struct engine *engine)
{
    controls_clear(engine);
    free(engine->controlled);
}

// ---- reading ------------------------------------------------------------------------------------

struct intent_take {
    struct store_op_intent_take take; // first
    struct instant sent;
    struct mono sent_at;
};

static void take_on_done(struct store_op *op)
{
    struct intent_take *take = CONTAINER_OF(op, struct intent_take, take.op);
    struct engine *engine = op->context;
    engine->reading_intents = false;
    engine->busy = true;
    link_answered(op);
    if (op->result == STORE_OK) {
        controls_apply(engine, take->take.controls, take->take.control_count);
        engine->controls_read =
            mono_since(clock_mono(engine->options.clock), take->sent_at).us < OUTDATED.us;
        engine->pauses.known_until = instant_add(take->sent, DURATION_S(-10)); // clocks may differ
        intents_begin(engine);
        for (size_t i = 0; i < take->take.intent_count && !engine->fleet.fenced; i++) {
            if (intents_is_ours(engine, &take->take.intents[i])) {
                carry_out(engine, &take->take.intents[i]);
            }
        }
    } else {
        engine->store_changed = true; // still unread
    }
    link_free(op);
}

void control_turn(struct engine *engine)
{
    bool may = link_is_open(engine) && !engine->fleet.fenced && !publish_is_under_way(engine);
    if (!engine->store_changed || engine->reading_intents || !may) {
        return;
    }
    struct intent_take *take = alloc_zero(1, sizeof *take);
    take->take.op.kind = STORE_INTENT_TAKE;
    take->take.op.done = take_on_done;
    take->take.ended_since = engine->pauses.known_until;
    take->sent = engine_now(engine);
    take->sent_at = clock_mono(engine->options.clock);
    engine->store_changed = false;
    engine->reading_intents = true;
    link_submit(engine, &take->take.op);
}

bool control_load(struct engine *engine, struct error *err)
{
    struct store_op_intent_take take = {.op = {.kind = STORE_INTENT_TAKE}};
    if (!store_call(engine->options.store, &take.op, err)) {
        return error_wrap(err, "reading controls and intents");
    }
    controls_apply(engine, take.controls, take.control_count);
    store_op_release(&take.op);
    engine->store_changed = true; // intents are carried out in the first turn
    return true;
}
