// SPDX-License-Identifier: MIT
// What must never happen, found from what the runners executed and when. The ledger has a judge of
// its own, which recomputes the slots (audit).
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/verify.h"
#include "base/alloc.h"
#include "store/model/model_private.h"
#include "time/format.h"

const char *sim_judge_name(enum sim_judge judge)
{
    static const char *const names[JUDGE_COUNT] = {
        "overlap", "twice", "claim",  "trust", "late",  "labels", "early",    "dry-run",
        "record",  "rest",  "ledger", "boot",  "drain", "slow",   "stranger", "busy"};
    return names[judge];
}

void sim_break(struct sim *sim, enum sim_judge judge, const char *format, ...)
{
    if (sim->broken[judge]++ > 0) {
        return;
    }
    char at[FORMAT_TIME_SIZE];
    char *first = sim->first[judge];
    format_utc_ms(sim_time(sim), at);
    size_t length = (size_t)snprintf(first, sizeof sim->first[judge], "%s ", at);
    va_list args;
    va_start(args, format);
    vsnprintf(first + length, sizeof sim->first[judge] - length, format, args);
    va_end(args);
}

// A claim that was cut off is sent again when its node is back, and nobody has the job in hand any
// more.
static bool is_doubtful(const struct sim *sim, int job, struct mono at)
{
    for (size_t i = sim->doubt_count; i > 0; i--) {
        const struct sim_doubt *doubt = &sim->doubts[i - 1];
        if (doubt->job == job && mono_before(doubt->since, at) &&
            mono_since(at, doubt->since).us < SIM_SLOW_REACH.us + SIM_STRANGER_MOST.us) {
            return true;
        }
    }
    return false;
}

// ---- at each start ------------------------------------------------------------------------------

static void judge_wish(struct sim *sim, const struct sim_execution *new)
{
    if (new->trigger == TRIGGER_MANUAL && ++sim->granted[new->job] > sim->wishes[new->job]) {
        sim_break(sim, JUDGE_TWICE, "%s ran more often than was wished", sim->names[new->job]);
    }
}

static void judge_claim(struct sim_node *node, const struct sim_execution *new)
{
    const struct model_run *run = model_run_by_id(model_of(node->store), new->run_id);
    if (run == NULL || run->row.state != RUN_STARTED || run->row.fence != new->fence ||
        !uuid_equal(run->row.node, node->id)) {
        sim_break(node->sim, JUDGE_CLAIM, "%s on %s: %s", node->sim->names[new->job], node->host,
                  run == NULL ? "no row" : run_state_name(run->row.state));
    }
}

static void judge_labels(struct sim_node *node, const struct sim_execution *new)
{
    enum sim_region wanted = node->sim->regions[new->job];
    if (wanted != SIM_ANY && wanted != node->region) {
        sim_break(node->sim, JUDGE_LABELS, "%s on %s", node->sim->names[new->job], node->host);
    }
}

// A backfill can open a slot again in the very moment in which all were found good.
static bool is_being_backfilled(const struct model_slot *slot)
{
    return slot->outcome == SLOT_OPEN && slot->run != NULL &&
           slot->run->row.trigger == TRIGGER_BACKFILL;
}

// All slots of the day that are due by then must be good, and decided.
static void judge_early(struct sim *sim, const struct sim_execution *new)
{
    bool waits = new->trigger == TRIGGER_SCHEDULE || new->trigger == TRIGGER_CATCHUP;
    const int *after = waits ? sim_after(new->job) : NULL;
    struct instant day = {new->due_at.us / 86400000000 * 86400000000};
    for (; after != NULL && *after >= 0; after++) {
        const struct model_job *job =
            map_get(&model_of(sim->store)->jobs_by_name, sim->names[*after]);
        struct instant last = sim_last_due(*after, new->due_at);
        bool good = !instant_before(job->high_water, last);
        for (size_t i = job->slot_count; i > 0; i--) {
            const struct model_slot *slot = &job->slots[i - 1];
            bool counts = !instant_before(slot->due_at, day) &&
                          !instant_before(new->due_at, slot->due_at) && !is_being_backfilled(slot);
            good = good && (!counts || slot->outcome == SLOT_SUCCESS);
        }
        if (!good) {
            sim_break(sim, JUDGE_EARLY, "%s before %s", sim->names[new->job], sim->names[*after]);
        }
    }
}

// A control takes effect everywhere within two seconds, on nodes that nothing hinders.
static void judge_dry(struct sim_node *node, const struct sim_execution *new)
{
    struct sim *sim = node->sim;
    struct mono before = mono_add(sim->now, DURATION_S(-4));
    bool late = is_doubtful(sim, new->job, sim->now);
    for (size_t i = 0; i < sim->node_count && !late; i++) {
        const struct sim_node *other = &sim->nodes[i];
        if (other->is_dry && other->engine != NULL && mono_before(other->good_since, before) &&
            mono_before(node->good_since, before)) {
            sim_break(sim, JUDGE_DRY, "%s on %s, while %s is in dry-run", sim->names[new->job],
                      node->host, other->host);
        }
    }
}

// So is an order to drain; where the store is slow it takes longer.
static void judge_drain(struct sim_node *node, const struct sim_execution *new)
{
    struct sim *sim = node->sim;
    struct mono before = mono_add(sim->now, DURATION_S(-4));
    bool slow = mono_before(before, node->slow_until);
    if (node->drains && !slow && !is_doubtful(sim, new->job, sim->now) &&
        mono_before(node->drains_since, before) && mono_before(node->hale_since, before)) {
        sim_break(sim, JUDGE_DRAIN, "%s on %s", sim->names[new->job], node->host);
    }
}

void sim_judge_start(struct sim_node *node, const struct sim_execution *new)
{
    struct sim *sim = node->sim;
    int job = new->job;
    sim->executions++;
    if (sim->open_of_job[job]++ > 0 && sim->overlaps[job] != JOB_OVERLAP_ALLOW) {
        sim_break(sim, JUDGE_OVERLAP, "%s on %s beside another run (overlap: %s)", sim->names[job],
                  node->host, job_overlap_name(sim->overlaps[job]));
    }
    if (!mono_before(sim->now, node->deadline)) {
        sim_break(sim, JUDGE_TRUST, "%s on %s", sim->names[job], node->host);
    }
    judge_wish(sim, new);
    judge_claim(node, new);
    judge_labels(node, new);
    judge_early(sim, new);
    judge_dry(node, new);
    judge_drain(node, new);
    sim_judge_stranger(sim, new);
    ARRAY_RESERVE(sim->history, sim->history_count, sim->history_capacity);
    sim->history[sim->history_count++] = *new;
}

// ---- at each end --------------------------------------------------------------------------------

static const struct sim_execution *execution_of(const struct sim *sim, struct uuid run_id)
{
    for (size_t i = sim->history_count; i > 0; i--) {
        if (uuid_equal(sim->history[i - 1].run_id, run_id)) {
            return &sim->history[i - 1];
        }
    }
    return NULL;
}

static bool is_true(const struct sim_execution *execution, enum run_state state)
{
    bool finished = execution != NULL && execution->over && execution->how == RUNNER_EXITED;
    switch (state) {
    case RUN_SUCCESS:
        return finished && execution->exit_code == 0;
    case RUN_FAILED: // or it could not be started
        return execution == NULL || (finished && execution->exit_code != 0);
    case RUN_TIMED_OUT:
        return execution != NULL && execution->over && execution->how == RUNNER_TIMED_OUT;
    default: // was ended, or never began
        return true;
    }
}

// What a node has just written about its runs is what became of the processes.
void sim_judge_end(struct sim_node *node, const struct store_op *op)
{
    if (op->kind != STORE_FINISH) {
        return;
    }
    const struct store_op_finish *finish = CONTAINER_OF(op, const struct store_op_finish, op);
    for (size_t i = 0; i < finish->end_count; i++) {
        const struct store_end *end = &finish->ends[i];
        if (!end->stale && !end->later &&
            !is_true(execution_of(node->sim, end->run_id), end->state)) {
            sim_break(node->sim, JUDGE_RECORD, "%s is no %s", node->host,
                      run_state_name(end->state));
        }
    }
}

// ---- each minute --------------------------------------------------------------------------------

static bool a_node_was_good(const struct sim *sim, enum sim_region region)
{
    // From before the minute on.
    struct mono before =
        mono_add(sim->now, (struct duration){-SIM_DECIDED_WITHIN.us - DURATION_S(5).us});
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (node->engine != NULL && !node->stopping && mono_before(node->good_since, before) &&
            (region == SIM_ANY || node->region == region)) {
            return true;
        }
    }
    return false;
}

// For long enough that seconds for each message are no excuse.
static bool a_node_was_hale(const struct sim *sim, enum sim_region region)
{
    struct mono before = mono_add(sim->now, DURATION_S(-100));
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (node->engine != NULL && !node->stopping && !node->drains &&
            mono_before(node->hale_since, before) &&
            (region == SIM_ANY || node->region == region)) {
            return true;
        }
    }
    return false;
}

static const struct sim_node *node_by_id(const struct sim *sim, struct uuid id)
{
    for (size_t i = 0; i < sim->node_count; i++) {
        if (sim->nodes[i].engine != NULL && uuid_equal(sim->nodes[i].id, id)) {
            return &sim->nodes[i];
        }
    }
    return NULL;
}

static bool executes(const struct sim_node *node, struct uuid run_id)
{
    for (size_t i = 0; i < node->open_count; i++) {
        if (uuid_equal(node->open[i].run_id, run_id)) {
            return true;
        }
    }
    return false;
}

// What a good node has claimed it executes, or its end is soon written.
static void judge_claims(struct sim *sim)
{
    const struct model_store *model = model_of(sim->store);
    struct mono before =
        mono_add(sim->now, (struct duration){-SIM_DECIDED_WITHIN.us - DURATION_S(5).us});
    for (size_t i = 0; i < model->open_count; i++) {
        const struct model_run *run = model->open[i];
        const struct sim_node *node = node_by_id(sim, run->row.node);
        const struct sim_execution *execution = execution_of(sim, run->row.run_id);
        bool fresh = instant_since(run->row.started_at, sim->epoch).us > before.us ||
                     (execution != NULL && mono_before(before, execution->ended));
        int job = (int)strtol(run->row.job + 4, NULL, 10); // "job-7"
        if (node != NULL && !fresh && mono_before(node->good_since, before) &&
            sim_is_free(sim, job, before) && !executes(node, run->row.run_id)) {
            sim_break(sim, JUDGE_LATE, "%s is claimed on %s, and does not go on", run->row.job,
                      node->host);
        }
    }
}

// Whoever took it may hang with it until it is fenced, and so may the next one. A backfill is long.
static void judge_wishes(struct sim *sim)
{
    const struct model_store *model = model_of(sim->store);
    struct mono most = mono_add(sim->now, (struct duration){-SIM_WISH_MOST.us});
    struct instant before = instant_add(sim_time(sim), (struct duration){-SIM_WISH_MOST.us});
    for (size_t i = 0; i < model->intent_count; i++) {
        const struct store_intent *intent = &model->intents[i];
        int job = intent->job == NULL ? -1 : (int)strtol(intent->job + 4, NULL, 10); // "job-7"
        if (intent->state == INTENT_PENDING && intent->kind != INTENT_BACKFILL &&
            instant_before(intent->created_at, before) && sim_is_free(sim, job, most) &&
            a_node_was_good(sim, job < 0 ? SIM_ANY : sim->regions[job])) {
            sim_break(sim, JUDGE_LATE, "the wish to %s %s is not answered",
                      store_intent_name(intent->kind), job < 0 ? "a run" : intent->job);
        }
    }
}

void sim_judge_minute(struct sim *sim)
{
    judge_claims(sim);
    judge_wishes(sim);
    sim_judge_boots(sim);
    struct instant minute = {sim_time(sim).us / 60000000 * 60000000};
    struct mono before =
        mono_add(sim->now, (struct duration){-SIM_DECIDED_WITHIN.us - DURATION_S(5).us});
    struct model_store *model = model_of(sim->store);
    for (int i = 0; i < SIM_CANARIES; i++) {
        const struct model_job *job = map_get(&model->jobs_by_name, sim->names[i]);
        if (job != NULL && instant_before(job->high_water, minute) && sim_is_free(sim, i, before) &&
            a_node_was_good(sim, sim->regions[i])) {
            sim_break(sim, JUDGE_LATE, "%s is undecided", sim->names[i]);
        }
        if (job != NULL && instant_before(job->high_water, instant_add(minute, DURATION_S(-60))) &&
            sim_is_free(sim, i, before) && a_node_was_hale(sim, sim->regions[i])) {
            sim_break(sim, JUDGE_SLOW, "%s is undecided for more than a minute", sim->names[i]);
        }
    }
}

// ---- in the end ---------------------------------------------------------------------------------

// Backfills that meet at a slot may count the same; their runs' ids tell them apart.
static bool counts_attempts(const struct sim_execution *execution)
{
    return execution->trigger != TRIGGER_MANUAL && execution->trigger != TRIGGER_BACKFILL;
}

static int compare_attempts(const void *a, const void *b)
{
    const struct sim_execution *x = a;
    const struct sim_execution *y = b;
    int64_t differences[] = {counts_attempts(x) - counts_attempts(y), x->job - y->job,
                             x->due_at.us - y->due_at.us, x->attempt - y->attempt,
                             x->began.us - y->began.us};
    for (size_t i = 0; i < ARRAY_LENGTH(differences); i++) {
        if (differences[i] != 0) {
            return differences[i] < 0 ? -1 : 1;
        }
    }
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    const struct sim_execution *x = a;
    const struct sim_execution *y = b;
    return memcmp(x->run_id.bytes, y->run_id.bytes, sizeof x->run_id.bytes);
}

static void judge_twice(struct sim *sim, const struct sim_execution *a,
                        const struct sim_execution *b)
{
    char due[FORMAT_TIME_SIZE];
    format_utc_ms(a->due_at, due);
    sim_break(sim, JUDGE_TWICE, "%s due %s attempt %d (%s, %s)", sim->names[a->job], due,
              a->attempt, run_trigger_name(a->trigger), run_trigger_name(b->trigger));
}

void sim_judge_history(struct sim *sim)
{
    struct sim_execution *all = sim->history;
    size_t count = sim->history_count;
    qsort(all, count, sizeof *all, compare_attempts);
    for (size_t i = 1; i < count; i++) {
        bool same = counts_attempts(&all[i]) && counts_attempts(&all[i - 1]) &&
                    all[i].job == all[i - 1].job && all[i].attempt == all[i - 1].attempt &&
                    instant_equal(all[i].due_at, all[i - 1].due_at);
        if (same) {
            judge_twice(sim, &all[i - 1], &all[i]);
        }
    }
    qsort(all, count, sizeof *all, compare_ids);
    for (size_t i = 1; i < count; i++) {
        if (compare_ids(&all[i], &all[i - 1]) == 0) {
            judge_twice(sim, &all[i - 1], &all[i]);
        }
    }
}

// A claim that was on its way for long knows nothing of a newer control.
static bool was_slow(const struct sim *sim, struct instant at)
{
    int64_t t = instant_since(at, sim->epoch).us;
    for (size_t i = sim->slow_count; i > 0; i--) {
        if (t > sim->slow[i - 1].from.us - SIM_SLOW_REACH.us &&
            t < sim->slow[i - 1].until.us + SIM_SLOW_REACH.us) {
            return true;
        }
    }
    return false;
}

static bool was_doubtful(const struct sim *sim, const struct verify_finding *finding)
{
    int job = finding->job == NULL ? -1 : (int)strtol(finding->job + 4, NULL, 10); // "job-7"
    return is_doubtful(sim, job, (struct mono){instant_since(finding->at, sim->epoch).us});
}
// Runs of the dead end when nobody has their job in hand any more.
static bool is_kept(const struct sim *sim, const struct verify_finding *finding)
{
    int job = (int)strtol(finding->job + 4, NULL, 10);
    return !sim_is_free(sim, job, mono_add(sim->now, DURATION_S(-30)));
}

static bool is_excused(const struct sim *sim, const struct verify_finding *finding)
{
    switch (finding->kind) {
    case VERIFY_SLOT_POLICY:
        return was_slow(sim, finding->at) || was_doubtful(sim, finding);
    case VERIFY_RUN_NOT_ENDED:
        return is_kept(sim, finding);
    default:
        return false;
    }
}

void sim_judge_ledger(struct sim *sim, bool in_the_end)
{
    struct verify_options options = {.since = INSTANT_NONE, .node_is_live = !in_the_end};
    struct verify_report report;
    struct error err = ERROR_INIT;
    if (!verify_store(sim->store, &options, &report, &err)) {
        fail_msg("verify: %s", err.text);
    }
    for (size_t i = 0; i < report.finding_count; i++) {
        const struct verify_finding *finding = &report.findings[i];
        if (!is_excused(sim, finding)) {
            sim_break(sim, JUDGE_LEDGER, "%s: %s", verify_kind_name(finding->kind), finding->text);
        }
    }
    verify_report_release(&report);
}
