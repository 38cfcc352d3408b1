// SPDX-License-Identifier: MIT
// What operators of the world do, and what is seen of it.
#include "world.h"

// cmocka wants these before it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// An operator whose command fails says it once more.
static void operate(struct world *world, struct store_op *op)
{
    struct error err = ERROR_INIT;
    for (int i = 0; i < 50; i++) {
        if (store_call(world->store, op, &err)) {
            store_op_release(op);
            return;
        }
    }
    fail_msg("%s", err.text);
}

void world_control(struct world *world, const char *job, enum store_control_kind kind, int value)
{
    struct store_op_control control = {
        .op = {.kind = STORE_CONTROL}, .job = job, .kind = kind, .value = value, .actor = "op@sim"};
    operate(world, &control.op);
    if (world->engine != NULL && !world->is_deaf) {
        engine_store_changed(world->engine);
    }
}

struct uuid world_wish(struct world *world, enum store_intent_kind kind, const char *job,
                       const char *params, bool dry_run)
{
    uint8_t bytes[10];
    world_random(bytes, sizeof bytes);
    struct uuid id = uuid_v7(instant_ms(world->now), bytes);
    struct store_op_intent_put put = {.op = {.kind = STORE_INTENT_PUT},
                                      .intent = {.intent_id = id,
                                                 .kind = kind,
                                                 .job = job,
                                                 .params = params,
                                                 .dry_run = dry_run,
                                                 .actor = "op@sim"}};
    operate(world, &put.op);
    if (world->engine != NULL) {
        engine_store_changed(world->engine);
    }
    return id;
}

struct uuid world_intent(struct world *world, enum store_intent_kind kind, const char *job)
{
    return world_wish(world, kind, job, NULL, false);
}

const char *world_outcome(struct world *world, const char *job, const char *due)
{
    return ground_outcome(world->store, job, due);
}

const char *world_answer(struct world *world, struct uuid intent)
{
    return ground_answer(world->store, intent);
}
