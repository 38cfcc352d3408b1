// SPDX-License-Identifier: MIT
// Strangers in the store: sessions of no node, which have a job's row or its session lock in hand
// for a while. Nothing is written to that job meanwhile, and all others go on.
#include "sim.h"

#include <stdlib.h>

#include "store/model/model_private.h"

#define PASSES_FOR    DURATION_S(5) // the PostgreSQL store then waits for no row any more
#define WAITS_FOR_ROW DURATION_MS(500)
#define STRANGER      "session 7 (psql): select pg_terminate_backend(7)"
#define LOCKER        "session 8 (psql): select pg_terminate_backend(8)"

static struct model_job *job_of(const struct sim *sim, const struct sim_stranger *stranger)
{
    return map_get(&model_of(sim->store)->jobs_by_name, sim->names[stranger->job]);
}

// ---- they come and go ---------------------------------------------------------------------------

static struct sim_seen see(const struct model_job *job)
{
    return (struct sim_seen){job->high_water, job->last_success, job->started, job->force_count};
}

static bool is_same(const struct sim_seen *a, const struct sim_seen *b)
{
    return instant_equal(a->high_water, b->high_water) &&
           instant_equal(a->last_success, b->last_success) && a->started == b->started &&
           a->forces == b->forces;
}

static void go(struct sim *sim, size_t at)
{
    struct sim_stranger stranger = sim->strangers[at];
    struct model_job *job = job_of(sim, &stranger);
    struct sim_seen seen = see(job);
    const char *name = sim->names[stranger.job];
    sim->strangers[at] = sim->strangers[--sim->stranger_count];
    sim->free_since[stranger.job] = sim->now;
    if (stranger.locks) {
        model_store_lock(sim->store, name, NULL);
    } else {
        model_store_hold(sim->store, name, NULL);
    }
    if (stranger.locks ? seen.started > 0 : !is_same(&seen, &stranger.seen)) {
        sim_break(sim, JUDGE_STRANGER, "%s was written while a stranger had %s", name,
                  stranger.locks ? "its lock" : "it in hand");
    }
}

void sim_strangers_go(struct sim *sim)
{
    while (sim->stranger_count > 0) {
        go(sim, 0);
    }
    sim->stranger_at = MONO_NEVER;
}

static void come(struct sim *sim)
{
    int job = (int)sim_dice(sim, SIM_JOBS);
    uint32_t most = sim_dice(sim, 4) == 0 ? (uint32_t)(SIM_STRANGER_MOST.us / 1000000) : 50;
    int64_t seconds = 1 + sim_dice(sim, most);
    bool wants_lock = sim_dice(sim, 2) == 0 && sim->overlaps[job] != JOB_OVERLAP_ALLOW;
    struct sim_stranger stranger = {
        .job = job, .since = sim_time(sim), .until = mono_add(sim->now, DURATION_S(seconds))};
    const struct model_job *row = job_of(sim, &stranger);
    bool is_free = mono_before(sim->free_since[job], MONO_NEVER);
    if (row == NULL || !is_free || sim->stranger_count == SIM_STRANGERS) {
        return;
    }
    stranger.seen = see(row);
    stranger.locks = wants_lock && row->started == 0; // else its node has it
    sim->strangers[sim->stranger_count++] = stranger;
    sim->free_since[job] = MONO_NEVER;
    if (stranger.locks) {
        model_store_lock(sim->store, sim->names[job], LOCKER);
    } else {
        model_store_hold(sim->store, sim->names[job], STRANGER);
    }
}

void sim_strangers_work(struct sim *sim)
{
    for (size_t i = sim->stranger_count; i > 0; i--) {
        if (!mono_before(sim->now, sim->strangers[i - 1].until)) {
            go(sim, i - 1);
        }
    }
    if (!sim->plain && !mono_before(sim->now, sim->stranger_at)) {
        sim->stranger_at = mono_add(sim->now, DURATION_S(10 + sim_dice(sim, 120)));
        come(sim);
    }
}

struct mono sim_strangers_next(const struct sim *sim)
{
    struct mono next = sim->plain ? MONO_NEVER : sim->stranger_at;
    for (size_t i = 0; i < sim->stranger_count; i++) {
        struct mono until = sim->strangers[i].until;
        next = mono_before(until, next) ? until : next;
    }
    return next;
}

bool sim_is_free(const struct sim *sim, int job, struct mono since)
{
    return job < 0 || mono_before(sim->free_since[job], since);
}

// ---- what nodes find ----------------------------------------------------------------------------

static bool is_of_publication(const struct store_slot *slot)
{
    return (slot->decision == DECIDE_SKIP || slot->decision == DECIDE_MISS) &&
           slot->trigger == TRIGGER_SCHEDULE && slot->reason != REASON_THROTTLED;
}

// It is asked once more, since its answer was lost.
static bool is_done(const struct sim *sim, const struct store_slot *slot)
{
    bool runs = slot->decision == DECIDE_RUN;
    return runs && model_run_by_id(model_of(sim->store), slot->run_id) != NULL;
}

// Once a second by each node is what it may cost.
static void judge_refusal(struct sim *sim, const struct store_slot *slot)
{
    const struct model_job *job = model_job_at(model_of(sim->store), slot->job_id);
    struct sim_refusals *refusals = &sim->refusals[strtol(job->name + 4, NULL, 10)]; // "job-7"
    if (mono_since(sim->now, refusals->since).us > DURATION_S(10).us) {
        *refusals = (struct sim_refusals){sim->now, 0};
    }
    if (++refusals->count > 15 * SIM_NODES) {
        sim_break(sim, JUDGE_BUSY, "%s is asked for %d times in ten seconds", job->name,
                  refusals->count);
    }
}

static bool meets_in_decide(struct sim *sim, const struct store_op_decide *op, bool *closes)
{
    int met = 0;
    for (size_t i = 0; i < op->slot_count; i++) {
        const struct store_slot *slot = &op->slots[i];
        met += slot->verdict == VERDICT_LOCKED;
        bool overlap = slot->verdict == VERDICT_OVERLAP && !slot->skip_on_overlap;
        bool first = i == 0 || op->slots[i - 1].job_id != slot->job_id;
        bool planned = slot->trigger != TRIGGER_RETRY; // of those there may be many
        if (first && planned && (overlap || slot->verdict == VERDICT_LOCKED)) {
            judge_refusal(sim, slot);
        }
        if (slot->verdict == VERDICT_LOCKED && is_done(sim, slot)) {
            sim_doubt(sim, slot->job_id);
        }
        *closes = *closes || (slot->verdict == VERDICT_LOCKED && is_of_publication(slot));
        sim->kept_out += slot->verdict == VERDICT_OVERLAP && slot->holder != NULL;
    }
    sim->locked += met;
    return met > 0;
}

static bool meets_in_finish(struct sim *sim, const struct store_op_finish *op)
{
    int met = 0;
    for (size_t i = 0; i < op->end_count; i++) {
        met += op->ends[i].later;
    }
    sim->put_off += met;
    return met > 0;
}

static bool meets(struct sim *sim, const struct store_op *op, bool *publishes)
{
    switch (op->kind) {
    case STORE_DECIDE:
        return meets_in_decide(sim, CONTAINER_OF(op, const struct store_op_decide, op), publishes);
    case STORE_FINISH:
        return meets_in_finish(sim, CONTAINER_OF(op, const struct store_op_finish, op));
    default:
        *publishes = op->locked_out;
        return op->locked_out;
    }
}

// How long an operation that was just carried out has waited, and kept waiting what is behind it.
struct duration sim_strangers_wait(struct sim_node *node, const struct store_op *op)
{
    struct sim *sim = node->sim;
    bool publishes = false;
    if (!meets(sim, op, &publishes)) {
        return DURATION_S(0);
    }
    if (publishes) {
        sim_hinder(node, DURATION_S(4)); // until its definitions are in force it decides nothing
    }
    bool passes = op->kind != STORE_PUBLISH && mono_before(sim->now, node->passes_until);
    node->passes_until = mono_add(sim->now, PASSES_FOR);
    return passes ? DURATION_S(0) : WAITS_FOR_ROW;
}

void sim_judge_stranger(struct sim *sim, const struct sim_execution *new)
{
    const struct model_run *run = model_run_by_id(model_of(sim->store), new->run_id);
    for (size_t i = 0; i < sim->stranger_count && run != NULL; i++) {
        const struct sim_stranger *stranger = &sim->strangers[i];
        if (stranger->job == new->job && instant_before(stranger->since, run->row.started_at)) {
            sim_break(sim, JUDGE_STRANGER, "%s was claimed while a stranger had %s",
                      sim->names[new->job], stranger->locks ? "its lock" : "it in hand");
        }
    }
}
