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

static void judge_twice(struct sim *sim, const struct sim_execution *new)
{
    const struct sim_execution *past = sim->history[new->job];
    for (size_t i = sim->history_count[new->job]; i-- > 0;) {
        bool same = new->trigger != TRIGGER_MANUAL &&past[i].trigger !=
                    TRIGGER_MANUAL &&past[i].attempt ==
                    new->attempt &&instant_equal(past[i].due_at, new->due_at);
        if (same || uuid_equal(past[i].run_id, new->run_id)) {
            sim_break(sim, JUDGE_TWICE, "%s attempt %d", sim->names[new->job], new->attempt);
        }
    }
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
    judge_twice(sim, new);
    judge_claim(node, new);
    ARRAY_RESERVE(sim->history[job], sim->history_count[job], sim->history_capacity[job]);
    sim->history[job][sim->history_count[job]++] = *new;
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

static void take_finding(void *context, const struct verify_finding *finding)
{
    struct sim *sim = context;
    sim_break(sim, JUDGE_LEDGER, "%s: %s", verify_kind_name(finding->kind), finding->text);
}

void sim_judge_ledger(struct sim *sim)
{
    struct verify_options options = {.since = INSTANT_NONE};
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
