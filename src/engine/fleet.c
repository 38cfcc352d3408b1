// SPDX-License-Identifier: MIT
// A node among others: each second and a half the store is asked who is there and whether
// something has changed, and from time to time told that this node lives. From the answers come the
// store's clock, the right to act, and who is there (members.c). A node that is alone does none of
// this.
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/alloc.h"

#define LOOK_EVERY DURATION_MS(1500)

// ---- time and trust -----------------------------------------------------------------------------

struct instant engine_now(const struct engine *engine)
{
    const struct fleet *fleet = &engine->fleet;
    struct clock *clock = engine->options.clock;
    if (engine->options.alone || fleet->epoch == 0) {
        return clock_now(clock);
    }
    return instant_add(fleet->store_now, mono_since(clock_mono(clock), fleet->store_now_at));
}

struct instant engine_wall(const struct engine *engine, struct instant t)
{
    if (engine->options.alone || instant_is_none(t)) {
        return t;
    }
    return instant_add(clock_now(engine->options.clock), instant_since(t, engine_now(engine)));
}

// The store's clock was read between sending and now, so that ours is never ahead. An answer that
// took longer than what has been known is worth less than that, until our clocks may have drifted.
static void set_clock(struct engine *engine, struct mono sent, struct instant store_now)
{
    struct fleet *fleet = &engine->fleet;
    struct mono now = clock_mono(engine->options.clock);
    struct duration took = mono_since(now, sent);
    struct duration drift = {mono_since(now, fleet->store_now_at).us / 5000};
    if (fleet->epoch == 0 || took.us <= fleet->store_now_error.us + drift.us) {
        fleet->store_now = store_now;
        fleet->store_now_at = now;
        fleet->store_now_error = took;
    }
}

void fleet_joined(struct engine *engine, struct mono sent, struct instant store_now)
{
    set_clock(engine, sent, store_now);
    engine->fleet.epoch = 1;
    engine->fleet.trusted_from = sent;
}

struct mono fleet_deadline(const struct engine *engine)
{
    const struct engine_options *options = &engine->options;
    return mono_add(engine->fleet.trusted_from,
                    (struct duration){options->lease.us - options->margin.us});
}

bool fleet_is_trusted(const struct engine *engine)
{
    return engine->options.alone ||
           mono_before(clock_mono(engine->options.clock), fleet_deadline(engine));
}

bool fleet_is_outdated(const struct engine *engine)
{
    const struct fleet *fleet = &engine->fleet;
    return fleet->outdated || (fleet->version != 0 && fleet->version != engine_version(engine));
}

// After a silence it is asked first who is there now, and whether one of them is in dry-run.
void fleet_was_silent(struct engine *engine)
{
    engine->fleet.silent_until = clock_mono(engine->options.clock);
}

static bool knows_the_others(const struct fleet *fleet)
{
    return !mono_before(fleet->heard_from, fleet->silent_until);
}

bool fleet_may_act(const struct engine *engine)
{
    const struct fleet *fleet = &engine->fleet;
    return engine->options.alone || (!fleet->fenced && knows_the_others(fleet) &&
                                     fleet_is_trusted(engine) && !fleet_is_outdated(engine));
}

int64_t engine_wants_version(const struct engine *engine)
{
    bool told = fleet_is_outdated(engine) && !engine->fleet.outdated;
    return told ? engine->fleet.version : 0;
}

int64_t engine_version(const struct engine *engine)
{
    return engine->set == NULL ? 0 : engine->set->set.version;
}

int64_t engine_active_version(const struct engine *engine)
{
    return engine->options.alone ? engine_version(engine) : engine->fleet.version;
}

bool engine_is_trusted(const struct engine *engine)
{
    return fleet_is_trusted(engine);
}

bool engine_is_fenced(const struct engine *engine)
{
    return engine->fleet.fenced;
}

struct duration engine_clock_skew(const struct engine *engine)
{
    return instant_since(clock_now(engine->options.clock), engine_now(engine));
}

// ---- what an answer says ------------------------------------------------------------------------

void fleet_release(struct fleet *fleet)
{
    members_clear(fleet);
    free(fleet->watched);
    free(fleet->left);
    free(fleet->seen);
}

static void understand(struct engine *engine, const struct store_op_beat *beat, struct mono sent)
{
    struct fleet *fleet = &engine->fleet;
    set_clock(engine, sent, beat->now);
    fleet->heard_from = sent;
    if (!beat->look) {
        engine->busy = engine->busy || !fleet_is_trusted(engine);
        fleet->trusted_from = sent;
        fleet->told_full = beat->full;
        feed_runner(engine);
    }
    members_take(engine, beat);
    if (beat->changes != fleet->changes || fleet->intents_pending) {
        engine->store_changed = true;
        engine->busy = true;
    }
    engine->busy = engine->busy || beat->version != fleet->version;
    fleet->changes = beat->changes;
    fleet->version = beat->version;
    fleet->outdated = false;
    engine->unsealed = engine->unsealed || beat->unsealed;
    fence_consider(engine, beat->orphans);
}

// Others took this node for dead, and may have begun anew what it runs.
static void be_fenced(struct engine *engine)
{
    engine->fleet.fenced = true;
    engine->draining = true;
    engine->busy = true;
    stop_runs(engine, "its node, which the others took for dead", true);
}

// ---- beats and looks ----------------------------------------------------------------------------

struct pulse {
    struct store_op_beat beat; // first
    struct mono sent;
};

static bool is_full(const struct engine *engine)
{
    // A node that has still to learn of new definitions can do nothing either.
    return !decide_has_capacity(engine) || fleet_is_outdated(engine);
}

static void pulse_fill(struct engine *engine, struct store_op_beat *beat, bool look)
{
    struct mono now = clock_mono(engine->options.clock);
    // Who came for somebody's wish only takes no slot.
    bool leaves = engine_rests(engine) || !engine->options.schedules;
    *beat = (struct store_op_beat){.op = {.kind = STORE_BEAT},
                                   .node = engine->options.node,
                                   .look = look,
                                   .running = engine->running,
                                   .full = is_full(engine),
                                   .draining = leaves};
    engine->fleet.pulsed_at = now;
    if (!look) {
        engine->beaten_at = now;
        engine->fleet.beat_wanted = false;
    }
}

static void pulse_on_done(struct store_op *op)
{
    const struct pulse *pulse = CONTAINER_OF(op, struct pulse, beat.op);
    struct engine *engine = op->context;
    engine->fleet.pulsing = false;
    link_answered(op);
    if (op->result == STORE_OK) {
        understand(engine, &pulse->beat, pulse->sent);
    } else if (op->result == STORE_REFUSED) {
        be_fenced(engine);
    }
    link_free(op);
}

static void pulse_submit(struct engine *engine, bool look)
{
    struct pulse *pulse = alloc_zero(1, sizeof *pulse);
    pulse_fill(engine, &pulse->beat, look);
    pulse->sent = engine->fleet.pulsed_at;
    pulse->beat.op.done = pulse_on_done;
    engine->fleet.pulsing = true;
    link_submit(engine, &pulse->beat.op);
}

bool fleet_meet(struct engine *engine, struct error *err)
{
    struct store_op_beat beat;
    pulse_fill(engine, &beat, false);
    struct mono sent = engine->fleet.pulsed_at;
    if (!store_call(engine->options.store, &beat.op, err)) {
        return error_wrap(err, "asking the store who else is there");
    }
    understand(engine, &beat, sent);
    store_op_release(&beat.op);
    return true;
}

static bool beat_is_due(const struct engine *engine, struct mono now)
{
    return engine->fleet.beat_wanted ||
           mono_since(now, engine->beaten_at).us >= engine->options.lease.us / 20;
}

// What fails here is seen by the next beat that does not block.
void fleet_beat(struct engine *engine)
{
    struct error ignored = ERROR_INIT;
    bool joined = engine->fleet.epoch > 0 && !engine->options.alone;
    if (joined && !engine->fleet.fenced && link_is_open(engine) &&
        beat_is_due(engine, clock_mono(engine->options.clock))) {
        (void)fleet_meet(engine, &ignored);
    }
}

void fleet_tell(struct engine *engine)
{
    engine->fleet.beat_wanted = true;
}

void fleet_turn(struct engine *engine, struct mono now)
{
    struct fleet *fleet = &engine->fleet;
    if (fleet->fenced || !link_is_open(engine)) {
        return;
    }
    bool due = mono_since(now, fleet->pulsed_at).us >= LOOK_EVERY.us;
    bool looks = due || !knows_the_others(fleet);
    bool beats = beat_is_due(engine, now) || engine->store_down ||
                 (looks && is_full(engine) != fleet->told_full);
    bool wants = engine_is_quiet(engine) ? fleet->beat_wanted : beats || looks;
    if (wants && !fleet->pulsing) {
        pulse_submit(engine, !beats);
    }
    fence_turn(engine, now);
}

struct instant fleet_wake(const struct engine *engine)
{
    const struct fleet *fleet = &engine->fleet;
    struct duration since = mono_since(clock_mono(engine->options.clock), fleet->pulsed_at);
    struct duration left = {LOOK_EVERY.us - since.us};
    if (engine->options.alone || (fleet->pulsing && left.us <= 0)) {
        return INSTANT_NONE;
    }
    return instant_add(engine_now(engine), left.us > 0 ? left : DURATION_MS(1));
}
