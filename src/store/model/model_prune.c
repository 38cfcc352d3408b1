// SPDX-License-Identifier: MIT
// History goes, oldest first. Counts rows as the tables of the real stores do.
#include "store/model/model_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

// The job whose oldest prunable slot is the oldest of all; ties by job number, as the tables are
// ordered.
struct candidate {
    struct model_job *job;
    size_t index;
};

static bool next_slot(const struct model_store *store, struct instant before,
                      struct candidate *found)
{
    found->job = NULL;
    for (size_t i = 0; i < store->job_count; i++) {
        struct model_job *job = store->jobs[i];
        for (size_t j = 0; j < job->slot_count && instant_before(job->slots[j].due_at, before);
             j++) {
            bool prunable = job->slots[j].outcome != SLOT_OPEN &&
                            !instant_before(job->high_water, job->slots[j].due_at);
            if (prunable) {
                if (found->job == NULL ||
                    instant_before(job->slots[j].due_at, found->job->slots[found->index].due_at)) {
                    *found = (struct candidate){job, j};
                }
                break;
            }
        }
    }
    return found->job != NULL;
}

static void prune_slots(struct model_store *store, struct store_op_prune *op)
{
    size_t count = 0;
    struct candidate found;
    while (count < op->limit && next_slot(store, op->runs_before, &found)) {
        struct model_job *job = found.job;
        job->slot_count--;
        memmove(&job->slots[found.index], &job->slots[found.index + 1],
                (job->slot_count - found.index) * sizeof *job->slots);
        count++;
    }
    op->deleted += count;
    op->more |= count == op->limit;
}

static void mark_kept(struct model_store *store, const struct store_op_prune *op)
{
    struct instant before = instant_from_ms(instant_ms(op->runs_before));
    if (op->deleted > 0 && (instant_is_none(store->anchor.slots_from) ||
                            instant_before(store->anchor.slots_from, before))) {
        store->anchor.slots_from = before;
    }
}

static bool ended_before(const struct model_run *run, struct instant before)
{
    return run->row.state != RUN_STARTED && instant_before(run->row.ended_at, before);
}

static void run_remove(struct model_store *store, struct model_run *run, struct store_op_prune *op)
{
    struct model_slot *slot = model_slot_at(run->job, run->row.due_at);
    if (slot != NULL && slot->run == run) {
        slot->run = NULL;
    }
    if (run->job->last_run == run) {
        run->job->last_run = NULL;
    }
    op->deleted += 1 + run->chunk_count;
    map_remove(&store->runs_by_id, run->id_text);
    model_run_free(run);
}

static bool holds_open_slot(const struct model_run *run)
{
    const struct model_slot *slot = model_slot_at(run->job, run->row.due_at);
    return slot != NULL && slot->run == run && slot->outcome == SLOT_OPEN;
}

static void prune_runs(struct model_store *store, struct store_op_prune *op)
{
    size_t count = 0;
    size_t kept = 0;
    size_t i = 0;
    for (; i < store->run_count && count < op->limit; i++) {
        struct model_run *run = store->runs[i];
        if (!instant_before(run->row.started_at, op->runs_before)) {
            break;
        }
        if (ended_before(run, op->runs_before) && !holds_open_slot(run)) {
            run_remove(store, run, op);
            count++;
        } else {
            store->runs[kept++] = run;
        }
    }
    if (i > kept) {
        memmove(&store->runs[kept], &store->runs[i],
                (store->run_count - i) * sizeof(struct model_run *));
    }
    store->run_count -= i - kept;
    op->more |= count == op->limit;
}

static void prune_output(struct model_store *store, struct store_op_prune *op)
{
    size_t count = 0;
    for (size_t i = 0; i < store->run_count && count < op->limit; i++) {
        struct model_run *run = store->runs[i];
        if (run->chunk_count > 0 && !instant_before(run->row.started_at, op->output_before)) {
            break;
        }
        if (!ended_before(run, op->output_before)) {
            continue;
        }
        size_t gone = run->chunk_count < op->limit - count ? run->chunk_count : op->limit - count;
        for (size_t j = 0; j < gone; j++) {
            free(run->chunks[j].bytes);
        }
        if (gone == 0) {
            continue;
        }
        run->chunk_count -= gone;
        memmove(run->chunks, run->chunks + gone, run->chunk_count * sizeof *run->chunks);
        count += gone;
    }
    op->deleted += count;
    op->more |= count == op->limit;
}

static void prune_audit(struct model_store *store, struct store_op_prune *op)
{
    size_t count = 0;
    while (count < store->sealed && count < op->limit &&
           instant_before(store->audit[count].at, op->audit_before)) {
        store->anchor.seq = store->audit[count].seq;
        memcpy(store->anchor.hash, store->audit[count].hash, sizeof store->anchor.hash);
        model_audit_free(&store->audit[count]);
        count++;
    }
    if (count == 0) {
        return;
    }
    store->sealed -= count;
    store->audit_count -= count;
    memmove(store->audit, store->audit + count, store->audit_count * sizeof *store->audit);
    op->deleted += count;
    op->more |= count == op->limit;
}

static void prune_intents(struct model_store *store, struct store_op_prune *op)
{
    size_t count = 0;
    size_t kept = 0;
    for (size_t i = 0; i < store->intent_count; i++) {
        struct store_intent *intent = &store->intents[i];
        if (count < op->limit && intent->state != INTENT_PENDING &&
            instant_before(intent->created_at, op->runs_before)) {
            model_intent_free(intent);
            count++;
        } else {
            store->intents[kept++] = *intent;
        }
    }
    store->intent_count = kept;
    op->deleted += count;
    op->more |= count == op->limit;
}

static void prune_controls(struct model_store *store, struct store_op_prune *op)
{
    struct instant before = instant_add(op->runs_before, DURATION_US(-STORE_CONTROL_MARGIN.us));
    size_t count = 0;
    size_t kept = 0;
    for (size_t i = 0; i < store->control_count; i++) {
        struct store_control_row *row = &store->controls[i];
        if (count < op->limit && !instant_is_none(row->to) && instant_before(row->to, before)) {
            model_control_free(row);
            count++;
        } else {
            store->controls[kept++] = *row;
        }
    }
    store->control_count = kept;
    op->deleted += count;
    op->more |= count == op->limit;
}

enum store_result model_prune(struct model_store *store, struct store_op *base)
{
    struct store_op_prune *op = CONTAINER_OF(base, struct store_op_prune, op);
    op->deleted = 0;
    op->more = false;
    if (op->limit == 0) {
        return operation_refuse(&base->err, "pruning was asked for with a limit of zero rows");
    }
    if (operation_has(op->runs_before)) {
        prune_slots(store, op);
        prune_runs(store, op);
        prune_controls(store, op);
        mark_kept(store, op);
        prune_intents(store, op);
    }
    if (operation_has(op->output_before)) {
        prune_output(store, op);
    }
    if (operation_has(op->audit_before)) {
        prune_audit(store, op);
    }
    return STORE_OK;
}
