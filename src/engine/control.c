// SPDX-License-Identifier: MIT
// What operators want: the controls in force (pause, dry-run, throttle) and their intents (run,
// cancel, reload, backfill, retry, drain). Read in one operation whenever somebody else has written
// to the store.
#include "engine/engine_private.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "job/params.h"
#include "time/format.h"

void engine_manual_free(struct engine_manual *manual)
{
    if (manual == NULL) {
        return;
    }
    free(manual->actor);
    free(manual->params);
    free(manual->detail);
    free(manual);
}

// ---- controls -----------------------------------------------------------------------------------

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

// ---- answers to intents -------------------------------------------------------------------------

struct intent_end {
    struct store_op_intent_end end; // first
    struct engine *engine;
    char *answer;
};

void control_forget(struct engine *engine, struct uuid intent_id)
{
    for (size_t i = 0; i < engine->handling_count; i++) {
        if (uuid_equal(engine->handling[i], intent_id)) {
            engine->handling[i] = engine->handling[--engine->handling_count];
            return;
        }
    }
}

static bool is_handling(const struct engine *engine, struct uuid intent_id)
{
    for (size_t i = 0; i < engine->handling_count; i++) {
        if (uuid_equal(engine->handling[i], intent_id)) {
            return true;
        }
    }
    return false;
}

static void intent_end_on_done(struct store_op *op)
{
    struct intent_end *end = CONTAINER_OF(op, struct intent_end, end.op);
    struct engine *engine = end->engine;
    engine->busy = true;
    if (!link_settled(engine, op)) {
        return;
    }
    control_forget(engine, end->end.intent_id);
    store_op_release(op);
    free(end->answer);
    free(end);
}

void control_answer(struct engine *engine, struct uuid intent_id, enum store_intent_state state,
                    struct uuid run_id, const char *answer)
{
    struct intent_end *end = alloc_zero(1, sizeof *end);
    end->engine = engine;
    end->answer = alloc_string(answer);
    end->end =
        (struct store_op_intent_end){.op = {.kind = STORE_INTENT_END, .done = intent_end_on_done},
                                     .intent_id = intent_id,
                                     .state = state,
                                     .run_id = run_id,
                                     .answer = end->answer};
    engine->operations++;
    store_submit(engine->options.store, &end->end.op);
}

static void refuse(struct engine *engine, const struct store_intent *intent, const char *why)
{
    control_answer(engine, intent->intent_id, INTENT_REFUSED, (struct uuid){{0}}, why);
}

// ---- intents ------------------------------------------------------------------------------------

static struct engine_job *job_wanted(struct engine *engine, const struct store_intent *intent)
{
    struct engine_job *job = intent->job == NULL ? NULL : map_get(&engine->jobs, intent->job);
    return job == NULL || job->removed ? NULL : job;
}

static void add_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL) {
        json_object_set_new(object, key, json_string(text));
    }
}

// Who wanted it, besides the authenticated actor, and why. Parameters may be secrets: not here.
static char *manual_detail(const struct store_intent *intent, int attempt, const char *due_at)
{
    json_t *detail = json_pack("{s:i, s:s, s:s*}", "attempt", attempt, "trigger",
                               due_at == NULL ? "manual" : "retry", "due_at", due_at);
    add_text(detail, "as", intent->as);
    add_text(detail, "reason", intent->reason);
    char *text = json_dumps(detail, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(detail);
    return text;
}

static struct engine_manual *manual_new(const struct store_intent *intent)
{
    struct engine_manual *manual = alloc_zero(1, sizeof *manual);
    manual->intent_id = intent->intent_id;
    manual->actor = alloc_string(intent->actor == NULL ? "" : intent->actor);
    return manual;
}

static const char no_such_job[] =
    "this node has no such job: is its configuration older? Try `ironcron reload`";

static const char no_such_node[] =
    "no live node with the labels that the job's `nodes` asks for took it; is one there? See: "
    "ironcron nodes";

static const char node_is_gone[] = "that node is not there any more. All nodes: ironcron nodes";

// Why this node does not begin anything for the job, whoever asks; NULL = it may.
static const char *why_not_here(const struct engine *engine, const struct job *job)
{
    if (engine->options.schedules && fleet_all_drain(engine, job)) {
        return "all live nodes that may run it are draining; let one take jobs again: ironcron "
               "nodes resume NODE";
    }
    return !fleet_may_run(engine, job) ? no_such_node
           : engine->drain.on          ? "the node was just told to drain; ask once more"
           : engine->draining ? "the node is stopping; the next one can do it: ironcron serve"
                              : NULL;
}

static void intent_run(struct engine *engine, const struct store_intent *intent)
{
    struct engine_job *job = job_wanted(engine, intent);
    if (job == NULL) {
        refuse(engine, intent, no_such_job);
        return;
    }
    struct error wrong = ERROR_INIT;
    if (!job_params_check(job->job, intent->params, &wrong)) {
        refuse(engine, intent, wrong.text);
        return;
    }
    const char *why = why_not_here(engine, job->job);
    if (why != NULL) {
        refuse(engine, intent, why);
        return;
    }
    if (!decide_has_capacity(engine)) {
        char text[160];
        snprintf(
            text, sizeof text,
            "all %d places of node.max_running are taken: see `ironcron runs --state STARTED`, or "
            "cancel one",
            engine->options.max_running);
        refuse(engine, intent, text);
        return;
    }
    struct engine_manual *manual = manual_new(intent);
    manual->params = alloc_optional(intent->params);
    manual->detail = manual_detail(intent, 1, NULL);
    decide_manual(engine, job, manual, intent->dry_run);
}

static void intent_retry(struct engine *engine, const struct store_intent *intent)
{
    struct engine_job *job = job_wanted(engine, intent);
    json_t *wish = intent->params == NULL ? NULL : json_loads(intent->params, 0, NULL);
    const char *due_at = json_string_value(json_object_get(wish, "due_at"));
    const char *attempt = json_string_value(json_object_get(wish, "attempt"));
    struct engine_manual *manual = manual_new(intent);
    struct error ignored = ERROR_INIT;
    manual->attempt = attempt == NULL ? 0 : (int)strtol(attempt, NULL, 10);
    bool understood = manual->attempt > 0 && due_at != NULL &&
                      format_parse_time(due_at, INSTANT_NONE, &manual->due_at, &ignored);
    manual->detail = manual_detail(intent, manual->attempt, due_at);
    json_decref(wish);
    const char *not_here = job == NULL ? no_such_job : why_not_here(engine, job->job);
    const char *why =
        not_here != NULL ? not_here
        : !understood    ? "the slot is not understood"
        : decide_is_dry(engine, job)
            ? "a dry-run is in force: it would execute nothing, and hide what happened"
        : !decide_has_capacity(engine) ? "all places of node.max_running are taken"
                                       : NULL;
    if (why != NULL) {
        refuse(engine, intent, why);
        engine_manual_free(manual);
        return;
    }
    decide_manual(engine, job, manual, false);
}

static void intent_backfill(struct engine *engine, const struct store_intent *intent)
{
    struct engine_job *job = job_wanted(engine, intent);
    const char *why = job == NULL ? no_such_job : why_not_here(engine, job->job);
    why = why == NULL ? backfill_begin(engine, job, intent) : why;
    if (why != NULL) {
        refuse(engine, intent, why);
    }
}

static void who(const struct store_intent *intent, char by[512])
{
    snprintf(by, 512, "%s%s%s%s%s", intent->actor == NULL ? "?" : intent->actor,
             intent->as == NULL ? "" : " as ", intent->as == NULL ? "" : intent->as,
             intent->reason == NULL ? "" : ": ", intent->reason == NULL ? "" : intent->reason);
}

static int cancel_of_job(struct engine_job *job, const struct store_intent *intent)
{
    int cancelled = 0;
    char by[512];
    who(intent, by);
    for (struct engine_run_live *run = job->runs; run != NULL; run = run->next) {
        bool meant = uuid_is_nil(intent->run_id) || uuid_equal(intent->run_id, run->facts.run_id);
        if (meant && !run->ended) {
            run_cancel(run, by, false);
            cancelled++;
        }
    }
    return cancelled;
}

// A newer slot takes the place of what runs, on whatever node; but not of a backfill's run.
static int replace_here(struct engine *engine, struct engine_job *job, const char *params)
{
    json_t *wish = json_loads(params, 0, NULL);
    const char *text = json_string_value(json_object_get(wish, "replaced_by"));
    struct instant due = instant_from_ms(text == NULL ? 0 : strtoll(text, NULL, 10));
    json_decref(wish);
    int older = 0;
    for (struct engine_run_live *run = job->runs; run != NULL; run = run->next) {
        if (instant_before(run->facts.due_at, due) && !decide_is_backfilling(job)) {
            run_cancel(run, "overlap: replace", false);
            older++;
        }
    }
    if (job->running == 0 && job->retries > 0) {
        older += job->retries;
        retry_abandon(engine, job);
    }
    return older;
}

void control_cancel(struct engine *engine, const struct store_intent *intent, int *runs_out,
                    int *backfills_out)
{
    size_t at = 0;
    struct engine_job *job = intent->job == NULL ? NULL : map_get(&engine->jobs, intent->job);
    *runs_out = *backfills_out = 0;
    if (job != NULL && intent->params != NULL) {
        *runs_out = replace_here(engine, job, intent->params);
    } else if (job != NULL) {
        char by[512];
        who(intent, by);
        *runs_out = cancel_of_job(job, intent);
        *backfills_out = backfill_stop(engine, job, by);
    }
    while (intent->job == NULL && (job = map_next(&engine->jobs, &at)) != NULL) {
        *runs_out += cancel_of_job(job, intent);
    }
}

void control_cancelled(struct engine *engine, const struct store_intent *intent, int cancelled,
                       int backfills)
{
    if (cancelled == 0 && backfills == 0) {
        refuse(engine, intent, "nothing of it is running now (see: ironcron runs --state started)");
        return;
    }
    char text[96];
    snprintf(text, sizeof text, "%d %s told to end%s", cancelled, cancelled == 1 ? "run" : "runs",
             backfills > 0 ? ", and its backfill given up" : "");
    control_answer(engine, intent->intent_id, INTENT_DONE, intent->run_id, text);
}

static void intent_cancel(struct engine *engine, const struct store_intent *intent)
{
    int runs;
    int backfills;
    control_cancel(engine, intent, &runs, &backfills);
    control_cancelled(engine, intent, runs, backfills);
}

static void intent_drain(struct engine *engine, const struct store_intent *intent)
{
    if (!uuid_equal(intents_named(intent), engine->options.node)) {
        refuse(engine, intent, node_is_gone);
    } else if (engine->draining) {
        refuse(engine, intent, "the node is stopping");
    } else if (!engine->options.schedules) {
        refuse(engine, intent, "it is there for one command only, and leaves by itself");
    } else if (intent->kind == INTENT_DRAIN) {
        drain_begin(engine, intent);
    } else {
        drain_end(engine, intent);
    }
}

// Where this node is alone it is meant whatever it was called when that was said.
static void intent_reload(struct engine *engine, const struct store_intent *intent)
{
    struct uuid named = intents_named(intent);
    if (!engine->options.alone && !uuid_is_nil(named) && !uuid_equal(named, engine->options.node)) {
        refuse(engine, intent, node_is_gone);
        return;
    }
    ARRAY_RESERVE(engine->reload_intents, engine->reload_count, engine->reload_capacity);
    engine->reload_intents[engine->reload_count++] = intent->intent_id;
}

static void intent_carry_out(struct engine *engine, const struct store_intent *intent)
{
    if (is_handling(engine, intent->intent_id)) {
        return;
    }
    ARRAY_RESERVE(engine->handling, engine->handling_count, engine->handling_capacity);
    engine->handling[engine->handling_count++] = intent->intent_id;
    switch (intent->kind) {
    case INTENT_RUN:
        intent_run(engine, intent);
        break;
    case INTENT_CANCEL:
        intent_cancel(engine, intent);
        break;
    case INTENT_RELOAD:
        intent_reload(engine, intent);
        break;
    case INTENT_BACKFILL:
        intent_backfill(engine, intent);
        break;
    case INTENT_RETRY:
        intent_retry(engine, intent);
        break;
    case INTENT_DRAIN:
    case INTENT_RESUME:
        intent_drain(engine, intent);
        break;
    case INTENT_KIND_COUNT:
        break;
    }
}

// ---- reading ------------------------------------------------------------------------------------

struct intent_take {
    struct store_op_intent_take take; // first
    struct engine *engine;
    struct instant sent;
};

static void take_on_done(struct store_op *op)
{
    struct intent_take *take = CONTAINER_OF(op, struct intent_take, take.op);
    struct engine *engine = take->engine;
    engine->operations--;
    engine->reading_intents = false;
    engine->busy = true;
    link_answered(engine, op);
    if (op->result == STORE_OK) {
        controls_apply(engine, take->take.controls, take->take.control_count);
        engine->pauses.known_until = instant_add(take->sent, DURATION_S(-10)); // clocks may differ
        intents_begin(engine);
        for (size_t i = 0; i < take->take.intent_count && !engine->fleet.fenced; i++) {
            if (intents_is_ours(engine, &take->take.intents[i])) {
                intent_carry_out(engine, &take->take.intents[i]);
            }
        }
    } else {
        engine->store_changed = true; // still unread
    }
    store_op_release(op);
    free(take);
}

void control_turn(struct engine *engine)
{
    bool may = link_is_open(engine) && !engine->fleet.fenced && !publish_is_under_way(engine);
    if (!engine->store_changed || engine->reading_intents || !may) {
        return;
    }
    struct intent_take *take = alloc_zero(1, sizeof *take);
    take->engine = engine;
    take->take.op.kind = STORE_INTENT_TAKE;
    take->take.op.done = take_on_done;
    take->take.ended_since = engine->pauses.known_until;
    take->sent = engine_now(engine);
    engine->store_changed = false;
    engine->reading_intents = true;
    engine->operations++;
    store_submit(engine->options.store, &take->take.op);
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
