// SPDX-License-Identifier: MIT
// What has to be done from time to time: the runner's deadline, sealing the audit, pruning.
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/alloc.h"

#define SEAL_EVERY  DURATION_MS(700) // "at most about a second behind"
#define SEAL_REST   DURATION_S(60)   // in a fleet that writes nothing
#define SEAL_LIMIT  2000             // hashed in one go, while the loop stands still
#define PRUNE_EVERY DURATION_S(3600)
#define PRUNE_LIMIT 1000

// ---- the runner's deadline ----------------------------------------------------------------------

// Alone it is the loop that is trusted as long as it turns; else what the store has acknowledged. A
// deadline that is over was told in its time: it would only end the runner that has taken the place
// of one that ended by it.
void feed_runner(struct engine *engine)
{
    if (!fleet_is_trusted(engine)) {
        return;
    }
    struct mono now = clock_mono(engine->options.clock);
    struct duration trusted = {engine->options.lease.us - engine->options.margin.us};
    struct mono deadline = engine->options.alone ? mono_add(now, trusted) : fleet_deadline(engine);
    engine->fed_at = now;
    // One that is over already was fed before; a new runner has nothing yet that it could end.
    if (mono_before(now, deadline)) {
        engine->options.runner->ops->feed(engine->options.runner, deadline);
    }
}

void engine_feed(struct engine *engine)
{
    feed_runner(engine);
}

// A scheduler that hangs stops feeding, and the runner ends what runs at the deadline.
static void feed(struct engine *engine, struct mono now)
{
    if (mono_since(now, engine->fed_at).us >= engine->options.lease.us / 20) {
        feed_runner(engine);
    }
}

// ---- sealing ------------------------------------------------------------------------------------

static void seal_on_done(struct store_op *op)
{
    const struct store_op_seal *seal = CONTAINER_OF(op, struct store_op_seal, op);
    struct engine *engine = op->context;
    engine->sealing = false;
    link_answered(op);
    if (op->result != STORE_OK || seal->more) {
        engine->unsealed = true;
    }
    if (op->result == STORE_OK && seal->more) {
        engine->sealed_at =
            (struct mono){INT64_MIN / 2}; // what waits is more than comes in a while
    }
    link_free(op);
}

static void seal_submit(struct engine *engine, struct mono now)
{
    struct duration since = mono_since(now, engine->sealed_at);
    bool wait = since.us < SEAL_EVERY.us;
    // Of a fleet one node does so for all, and with it what else its store has to do now and then.
    bool wants = engine->options.alone
                     ? engine->unsealed
                     : fleet_is_keeper(engine) && (engine->unsealed || since.us >= SEAL_REST.us);
    if (!wants || engine->sealing || wait || !link_is_open(engine) || engine_is_quiet(engine)) {
        return;
    }
    struct store_op_seal *seal = alloc_zero(1, sizeof *seal);
    seal->op.kind = STORE_SEAL;
    seal->op.done = seal_on_done;
    seal->limit = SEAL_LIMIT;
    engine->sealing = true;
    engine->unsealed = false;
    engine->sealed_at = now;
    link_submit(engine, &seal->op);
}

// When unsealed rows are to be sealed; none when there are none.
struct instant housekeeping_wake(const struct engine *engine)
{
    if (!engine->unsealed || engine->sealing || !engine->options.alone) {
        return INSTANT_NONE; // in a fleet the looks at the store are wake-ups enough
    }
    struct duration since = mono_since(clock_mono(engine->options.clock), engine->sealed_at);
    struct duration left = {SEAL_EVERY.us - since.us};
    return instant_add(engine_now(engine), left.us > 0 ? left : DURATION_MS(1));
}

// ---- pruning ------------------------------------------------------------------------------------

static void prune_on_done(struct store_op *op)
{
    const struct store_op_prune *prune = CONTAINER_OF(op, struct store_op_prune, op);
    struct engine *engine = op->context;
    engine->pruning = false;
    link_answered(op);
    bool more = op->result == STORE_OK && prune->more;
    // In small pieces, a second apart, so that slots never wait for it.
    struct duration pause = more ? DURATION_S(1) : PRUNE_EVERY;
    engine->prune_at = mono_add(clock_mono(engine->options.clock), pause);
    link_free(op);
}

static struct instant before(struct instant now, struct duration keep)
{
    return keep.us <= 0 ? INSTANT_NONE : instant_add(now, (struct duration){-keep.us});
}

static void prune_submit(struct engine *engine, struct mono now)
{
    const struct engine_history *history = &engine->options.history;
    bool keeps_all = history->runs.us <= 0 && history->output.us <= 0 && history->audit.us <= 0;
    if (keeps_all || engine->pruning || mono_before(now, engine->prune_at) || engine->draining ||
        !link_is_open(engine) || !fleet_is_keeper(engine)) {
        return;
    }
    struct instant wall = engine_now(engine);
    struct store_op_prune *prune = alloc_zero(1, sizeof *prune);
    *prune = (struct store_op_prune){.op = {.kind = STORE_PRUNE, .done = prune_on_done},
                                     .runs_before = before(wall, history->runs),
                                     .output_before = before(wall, history->output),
                                     .audit_before = before(wall, history->audit),
                                     .limit = PRUNE_LIMIT};
    engine->pruning = true;
    link_submit(engine, &prune->op);
}

void housekeeping_turn(struct engine *engine)
{
    struct mono now = clock_mono(engine->options.clock);
    link_resubmit(engine);
    feed(engine, now);
    seal_submit(engine, now);
    prune_submit(engine, now);
    drain_report(engine);
    if (engine->options.alone) {
        link_beat(engine, now);
        fence_turn(engine, now);
    } else {
        fleet_turn(engine, now);
    }
}
