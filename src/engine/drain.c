// SPDX-License-Identifier: MIT
// What this node says of itself to the store, each time that changes (STORE_REPORT): which
// definitions it executes, why not the active ones, and that an operator wants nothing new begun
// here. A node that drains so goes on with what it runs and with everything else; what waits here
// is the other nodes' matter at once, and where there is no other it waits.
#include "engine/engine_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "time/format.h"

static void order_free(struct drain *drain)
{
    free(drain->actor);
    free(drain->as);
    free(drain->reason);
}

void drain_release(struct drain *drain)
{
    order_free(drain);
    free(drain->refused);
}

// ---- reports ------------------------------------------------------------------------------------

struct report {
    struct store_op_report report; // first
    struct drain as_told;          // its texts
};

static void report_on_done(struct store_op *op)
{
    struct report *report = CONTAINER_OF(op, struct report, report.op);
    struct engine *engine = op->context;
    engine->busy = true;
    if (!link_settled(op)) {
        return;
    }
    engine->drain.reporting = false;
    engine->unsealed = true;
    if (op->result == STORE_OK) {
        answers_reported(engine);
    } else {
        fleet_tell(engine); // was this node fenced?
    }
    order_free(&report->as_told);
    free(report->as_told.refused);
    link_free(op);
}

static void report_submit(struct engine *engine, int64_t definitions)
{
    struct drain *drain = &engine->drain;
    struct report *report = alloc_zero(1, sizeof *report);
    report->as_told = (struct drain){.actor = alloc_optional(drain->actor),
                                     .as = alloc_optional(drain->as),
                                     .reason = alloc_optional(drain->reason),
                                     .refused = alloc_optional(drain->refused)};
    report->report =
        (struct store_op_report){.op = {.kind = STORE_REPORT, .done = report_on_done},
                                 .node = engine->options.node,
                                 .definitions = definitions,
                                 .refused = report->as_told.refused,
                                 .draining_since = drain->on ? drain->since : INSTANT_NONE,
                                 .actor = report->as_told.actor,
                                 .as = report->as_told.as,
                                 .reason = report->as_told.reason};
    drain->told_definitions = definitions;
    drain->report_wanted = false;
    drain->reporting = true;
    answers_report(&engine->answers);
    link_submit(engine, &report->report.op);
}

// One at a time, so that an older one never comes after a newer one.
void drain_report(struct engine *engine)
{
    const struct drain *drain = &engine->drain;
    int64_t definitions = engine_version(engine);
    bool wanted = drain->report_wanted || definitions != drain->told_definitions;
    if (wanted && !drain->reporting && engine->options.schedules && !engine->fleet.fenced &&
        link_is_open(engine)) {
        report_submit(engine, definitions);
    }
}

void engine_refuses(struct engine *engine, const char *why)
{
    struct drain *drain = &engine->drain;
    bool same = why == NULL || drain->refused == NULL ? why == drain->refused
                                                      : strcmp(why, drain->refused) == 0;
    if (!same) {
        free(drain->refused);
        drain->refused = alloc_optional(why);
        drain->report_wanted = true;
        engine->busy = true;
    }
}

const char *engine_refused(const struct engine *engine)
{
    return engine->drain.refused;
}

// ---- what an operator wants ---------------------------------------------------------------------

bool engine_told_to_drain(const struct engine *engine, struct engine_drain_order *order_out)
{
    const struct drain *drain = &engine->drain;
    *order_out = (struct engine_drain_order){
        .since = drain->since, .by = drain->actor, .as = drain->as, .reason = drain->reason};
    return drain->on;
}

void drain_as_before(struct engine *engine, const struct store_drain *order)
{
    struct drain *drain = &engine->drain;
    if (engine->options.schedules && !instant_is_none(order->since)) {
        drain->on = true;
        drain->since = order->since;
        drain->actor = alloc_optional(order->by);
        drain->as = alloc_optional(order->as);
        drain->reason = alloc_optional(order->reason);
    }
}

static void take_order(struct engine *engine, const struct store_intent *intent, bool on)
{
    struct drain *drain = &engine->drain;
    order_free(drain);
    drain->on = on;
    drain->since = engine_now(engine);
    drain->actor = alloc_optional(intent->actor);
    drain->as = alloc_optional(intent->as);
    drain->reason = alloc_optional(intent->reason);
    fleet_tell(engine);
}

void drain_begin(struct engine *engine, const struct store_intent *intent)
{
    char since[FORMAT_TIME_SIZE];
    char text[320];
    const struct drain *drain = &engine->drain;
    int length = 0;
    if (drain->on) {
        format_utc_ms(drain->since, since);
        length = snprintf(text, sizeof text, "it drains already, since %s by %.100s; ", since,
                          drain->actor == NULL ? "?" : drain->actor);
    } else {
        take_order(engine, intent, true);
    }
    length += snprintf(text + length, sizeof text - (size_t)length, "%d %s there", engine->running,
                       engine->running == 1 ? "run goes on" : "runs go on");
    if (!fleet_has_other(engine)) {
        snprintf(text + length, sizeof text - (size_t)length,
                 "; no other node takes jobs: nothing starts until one does");
    }
    answer_after_report(engine, intent->intent_id, text);
}

// What the others have not taken over meanwhile goes on here.
void drain_end(struct engine *engine, const struct store_intent *intent)
{
    if (!engine->drain.on) {
        answer_after_report(engine, intent->intent_id, "it was not draining");
        return;
    }
    take_order(engine, intent, false);
    engine->drain.ended_at = engine->drain.since;
    engine->fleet.fence_wanted = !engine->options.alone;
    engine->fleet.fence_at = clock_mono(engine->options.clock);
    size_t at = 0;
    for (struct engine_job *job; (job = map_next(&engine->jobs, &at)) != NULL;) {
        decide_waiting(engine, job);
    }
    answer_after_report(engine, intent->intent_id, "it takes jobs again");
}

// ---- what waits here ----------------------------------------------------------------------------

static void let_retries_go(struct engine *engine, struct instant now)
{
    for (struct heap_node *top; (top = heap_top(&engine->retries)) != NULL;) {
        struct engine_retry *retry = CONTAINER_OF(top, struct engine_retry, planned);
        if (retry->abandoned || retry->job->removed) {
            heap_remove(&engine->retries, &retry->planned);
            decide_retry(engine, retry, now); // gives it up
        } else {
            retry_free(engine, retry);
        }
    }
}

static void let_afters_go(struct engine *engine)
{
    for (struct engine_after *after = engine->afters; after != NULL;) {
        struct engine_after *next = after->next;
        if (!after->asking && !after->proposed) {
            after_free(engine, after);
        }
        after = next;
    }
}

// Also while the active definitions cannot be executed: what others take over is forgotten here.
void drain_turn(struct engine *engine, struct instant now)
{
    bool may = !engine->draining && link_is_open(engine) && !engine->fleet.fenced &&
               !publish_is_under_way(engine) && fleet_is_trusted(engine);
    if (may && !engine->options.alone) {
        let_retries_go(engine, now);
        let_afters_go(engine);
    }
    if (may) {
        backfill_turn(engine);
    }
}
