// SPDX-License-Identifier: MIT
// Ends of runs and their output.
#include "store/model/model_private.h"

#include <stdlib.h>

#include "base/alloc.h"

static struct instant later(struct instant a, struct instant b)
{
    return instant_is_none(a) || instant_before(a, b) ? b : a;
}

static void open_remove(struct model_store *store, const struct model_run *run)
{
    size_t left = 0;
    for (size_t i = 0; i < store->open_count; i++) {
        if (store->open[i] != run) {
            store->open[left++] = store->open[i];
        }
    }
    store->open_count = left;
}

void model_run_finish(struct model_store *store, struct model_run *run, enum run_state state,
                      struct instant ended_at, struct instant retry_at)
{
    run->row.state = state;
    run->row.ended_at = ended_at;
    run->job->started--;
    open_remove(store, run);
    run->job->last_run = run;
    struct model_slot *slot =
        run->row.trigger == TRIGGER_MANUAL ? NULL : model_slot_at(run->job, run->row.due_at);
    if (slot != NULL && slot->run == run && slot->outcome == SLOT_OPEN) {
        bool retries = operation_has(retry_at);
        slot->outcome = retries ? SLOT_OPEN : slot_outcome_of(state);
        model_slot_wait(store, run->job, slot, retry_at);
    }
    if (state == RUN_SUCCESS) {
        run->job->last_success = later(run->job->last_success, ended_at);
    }
}

static void write_end(struct model_store *store, const struct store_op_finish *op,
                      const struct store_end *end, struct model_run *run)
{
    struct instant ended_at = store_ended_at(run->row.started_at, end->duration, store->now);
    model_run_finish(store, run, end->state, ended_at, end->retry_at);
    run->row.failure = end->failure;
    run->row.has_exit_code = end->has_exit_code;
    run->row.exit_code = end->has_exit_code ? end->exit_code : 0;
    run->row.duration = DURATION_MS(duration_ms(end->duration));
    if (end->error != NULL) {
        run->row.error = alloc_bytes(end->error, operation_error_length(end->error));
    }
    model_audit_add(store, run_state_name(end->state), run->job->name, end->run_id, op->node, NULL,
                    end->detail);
}

enum store_result model_finish(struct model_store *store, struct store_op *base)
{
    struct store_op_finish *op = CONTAINER_OF(base, struct store_op_finish, op);
    op->now = store->now;
    for (size_t i = 0; i < op->end_count; i++) {
        struct store_end *end = &op->ends[i];
        struct model_run *run = model_run_by_id(store, end->run_id);
        end->later = run != NULL && run->row.state == RUN_STARTED && run->job->holder != NULL;
        end->holder = end->later ? arena_string(&base->arena, run->job->holder) : NULL;
        if (end->later) {
            end->stale = end->succeeded = false;
            continue;
        }
        bool ours = run != NULL && run->row.fence == end->fence;
        end->succeeded = ours && end->settles && run->row.state == RUN_SUCCESS;
        end->stale = !ours || (run->row.state != RUN_STARTED && run->row.state != end->state &&
                               !end->succeeded);
        if (end->stale) {
            model_audit_add(store, "STALE", run == NULL ? NULL : run->job->name, end->run_id,
                            op->node, NULL, end->detail);
        } else if (run->row.state == RUN_STARTED) {
            write_end(store, op, end, run);
        }
    }
    return STORE_OK;
}

// ---- output -------------------------------------------------------------------------------------

static int64_t output_end(const struct model_run *run)
{
    if (run->chunk_count == 0) {
        return 0;
    }
    const struct model_chunk *last = &run->chunks[run->chunk_count - 1];
    return last->offset + (int64_t)last->length;
}

// Looks ahead at what the operation's own pieces before this one will have added.
static bool follows(struct model_store *store, const struct store_op_output *op, size_t index)
{
    const struct store_chunk *chunk = &op->chunks[index];
    const struct model_run *run = model_run_by_id(store, chunk->run_id);
    int64_t end = run == NULL ? -1 : output_end(run);
    for (size_t i = 0; i < index && end >= 0; i++) {
        int64_t reaches = op->chunks[i].offset + (int64_t)op->chunks[i].length;
        if (uuid_equal(op->chunks[i].run_id, chunk->run_id) && reaches > end) {
            end = reaches;
        }
    }
    return end >= 0 && chunk->offset <= end;
}

static void append(struct model_run *run, const struct store_chunk *chunk)
{
    int64_t end = output_end(run);
    size_t known = (size_t)(end - chunk->offset);
    if (known >= chunk->length) {
        return;
    }
    ARRAY_RESERVE(run->chunks, run->chunk_count, run->chunk_capacity);
    size_t length = chunk->length - known;
    run->chunks[run->chunk_count++] = (struct model_chunk){
        .offset = end, .bytes = alloc_bytes(chunk->bytes + known, length), .length = length};
}

enum store_result model_output(struct model_store *store, struct store_op *base)
{
    const struct store_op_output *op = CONTAINER_OF(base, struct store_op_output, op);
    for (size_t i = 0; i < op->chunk_count; i++) {
        if (!follows(store, op, i)) {
            return operation_refuse(
                &base->err, "the run of a piece of output is unknown, or a piece is missing");
        }
    }
    for (size_t i = 0; i < op->chunk_count; i++) {
        append(model_run_by_id(store, op->chunks[i].run_id), &op->chunks[i]);
    }
    return STORE_OK;
}
