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
    static const char *const names[JUDGE_COUNT] = {"overlap", "twice", "claim",
                                                   "trust",   "late",  "ledger"};
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
    ARRAY_RESERVE(sim->history, sim->history_count, sim->history_capacity);
    sim->history[sim->history_count++] = *new;
}

// ---- each minute --------------------------------------------------------------------------------

static bool a_node_was_good(const struct sim *sim)
{
    struct mono before = mono_add(sim->now, DURATION_S(-13)); // from before the minute on
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (node->engine != NULL && !node->stopping && mono_before(node->good_since, before)) {
            return true;
        }
    }
    return false;
}

// Three nodes may go before a good one, each with its delay, on whole seconds: after eight seconds
// what is due each minute is decided.
void sim_judge_minute(struct sim *sim)
{
    struct instant minute = {sim_time(sim).us / 60000000 * 60000000};
    struct model_store *model = model_of(sim->store);
    for (int i = 0; i < SIM_CANARIES && a_node_was_good(sim); i++) {
        struct model_job *job = map_get(&model->jobs_by_name, sim->names[i]);
        if (job != NULL && instant_before(job->high_water, minute)) {
            sim_break(sim, JUDGE_LATE, "%s is undecided", sim->names[i]);
        }
    }
}

// ---- in the end ---------------------------------------------------------------------------------

static int compare_attempts(const void *a, const void *b)
{
    const struct sim_execution *x = a;
    const struct sim_execution *y = b;
    int64_t differences[] = {(x->trigger == TRIGGER_MANUAL) - (y->trigger == TRIGGER_MANUAL),
                             x->job - y->job, x->due_at.us - y->due_at.us, x->attempt - y->attempt,
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
        bool same = all[i].trigger != TRIGGER_MANUAL && all[i].job == all[i - 1].job &&
                    all[i].attempt == all[i - 1].attempt &&
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

static void take_finding(void *context, const struct verify_finding *finding)
{
    struct sim *sim = context;
    sim_break(sim, JUDGE_LEDGER, "%s: %s", verify_kind_name(finding->kind), finding->text);
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
        // A claim that was on its way for long knows nothing of a newer control.
        if (report.findings[i].kind != VERIFY_SLOT_POLICY || !sim->was_slow) {
            take_finding(sim, &report.findings[i]);
        }
    }
    verify_report_release(&report);
}
