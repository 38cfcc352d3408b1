// SPDX-License-Identifier: MIT
// The link to the store: up or down, how long it is left alone after it did not answer, which
// operations wait to be submitted again, and what asks a silent store whether it is there again.
#include "engine/engine_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "time/format.h"

#define BACKOFF_FIRST DURATION_MS(100)
#define BACKOFF_MOST  DURATION_S(5)
// Rows that somebody else has in hand are not tried for too often: what is behind waits meanwhile.
#define HELD_BACK DURATION_S(2)
// What has not failed for so long is whole again, also where what failed was not tried again.
#define WHOLE_AFTER DURATION_S(10)
// A shorter outage is in the log and the metrics, and harms nobody.
#define AUDITED_FROM DURATION_S(5)

bool link_is_open(const struct engine *engine)
{
    return !engine->store_down ||
           !mono_before(clock_mono(engine->options.clock), engine->store_retry_at);
}

// ---- an outage ----------------------------------------------------------------------------------

struct audit {
    struct store_op_audit audit; // first
    char detail[128];
};

static void audit_on_done(struct store_op *op)
{
    struct engine *engine = op->context;
    if (link_settled(op)) {
        engine->unsealed = true;
        link_free(op);
    }
}

// Who looks into the store later learns that it was away, and for whom.
static void audit_submit(struct engine *engine, const struct engine_outage *outage)
{
    struct audit *audit = alloc_zero(1, sizeof *audit);
    char since[FORMAT_TIME_SIZE];
    format_utc_ms(outage->since, since);
    snprintf(audit->detail, sizeof audit->detail, "{\"lasted_ms\":%lld,\"since\":\"%s\"}",
             (long long)duration_ms(outage->lasted), since);
    audit->audit = (struct store_op_audit){.op = {.kind = STORE_AUDIT, .done = audit_on_done},
                                           .node = engine->options.node,
                                           .event = "STORE_BACK",
                                           .detail = audit->detail};
    link_submit(engine, &audit->audit.op);
}

// A server may do some things and fail at others, as with a full table of locks: its trouble is one
// trouble, told when it begins and when all is done again.
static void tell(struct engine *engine, const struct store_op *op)
{
    const struct engine_events *events = engine->options.events;
    struct mono now = clock_mono(engine->options.clock);
    bool done = op->result == STORE_OK || op->result == STORE_REFUSED;
    uint64_t kind = UINT64_C(1) << op->kind;
    engine->failing = done ? engine->failing & ~kind : engine->failing | kind;
    engine->failed_at = done ? engine->failed_at : now;
    bool whole = engine->options.alone || engine->failing == 0 ||
                 mono_since(now, engine->failed_at).us >= WHOLE_AFTER.us;
    if (!done && !engine->store_told_down) {
        engine->store_told_down = true;
        engine->told_down_at = clock_now(engine->options.clock);
        engine->told_down_mono = now;
        struct engine_outage begins = {.since = engine->told_down_at};
        events->on_store(events->context, &op->err, &begins);
    } else if (done && whole && engine->store_told_down) {
        engine->store_told_down = false;
        struct engine_outage outage = {engine->told_down_at,
                                       mono_since(now, engine->told_down_mono)};
        events->on_store(events->context, NULL, &outage);
        if (outage.lasted.us >= AUDITED_FROM.us) {
            audit_submit(engine, &outage);
        }
    }
}

void link_submit(struct engine *engine, struct store_op *op)
{
    op->context = engine;
    engine->operations++;
    store_submit(engine->options.store, op);
}

void link_answered(struct store_op *op)
{
    struct engine *engine = op->context;
    engine->operations--;
    tell(engine, op);
    if (op->result == STORE_OK || op->result == STORE_REFUSED) {
        if (engine->store_down) {
            engine->store_down = false;
            engine->store_changed = engine->store_changed || !engine->options.alone;
            engine->store_backoff = BACKOFF_FIRST;
        }
        return;
    }
    if (!engine->store_down) {
        engine->store_down = true;
        engine->store_backoff = BACKOFF_FIRST;
    }
    fleet_was_silent(engine);
    engine->store_retry_at = mono_add(clock_mono(engine->options.clock), engine->store_backoff);
    engine->store_backoff.us *= 2;
    if (engine->store_backoff.us > BACKOFF_MOST.us) {
        engine->store_backoff = BACKOFF_MOST;
    }
}

void link_free(struct store_op *op)
{
    store_op_release(op);
    free(op); // the first of what was allocated
}

void link_hold(struct store_op *op)
{
    struct engine *engine = op->context;
    engine->operations++;
    store_op_release(op);
    ARRAY_RESERVE(engine->held, engine->held_count, engine->held_capacity);
    engine->held[engine->held_count++] = op;
}

void link_hold_back(struct store_op *op)
{
    struct engine *engine = op->context;
    engine->held_until = mono_add(clock_mono(engine->options.clock), HELD_BACK);
    link_hold(op);
}

bool link_settled(struct store_op *op)
{
    struct engine *engine = op->context;
    if (op->locked_out) { // the store does everything else
        engine->operations--;
        tell(engine, op);
        link_hold_back(op);
        return false;
    }
    link_answered(op);
    bool settled = op->result == STORE_OK || op->result == STORE_REFUSED;
    if (!settled) {
        link_hold(op);
    }
    return settled;
}

// A claim that is settled after a long silence is of no use before the store has acknowledged that
// this node still lives.
void link_resubmit(struct engine *engine)
{
    if (!link_is_open(engine) || (!fleet_is_trusted(engine) && !engine->fleet.fenced)) {
        return;
    }
    if (mono_before(clock_mono(engine->options.clock), engine->held_until)) {
        return;
    }
    size_t count = engine->held_count;
    engine->held_count = 0;
    for (size_t i = 0; i < count; i++) {
        store_submit(engine->options.store, engine->held[i]);
    }
}

static void beat_on_done(struct store_op *op)
{
    link_answered(op);
    link_free(op);
}

static void beat_submit(struct engine *engine)
{
    struct store_op_beat *beat = alloc_zero(1, sizeof *beat);
    *beat = (struct store_op_beat){.op = {.kind = STORE_BEAT, .done = beat_on_done},
                                   .node = engine->options.node,
                                   .running = engine->running,
                                   .draining = engine_rests(engine)};
    engine->beaten_at = clock_mono(engine->options.clock);
    engine->worked = false;
    link_submit(engine, &beat->op);
}

// A node that works says so every twentieth of its lease, with what it has to write anyway; an idle
// one leaves the disk alone, since its lock speaks for it. A store that is down and for which
// nothing waits must be asked by something, too.
void link_beat(struct engine *engine, struct mono now)
{
    bool due = mono_since(now, engine->beaten_at).us >= engine->options.lease.us / 20;
    bool probes = engine->store_down && engine->operations == 0;
    if (((engine->worked && due) || probes) && link_is_open(engine)) {
        beat_submit(engine);
    }
}
