// SPDX-License-Identifier: MIT
// Slots of single jobs; see sqlite/sqlite_slots.c.
#include "store/model/model_private.h"

static bool is_wanted(const struct store_slots_item *item, const struct model_slot *slot)
{
    return instant_ms(slot->due_at) >= instant_ms(item->since) &&
           instant_ms(slot->due_at) <= instant_ms(item->until) &&
           !(item->unsuccessful && slot->outcome == SLOT_SUCCESS);
}

static void look(struct model_job *job, struct arena *arena, struct store_slots_item *item)
{
    const struct uuid nil = {{0}};
    size_t most = job->slot_count < item->limit ? job->slot_count : item->limit;
    item->found = arena_alloc(arena, most + 1, sizeof *item->found);
    item->seen = item->until;
    for (size_t i = 0; i < job->slot_count; i++) {
        const struct model_slot *slot = &job->slots[i];
        if (!is_wanted(item, slot)) {
            continue;
        }
        item->found[item->found_count++] =
            (struct store_found_slot){.due_at = slot->due_at,
                                      .outcome = slot->outcome,
                                      .reason = slot->reason,
                                      .attempt = slot->attempt,
                                      .run_id = slot->run == NULL ? nil : slot->run->row.run_id};
        if (item->found_count == item->limit && instant_before(slot->due_at, item->until)) {
            item->seen = slot->due_at;
            return;
        }
    }
}

enum store_result model_slots(struct model_store *store, struct store_op *base)
{
    struct store_op_slots *op = CONTAINER_OF(base, struct store_op_slots, op);
    for (size_t i = 0; i < op->item_count; i++) {
        struct store_slots_item *item = &op->items[i];
        struct model_job *job = model_job_at(store, item->job_id);
        item->found_count = 0;
        item->found = NULL;
        item->seen = item->until;
        item->high_water = item->force_from = INSTANT_NONE;
        if (job != NULL) {
            look(job, &base->arena, item);
            item->high_water = job->high_water;
            item->force_from = job->force_count > 0 ? job->forces[0].from : INSTANT_NONE;
        }
    }
    op->slots_from = store->anchor.slots_from;
    return STORE_OK;
}

enum store_result model_marks(struct model_store *store, struct store_op *base)
{
    struct store_op_marks *op = CONTAINER_OF(base, struct store_op_marks, op);
    for (size_t i = 0; i < op->mark_count; i++) {
        struct store_mark *mark = &op->marks[i];
        struct model_job *job = model_job_at(store, mark->job_id);
        *mark = (struct store_mark){
            .job_id = mark->job_id, .high_water = INSTANT_NONE, .last_success = INSTANT_NONE};
        if (job != NULL) {
            mark->high_water = job->high_water;
            mark->last_success = job->last_success;
            mark->throttle_count = job->throttle_count;
            mark->running = job->started > 0;
        }
    }
    for (size_t i = 0; i < store->waiting_count; i++) {
        const struct model_waiting *waiting = &store->waiting[i];
        bool again = model_slot_at(waiting->job, waiting->due_at)->attempt > 0;
        for (size_t j = 0; again && j < op->mark_count; j++) {
            op->marks[j].waiting |= op->marks[j].job_id == waiting->job->job_id;
        }
    }
    return STORE_OK;
}
