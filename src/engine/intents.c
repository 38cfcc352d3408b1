// SPDX-License-Identifier: MIT
// Whose is an operator's wish? In a fleet all nodes see all intents. One is carried out by the node
// that has taken it (STORE_INTENT_OWN): the first for its job tries so at once, the others a little
// later each, so that a node that hangs holds nothing up. A run is cancelled by the node that has
// it.
#include "engine/engine_private.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define NOBODY_HAS DURATION_MS(2500) // then a run that is to be cancelled is nowhere
#define ALL_SAW    DURATION_S(3)     // then every node has ended its runs of a job
#define NONE_SAW   DURATION_S(4)     // then there were none
#define NONE_CAN   DURATION_S(8)     // then no node can that executes the definitions in force

struct intent_seen { // to cancel a job, here
    struct uuid intent_id;
    int runs, backfills;
    bool pending; // in the present reading
};

// ---- taking one ---------------------------------------------------------------------------------

static void own_on_done(struct store_op *op)
{
    const struct store_op_intent_own *taking = CONTAINER_OF(op, struct store_op_intent_own, op);
    struct engine *engine = op->context;
    link_answered(op);
    if (op->result == STORE_OK && taking->own) {
        engine->store_changed = true; // it is read again, as ours
        engine->busy = true;
    } else if (op->result == STORE_OK && !uuid_is_nil(taking->behind)) {
        char why[BACKFILL_BEHIND_SIZE];
        backfill_behind(taking->behind, why);
        answer_refuse(engine, taking->intent_id, why);
    } else if (op->result == STORE_REFUSED) {
        fleet_tell(engine); // was this node fenced?
    }
    link_free(op);
}

static void take(struct engine *engine, const struct store_intent *intent)
{
    struct store_op_intent_own *taking = alloc_zero(1, sizeof *taking);
    *taking = (struct store_op_intent_own){.op = {.kind = STORE_INTENT_OWN, .done = own_on_done},
                                           .node = engine->options.node,
                                           .intent_id = intent->intent_id};
    link_submit(engine, &taking->op);
}

static struct duration age(const struct engine *engine, const struct store_intent *intent)
{
    return instant_since(engine_now(engine), intent->created_at);
}

// By its place among the nodes; `after` = how long all of them wait first.
static void take_in_turn(struct engine *engine, const struct store_intent *intent, int rank,
                         struct duration after)
{
    if (rank >= 0 && age(engine, intent).us >= after.us + fleet_delay(rank).us) {
        take(engine, intent);
    }
}

static int rank_for(const struct engine *engine, const struct store_intent *intent)
{
    return fleet_rank_of(engine, intent->intent_id.bytes, sizeof intent->intent_id.bytes);
}

// ---- runs ---------------------------------------------------------------------------------------

static void consider_job(struct engine *engine, const struct store_intent *intent)
{
    const struct engine_job *job = map_get(&engine->jobs, intent->job);
    bool begun = intent->kind == INTENT_BACKFILL && intent->answer != NULL;
    if (!engine->options.schedules) {
        take(engine, intent); // this node came to carry out intents
    } else if (begun && job != NULL && fleet_all_drain(engine, job->job)) {
        return; // it waits for one that takes jobs
    } else if (job == NULL || job->removed || !fleet_has_node(engine, job->job)) {
        take_in_turn(engine, intent, rank_for(engine, intent), NOBODY_HAS); // to refuse it
    } else {
        take_in_turn(engine, intent, fleet_rank(engine, job->job), (struct duration){0});
    }
}

static bool has_run(const struct engine *engine, struct uuid run_id)
{
    size_t at = 0;
    for (const struct engine_job *job; (job = map_next(&engine->jobs, &at)) != NULL;) {
        for (const struct engine_run_live *run = job->runs; run != NULL; run = run->next) {
            if (uuid_equal(run->facts.run_id, run_id)) {
                return true;
            }
        }
    }
    return false;
}

// ---- cancelling a job, on every node ------------------------------------------------------------

void intents_begin(struct engine *engine)
{
    struct fleet *fleet = &engine->fleet;
    size_t left = 0;
    for (size_t i = 0; i < fleet->seen_count; i++) {
        if (fleet->seen[i].pending) {
            fleet->seen[left] = fleet->seen[i];
            fleet->seen[left++].pending = false;
        }
    }
    fleet->seen_count = left;
    fleet->intents_pending = false;
}

static struct intent_seen *seen(struct fleet *fleet, struct uuid intent_id)
{
    for (size_t i = 0; i < fleet->seen_count; i++) {
        if (uuid_equal(fleet->seen[i].intent_id, intent_id)) {
            return &fleet->seen[i];
        }
    }
    return NULL;
}

static struct intent_seen *see(struct engine *engine, const struct store_intent *intent)
{
    struct fleet *fleet = &engine->fleet;
    ARRAY_RESERVE(fleet->seen, fleet->seen_count, fleet->seen_capacity);
    struct intent_seen *entry = &fleet->seen[fleet->seen_count++];
    *entry = (struct intent_seen){.intent_id = intent->intent_id};
    carry_out_cancel(engine, intent, &entry->runs, &entry->backfills);
    return entry;
}

// The answer waits until all have seen it, since one that has ended is seen no more.
static void cancel_job(struct engine *engine, const struct store_intent *intent)
{
    struct intent_seen *entry = seen(&engine->fleet, intent->intent_id);
    entry = entry == NULL ? see(engine, intent) : entry;
    entry->pending = true;
    bool ours = uuid_equal(intent->node, engine->options.node);
    int ended = entry->runs + entry->backfills;
    if (ours && age(engine, intent).us >= ALL_SAW.us) {
        carry_out_cancelled(engine, intent, entry->runs, entry->backfills);
    } else if (uuid_is_nil(intent->node) && ended > 0) {
        take(engine, intent);
    } else if (uuid_is_nil(intent->node)) {
        take_in_turn(engine, intent, rank_for(engine, intent), NONE_SAW);
    }
}

struct uuid intents_named(const struct store_intent *intent)
{
    struct uuid node = {{0}};
    json_t *params = intent->params == NULL ? NULL : json_loads(intent->params, 0, NULL);
    const char *text = json_string_value(json_object_get(params, "node"));
    bool named = text != NULL && uuid_parse(text, &node);
    json_decref(params);
    return named ? node : (struct uuid){{0}};
}

// Each node has files of its own: a reload may name the node whose files are meant. What is wanted
// of a node that is gone is refused by another.
static void consider_named(struct engine *engine, const struct store_intent *intent)
{
    struct uuid node = intents_named(intent);
    if (uuid_equal(node, engine->options.node)) {
        take(engine, intent);
    } else if (uuid_is_nil(node)) {
        take_in_turn(engine, intent, rank_for(engine, intent), (struct duration){0});
    } else if (!fleet_is_member(engine, node)) {
        take_in_turn(engine, intent, rank_for(engine, intent), NOBODY_HAS);
    }
}

// ---- all of them --------------------------------------------------------------------------------

static void consider(struct engine *engine, const struct store_intent *intent)
{
    switch (intent->kind) {
    case INTENT_RUN:
    case INTENT_RETRY:
    case INTENT_BACKFILL:
        consider_job(engine, intent);
        break;
    case INTENT_CANCEL:
        if (has_run(engine, intent->run_id)) {
            take(engine, intent);
        } else {
            take_in_turn(engine, intent, rank_for(engine, intent), NOBODY_HAS);
        }
        break;
    case INTENT_RELOAD:
    case INTENT_DRAIN:
    case INTENT_RESUME:
        consider_named(engine, intent);
        break;
    case INTENT_KIND_COUNT:
        break;
    }
}

// A backfill that has begun waits for whoever can go on with it.
static bool begins_something(const struct store_intent *intent)
{
    return intent->kind == INTENT_RUN || intent->kind == INTENT_RETRY ||
           intent->kind == INTENT_BACKFILL;
}

bool intents_are_in_vain(const struct engine *engine, const struct store_intent *intent)
{
    bool has_begun = intent->kind == INTENT_BACKFILL && intent->answer != NULL;
    return begins_something(intent) && !has_begun && engine->drain.refused != NULL &&
           fleet_is_outdated(engine);
}

// A backfill that was taken while this node was told to drain: another one is to have it, and one
// that has begun waits for a node that takes jobs.
static bool hands_over(struct engine *engine, const struct store_intent *intent)
{
    bool hands = intent->kind == INTENT_BACKFILL && engine->drain.on &&
                 (fleet_has_other(engine) || intent->answer != NULL);
    engine->drain.report_wanted = engine->drain.report_wanted || hands;
    return hands;
}

bool intents_is_ours(struct engine *engine, const struct store_intent *intent)
{
    if (engine->options.alone) {
        return true;
    }
    bool ours = uuid_equal(intent->node, engine->options.node);
    bool begins = begins_something(intent);
    if (intent->kind == INTENT_CANCEL && uuid_is_nil(intent->run_id)) {
        engine->fleet.intents_pending = true;
        cancel_job(engine, intent);
        return false;
    }
    if (ours && (!begins || fleet_may_act(engine))) {
        return !hands_over(engine, intent);
    }
    bool vain = intents_are_in_vain(engine, intent);
    if (ours && vain) {
        return true; // to refuse it
    }
    if (ours || uuid_is_nil(intent->node)) {
        engine->fleet.intents_pending = true;
    }
    // One that stops begins nothing any more, but what it runs can be cancelled.
    bool may = begins ? !engine->draining && fleet_may_act(engine)
                      : !engine->draining || intent->kind != INTENT_RELOAD;
    if (uuid_is_nil(intent->node) && may) {
        consider(engine, intent);
    } else if (uuid_is_nil(intent->node) && vain && !engine->draining) {
        take_in_turn(engine, intent, rank_for(engine, intent), NONE_CAN);
    }
    return false;
}
