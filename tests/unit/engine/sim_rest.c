// SPDX-License-Identifier: MIT
// What must be true when nothing has been wrong for a while: everything is decided, nothing waits
// for long, and nothing is left over.
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "audit/verify.h"
#include "store/model/model_private.h"
#include "time/format.h"

static void judge_nodes(struct sim *sim)
{
    const struct model_store *model = model_of(sim->store);
    for (size_t i = 0; i < model->live_count; i++) {
        const struct model_node *node = &model->nodes[model->live[i] - 1];
        if (model_is_overdue(model, node)) {
            sim_break(sim, JUDGE_REST, "%s is overdue", node->row.host);
        }
    }
    if (model_has_orphans(model, 0)) {
        sim_break(sim, JUDGE_REST, "something waits on dead nodes");
    }
}

// A backfill may take its time.
static void judge_wishes(struct sim *sim, struct instant before)
{
    const struct model_store *model = model_of(sim->store);
    for (size_t i = 0; i < model->intent_count; i++) {
        const struct store_intent *intent = &model->intents[i];
        if (intent->state == INTENT_PENDING && intent->kind != INTENT_BACKFILL &&
            instant_before(intent->created_at, before)) {
            sim_break(sim, JUDGE_REST, "the wish to %s %s was not answered",
                      store_intent_name(intent->kind), intent->job == NULL ? "a run" : intent->job);
        }
    }
}

static bool is_paused(const struct model_store *model, const char *job)
{
    for (size_t i = 0; i < model->control_count; i++) {
        const struct store_control_row *row = &model->controls[i];
        if (row->kind == CONTROL_PAUSE && instant_is_none(row->to) &&
            (row->job == NULL || strcmp(row->job, job) == 0)) {
            return true;
        }
    }
    return false;
}

static void judge_waiting(struct sim *sim, struct instant before)
{
    const struct model_store *model = model_of(sim->store);
    for (size_t i = 0; i < model->waiting_count; i++) {
        struct model_job *job = model->waiting[i].job;
        const struct model_slot *slot = model_slot_at(job, model->waiting[i].due_at);
        if (instant_before(slot->retry_at, before) && !is_paused(model, job->name)) {
            sim_break(sim, JUDGE_REST, "attempt %d of %s waits on", slot->attempt + 1, job->name);
        }
    }
}

static bool note_slot(void *context, struct instant slot)
{
    *(struct instant *)context = slot;
    return false;
}

// Where each run takes longer than there is until the next slot is due, they never catch up.
static bool goes_on(const struct model_job *job, struct instant now)
{
    struct instant lately = instant_add(now, DURATION_S(-30));
    const struct model_run *last = job->last_run;
    return job->started > 0 || (last != NULL && instant_before(lately, last->row.ended_at));
}

// By the recomputation of the audit, which shares nothing with the scheduler's.
static void judge_decided(struct sim *sim, struct instant before)
{
    const struct model_store *model = model_of(sim->store);
    for (size_t i = 0; i < model->job_count; i++) {
        const struct model_job *job = model->jobs[i];
        struct store_job row = model_job_row(job);
        struct instant slot = INSTANT_NONE;
        struct error err = ERROR_INIT;
        char due[FORMAT_TIME_SIZE];
        if (row.spec == NULL || goes_on(job, sim_time(sim))) {
            continue;
        }
        if (instant_before(job->high_water, before) &&
            !verify_recompute(row.spec, job->name, job->high_water, before, note_slot, &slot,
                              &err)) {
            fail_msg("%s", err.text);
        }
        if (!instant_is_none(slot)) {
            format_utc_ms(slot, due);
            sim_break(sim, JUDGE_REST, "%s due %s is undecided", job->name, due);
        }
    }
}

void sim_judge_rest(struct sim *sim)
{
    struct instant now = sim_time(sim);
    judge_nodes(sim);
    sim_judge_boots(sim);
    judge_wishes(sim, instant_add(now, (struct duration){-SIM_ANSWERED_WITHIN.us}));
    judge_waiting(sim, instant_add(now, (struct duration){-SIM_RUN_MOST.us}));
    judge_decided(sim, instant_add(now, (struct duration){-SIM_RUN_MOST.us}));
}
