// SPDX-License-Identifier: MIT
// Each boot of a host has one slot of the job that is due then, whatever befell the nodes on it.
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "store/model/model_private.h"

size_t sim_boots_new(struct sim *sim)
{
    ARRAY_RESERVE(sim->boots, sim->boot_count, sim->boot_capacity);
    sim->boots[sim->boot_count] = (struct sim_boot){.slots = 0};
    return sim->boot_count++;
}

void sim_boots_start(struct sim_node *node)
{
    struct sim *sim = node->sim;
    ARRAY_RESERVE(sim->births, sim->birth_count, sim->birth_capacity);
    sim->births[sim->birth_count++] = (struct sim_birth){node->id, node->boot_place};
    if (sim->bug == BUG_BOOT_AGAIN) {
        snprintf(node->boot_id, sizeof node->boot_id, "start-%zu", sim->birth_count);
    }
}

static size_t boot_of(const struct sim *sim, struct uuid node)
{
    for (size_t i = sim->birth_count; i > 0; i--) {
        if (uuid_equal(sim->births[i - 1].node, node)) {
            return sim->births[i - 1].boot;
        }
    }
    fail_msg("a node that was never born decides");
    return 0;
}

static bool is_of_boot(const struct sim *sim, const struct store_slot *slot)
{
    bool due = slot->trigger == TRIGGER_SCHEDULE || slot->trigger == TRIGGER_CATCHUP;
    bool skipped = slot->verdict == VERDICT_OVERLAP && slot->skip_on_overlap;
    bool decided = slot->verdict == VERDICT_CLAIMED || slot->verdict == VERDICT_WRITTEN || skipped;
    const struct model_job *job = model_job_at(model_of(sim->store), slot->job_id);
    return due && decided && job != NULL && strcmp(job->name, sim->names[SIM_AT_BOOT]) == 0;
}

// An answer that was lost is asked for again: the same slot.
void sim_judge_decided(struct sim *sim, const struct store_op *op)
{
    if (op->kind != STORE_DECIDE || op->result != STORE_OK) {
        return;
    }
    const struct store_op_decide *decide = CONTAINER_OF(op, const struct store_op_decide, op);
    for (size_t i = 0; i < decide->slot_count; i++) {
        const struct store_slot *slot = &decide->slots[i];
        if (!is_of_boot(sim, slot)) {
            continue;
        }
        struct sim_boot *boot = &sim->boots[boot_of(sim, decide->node)];
        if (boot->slots > 0 && instant_equal(boot->due_at, slot->due_at)) {
            continue;
        }
        *boot = (struct sim_boot){boot->slots + 1, slot->due_at};
        if (boot->slots > 1) {
            sim_break(sim, JUDGE_BOOT, "boot %zu has %d slots", boot_of(sim, decide->node),
                      boot->slots);
        }
    }
}

// The first boots lie before the job. One that queues behind others has had its turn.
void sim_judge_boots(struct sim *sim)
{
    struct mono before = mono_add(sim->now, (struct duration){-SIM_RUN_MOST.us});
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        bool old = node->boot_place >= sim->node_count;
        if (node->engine != NULL && old && mono_before(node->good_since, before) &&
            sim_is_free(sim, SIM_AT_BOOT, before) && sim->boots[node->boot_place].slots == 0) {
            sim_break(sim, JUDGE_BOOT, "boot %zu on %s has no slot", node->boot_place, node->host);
        }
    }
}
