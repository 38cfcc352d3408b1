// SPDX-License-Identifier: MIT
// A node's runner: what it starts goes on by itself, whatever becomes of the engine, until it ends
// or the trust in the node does.
#include "sim.h"

#include <stdlib.h>

#include "base/alloc.h"

static bool is_past(const struct sim *sim, struct mono t)
{
    return !mono_before(sim->now, t);
}

static void move(struct mono *since, const struct sim_node *node, struct duration more)
{
    struct mono good =
        mono_add(node->sim->now, (struct duration){more.us + SIM_RECOVERS_WITHIN.us});
    *since = mono_before(*since, good) ? good : *since;
}

void sim_hinder_slowly(struct sim_node *node, struct duration more)
{
    move(&node->good_since, node, more);
}

void sim_hinder(struct sim_node *node, struct duration more)
{
    move(&node->good_since, node, more);
    move(&node->hale_since, node, more);
}

static int job_number(const char *name)
{
    return (int)strtol(name + 4, NULL, 10); // "job-7"
}

static bool runner_start(struct runner *runner, const struct runner_start *start, struct error *err)
{
    struct sim_node *node = CONTAINER_OF(runner, struct sim_node, runner);
    struct sim *sim = node->sim;
    if (node->dying || node->open_count == SIM_OPEN) {
        return error_set(err, ERROR_UNAVAILABLE, "there is no runner");
    }
    if (sim_dice(sim, 100) == 0) {
        return error_set(err, ERROR_UNAVAILABLE, "nothing can be started now");
    }
    if (sim->bug == BUG_DEAF_RUNNER && sim_dice(sim, 20) == 0) {
        return true;
    }
    struct sim_execution *execution = &node->open[node->open_count++];
    *execution = (struct sim_execution){.job = job_number(start->job->name),
                                        .due_at = start->due_at,
                                        .attempt = start->attempt,
                                        .trigger = start->trigger,
                                        .run_id = start->run_id,
                                        .fence = start->fence,
                                        .handle = start->run,
                                        .began = sim->now,
                                        .place = sim->history_count};
    int64_t takes = sim->takes_ms[execution->job];
    takes = sim_dice(sim, 8) == 0 ? takes / 2 + 1 : takes;
    execution->ends = mono_add(sim->now, DURATION_MS(takes));
    if (node->open_count + 2 > (size_t)sim->max_running) {
        sim_hinder(node, DURATION_MS(takes));
    }
    sim_judge_start(node, execution);
    return true;
}

static void runner_stop(struct runner *runner, uint64_t handle, bool at_once)
{
    struct sim_node *node = CONTAINER_OF(runner, struct sim_node, runner);
    for (size_t i = 0; i < node->open_count; i++) {
        struct sim_execution *open = &node->open[i];
        struct duration takes = DURATION_MS(at_once ? 0 : sim_dice(node->sim, 3000));
        struct mono ends = mono_add(node->sim->now, takes);
        if (open->handle == handle && mono_before(ends, open->ends)) {
            open->ends = ends;
            open->cancelled = true;
        }
    }
}

static void runner_feed(struct runner *runner, struct mono deadline)
{
    struct sim_node *node = CONTAINER_OF(runner, struct sim_node, runner);
    node->deadline = mono_add(deadline, (struct duration){-node->boot.us});
    if (node->sim->bug == BUG_ANSWER_TRUST) {
        node->deadline = mono_add(node->sim->now, (struct duration){SIM_LEASE.us - SIM_MARGIN.us});
    }
}

static const struct runner_ops ops = {runner_start, runner_stop, runner_feed};

static void execution_end(struct sim_node *node, size_t at, enum runner_end_kind kind)
{
    struct sim *sim = node->sim;
    struct sim_execution execution = node->open[at];
    struct sim_execution *past = &sim->history[execution.place];
    past->over = true;
    past->ended = sim->now;
    past->how = kind;
    past->exit_code = kind == RUNNER_EXITED && sim_dice(sim, 6) == 0;
    node->open[at] = node->open[--node->open_count];
    sim->open_of_job[execution.job]--;
    ARRAY_RESERVE(node->ends, node->end_count, node->end_capacity);
    node->ends[node->end_count++] =
        (struct sim_end){execution.handle,
                         {.kind = kind,
                          .exit_code = past->exit_code,
                          .duration = mono_since(sim->now, execution.began)}};
}

struct mono sim_runner_kill_at(const struct sim_node *node)
{
    switch (node->sim->bug) {
    case BUG_NO_DEADLINE:
        return MONO_NEVER;
    case BUG_SLOW_KILL:
        return mono_add(node->deadline, DURATION_S(60));
    default:
        return mono_add(node->deadline, DURATION_S(2)); // KILL at once, gone in five seconds
    }
}

void sim_runner_kill(struct sim_node *node)
{
    while (node->open_count > 0) {
        execution_end(node, 0, RUNNER_GONE);
    }
}

void sim_runner_work(struct sim_node *node)
{
    for (size_t i = 0; i < node->open_count;) {
        const struct sim_execution *open = &node->open[i];
        if (is_past(node->sim, open->ends)) {
            enum runner_end_kind own =
                sim_dice(node->sim, 30) == 0 ? RUNNER_TIMED_OUT : RUNNER_EXITED;
            execution_end(node, i, open->cancelled ? RUNNER_CANCELLED : own);
        } else {
            i++;
        }
    }
    if (is_past(node->sim, sim_runner_kill_at(node))) {
        sim_runner_kill(node);
    }
}

void sim_runner_tell(struct sim_node *node)
{
    for (size_t i = 0; i < node->end_count; i++) {
        struct sim_end end = node->ends[i];
        node->runner.events.on_end(node->runner.events.context, end.handle, &end.end);
    }
    node->end_count = 0;
}

void sim_runner_init(struct sim_node *node)
{
    node->runner.ops = &ops;
}
