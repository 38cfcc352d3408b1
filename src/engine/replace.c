// SPDX-License-Identifier: MIT
// overlap: replace. A newer slot takes the place of the older ones of its job: what runs is ended,
// what would be tried again is given up. Another node does so by an intent, since only the node
// that has a run can end it.
#include "engine/engine_private.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

// Who could not see the wish that its run make way is asked again: the first one has been answered.
#define REPLACE_EVERY DURATION_S(10)

// ---- on other nodes -----------------------------------------------------------------------------

struct replacing {
    struct store_op_intent_put put; // first
    char *job;
    char params[64];
};

static void put_on_done(struct store_op *op)
{
    struct replacing *replacing = CONTAINER_OF(op, struct replacing, put.op);
    link_answered(op);
    free(replacing->job);
    link_free(op);
}

// The same for the same slot, whoever asks for it: of the job, the slot, the time since, and this
// purpose.
static struct uuid replacing_id(const struct engine *engine, const struct engine_job *job)
{
    uint64_t due = (uint64_t)instant_ms(job->waiting_due);
    int64_t since = instant_since(engine_now(engine), job->waiting_due).us;
    uint64_t asking = (uint64_t)(since < 0 ? 0 : since / REPLACE_EVERY.us);
    uint64_t number = (uint64_t)job->job_id | asking << 40;
    uint8_t rest[10] = {'r', 'e'};
    for (int i = 0; i < 8; i++) {
        rest[9 - i] = (uint8_t)(number >> (8 * i));
    }
    return uuid_v7((int64_t)due, rest);
}

static void ask_others(struct engine *engine, struct engine_job *job)
{
    struct replacing *replacing = alloc_zero(1, sizeof *replacing);
    replacing->job = alloc_string(job->job->name);
    snprintf(replacing->params, sizeof replacing->params, "{\"replaced_by\":\"%lld\"}",
             (long long)instant_ms(job->waiting_due));
    replacing->put =
        (struct store_op_intent_put){.op = {.kind = STORE_INTENT_PUT, .done = put_on_done},
                                     .intent = {.intent_id = replacing_id(engine, job),
                                                .kind = INTENT_CANCEL,
                                                .job = replacing->job,
                                                .params = replacing->params,
                                                .actor = "overlap: replace"}};
    job->replace_again = instant_add(engine_now(engine), REPLACE_EVERY);
    link_submit(engine, &replacing->put.op);
}

// ---- what makes way -----------------------------------------------------------------------------

void replace_older(struct engine *engine, struct engine_job *job)
{
    if (job->runs_elsewhere || job->waits_elsewhere) {
        ask_others(engine, job);
    }
    for (struct engine_run_live *run = job->runs; run != NULL; run = run->next) {
        run_cancel(run, "overlap: replace", false);
    }
    retry_abandon(engine, job);
}

void replace_again(struct engine *engine, struct engine_job *job)
{
    bool waits = job->wait == WAIT_OVERLAP && job->job->overlap == JOB_OVERLAP_REPLACE;
    if (waits && (job->runs_elsewhere || job->waits_elsewhere) &&
        !instant_before(engine_now(engine), job->replace_again)) {
        ask_others(engine, job);
    }
}

// A newer slot takes the place of what runs, on whatever node; but not of a backfill's run.
int replace_by_wish(struct engine *engine, struct engine_job *job, const char *params)
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
