// SPDX-License-Identifier: MIT
// What an intent that this node has taken leads to: run, retry, backfill, cancel, drain, reload.
#include "engine/engine_private.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

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

static const char cannot_execute[] =
    "no node that executes the definitions in force took it, and this one cannot execute them; "
    "what it lacks says: ironcron nodes";

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
        answer_refuse(engine, intent->intent_id, no_such_job);
        return;
    }
    struct error wrong = ERROR_INIT;
    if (!job_params_check(job->job, intent->params, &wrong)) {
        answer_refuse(engine, intent->intent_id, wrong.text);
        return;
    }
    const char *why = why_not_here(engine, job->job);
    if (why != NULL) {
        answer_refuse(engine, intent->intent_id, why);
        return;
    }
    if (!decide_has_capacity(engine)) {
        char text[160];
        snprintf(
            text, sizeof text,
            "all %d places of node.max_running are taken: see `ironcron runs --state STARTED`, or "
            "cancel one",
            engine->options.max_running);
        answer_refuse(engine, intent->intent_id, text);
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
        answer_refuse(engine, intent->intent_id, why);
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
        answer_refuse(engine, intent->intent_id, why);
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

void carry_out_cancel(struct engine *engine, const struct store_intent *intent, int *runs_out,
                      int *backfills_out)
{
    size_t at = 0;
    struct engine_job *job = intent->job == NULL ? NULL : map_get(&engine->jobs, intent->job);
    *runs_out = *backfills_out = 0;
    if (job != NULL && intent->params != NULL) {
        *runs_out = replace_by_wish(engine, job, intent->params);
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

void carry_out_cancelled(struct engine *engine, const struct store_intent *intent, int cancelled,
                         int backfills)
{
    if (cancelled == 0 && backfills == 0) {
        answer_refuse(engine, intent->intent_id,
                      "nothing of it is running now (see: ironcron runs --state started)");
        return;
    }
    char text[96];
    snprintf(text, sizeof text, "%d %s told to end%s", cancelled, cancelled == 1 ? "run" : "runs",
             backfills > 0 ? ", and its backfill given up" : "");
    answer_run(engine, intent->intent_id, intent->run_id, text);
}

static void intent_cancel(struct engine *engine, const struct store_intent *intent)
{
    int runs;
    int backfills;
    carry_out_cancel(engine, intent, &runs, &backfills);
    carry_out_cancelled(engine, intent, runs, backfills);
}

static void intent_drain(struct engine *engine, const struct store_intent *intent)
{
    if (!uuid_equal(intents_named(intent), engine->options.node)) {
        answer_refuse(engine, intent->intent_id, node_is_gone);
    } else if (engine->draining) {
        answer_refuse(engine, intent->intent_id, "the node is stopping");
    } else if (!engine->options.schedules) {
        answer_refuse(engine, intent->intent_id,
                      "it is there for one command only, and leaves by itself");
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
        answer_refuse(engine, intent->intent_id, node_is_gone);
        return;
    }
    ARRAY_RESERVE(engine->reload_intents, engine->reload_count, engine->reload_capacity);
    engine->reload_intents[engine->reload_count++] = intent->intent_id;
}

void carry_out(struct engine *engine, const struct store_intent *intent)
{
    if (!answer_begin(engine, intent->intent_id)) {
        return;
    }
    if (intents_are_in_vain(engine, intent)) {
        answer_refuse(engine, intent->intent_id, cannot_execute);
        return;
    }
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
