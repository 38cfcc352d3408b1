// SPDX-License-Identifier: MIT
// Reading.
#include "store/model/model_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

static bool within(struct instant t, struct instant since, struct instant until)
{
    return (!operation_has(since) || instant_ms(t) >= instant_ms(since)) &&
           (!operation_has(until) || instant_ms(t) < instant_ms(until));
}

bool model_read_runs(struct store *port, const struct store_run_filter *filter, store_run_fn *fn,
                     void *context, struct error *err)
{
    (void)err;
    struct model_store *store = model_of(port);
    size_t given = 0;
    for (size_t i = store->run_count; i > 0; i--) {
        const struct model_run *run = store->runs[i - 1];
        const struct store_run_row *row = &run->row;
        if (filter->last_of_each_job && run->job->last_run != run) {
            continue;
        }
        if (row->fence < filter->fence_from ||
            (filter->fence_before > 0 && row->fence >= filter->fence_before) ||
            (filter->job != NULL && strcmp(filter->job, row->job) != 0) ||
            (!uuid_is_nil(filter->run_id) && !uuid_equal(filter->run_id, row->run_id)) ||
            (filter->by_state && filter->state != row->state) ||
            !within(row->started_at, filter->since, filter->until)) {
            continue;
        }
        if (!fn(context, row) || ++given == filter->limit) {
            break;
        }
    }
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(struct model_job *const *)a)->name, (*(struct model_job *const *)b)->name);
}

// All jobs by name, or the one; the caller frees the list.
static struct model_job **jobs_sorted(struct model_store *store, const char *only,
                                      size_t *count_out)
{
    struct model_job **jobs = alloc_zero(store->job_count + 1, sizeof *jobs);
    *count_out = 0;
    for (size_t i = 0; i < store->job_count; i++) {
        if (only == NULL || strcmp(only, store->jobs[i]->name) == 0) {
            jobs[(*count_out)++] = store->jobs[i];
        }
    }
    qsort(jobs, *count_out, sizeof(struct model_job *), compare_names);
    return jobs;
}

static bool give_slots(const struct model_job *job, const struct store_slot_filter *filter,
                       store_slot_fn *fn, void *context)
{
    for (size_t i = 0; i < job->slot_count; i++) {
        const struct model_slot *slot = &job->slots[i];
        struct store_slot_row row = {.job = job->name,
                                     .due_at = slot->due_at,
                                     .outcome = slot->outcome,
                                     .reason = slot->reason};
        if (slot->run != NULL) {
            row.run_id = slot->run->row.run_id;
        }
        if (within(slot->due_at, filter->since, filter->until) && !fn(context, &row)) {
            return false;
        }
    }
    return true;
}

bool model_read_slots(struct store *port, const struct store_slot_filter *filter, store_slot_fn *fn,
                      void *context, struct error *err)
{
    (void)err;
    size_t count;
    struct model_job **jobs = jobs_sorted(model_of(port), filter->job, &count);
    for (size_t i = 0; i < count && give_slots(jobs[i], filter, fn, context); i++) {
        ;
    }
    free(jobs);
    return true;
}

static bool audit_matches(const struct store_audit_row *row,
                          const struct store_audit_filter *filter)
{
    return (filter->job == NULL || (row->job != NULL && strcmp(filter->job, row->job) == 0)) &&
           (filter->event == NULL || strcasecmp(filter->event, row->event) == 0) &&
           (row->seq == 0 || row->seq >= filter->seq_from) &&
           (filter->seq_before == 0 || (row->seq > 0 && row->seq < filter->seq_before)) &&
           within(row->at, filter->since, filter->until);
}

bool model_read_audit(struct store *port, const struct store_audit_filter *filter,
                      store_audit_fn *fn, void *context, struct error *err)
{
    (void)err;
    struct model_store *store = model_of(port);
    size_t given = 0;
    for (size_t i = 0; i < store->audit_count; i++) {
        size_t at = filter->newest_first ? store->audit_count - 1 - i : i;
        const struct store_audit_row *row = &store->audit[at];
        if (audit_matches(row, filter) && (!fn(context, row) || ++given == filter->limit)) {
            break;
        }
    }
    return true;
}

bool model_read_force(struct store *port, const char *job, store_force_fn *fn, void *context,
                      struct error *err)
{
    (void)err;
    size_t count;
    struct model_job **jobs = jobs_sorted(model_of(port), job, &count);
    bool more = true;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < jobs[i]->force_count && more; j++) {
            const struct model_force *force = &jobs[i]->forces[j];
            more = fn(context, &(struct store_force_row){jobs[i]->name, force->spec, force->from,
                                                         force->to});
        }
    }
    free(jobs);
    return true;
}

bool model_read_jobs(struct store *port, const char *only, store_job_fn *fn, void *context,
                     struct error *err)
{
    (void)err;
    size_t count;
    struct model_job **jobs = jobs_sorted(model_of(port), only, &count);
    bool more = true;
    for (size_t i = 0; i < count && more; i++) {
        struct store_job row = model_job_row(jobs[i]);
        more = fn(context, &row);
    }
    free(jobs);
    return true;
}

bool model_read_controls(struct store *port, bool history, store_control_fn *fn, void *context,
                         struct error *err)
{
    (void)err;
    struct model_store *store = model_of(port);
    for (size_t i = 0; i < store->control_count; i++) {
        if ((history || instant_is_none(store->controls[i].to)) &&
            !fn(context, &store->controls[i])) {
            break;
        }
    }
    return true;
}

bool model_read_nodes(struct store *port, store_node_fn *fn, void *context, struct error *err)
{
    (void)err;
    struct model_store *store = model_of(port);
    for (size_t i = store->node_count; i > 0; i--) {
        if (!fn(context, &store->nodes[i - 1].row)) {
            break;
        }
    }
    return true;
}

bool model_read_anchor(struct store *port, struct store_anchor *anchor_out, struct error *err)
{
    (void)err;
    const struct model_store *store = model_of(port);
    *anchor_out = store->anchor;
    anchor_out->head_seq = store->anchor.seq + (int64_t)store->sealed;
    memcpy(anchor_out->head_hash,
           store->sealed == 0 ? store->anchor.hash : store->audit[store->sealed - 1].hash,
           sizeof anchor_out->head_hash);
    return true;
}

// Nobody else writes while somebody reads.
bool model_reading_begins(struct store *port, struct error *err)
{
    (void)port;
    (void)err;
    return true;
}

void model_reading_ends(struct store *port)
{
    (void)port;
}

bool model_read_output(struct store *port, struct uuid run_id, int64_t offset, char *bytes,
                       size_t size, size_t *length_out, struct error *err)
{
    (void)err;
    const struct model_run *run = model_run_by_id(model_of(port), run_id);
    size_t length = 0;
    for (size_t i = 0; run != NULL && i < run->chunk_count && length < size; i++) {
        const struct model_chunk *chunk = &run->chunks[i];
        int64_t place = offset + (int64_t)length - chunk->offset;
        if (place >= 0 && place < (int64_t)chunk->length) {
            size_t take = chunk->length - (size_t)place;
            take = take < size - length ? take : size - length;
            memcpy(bytes + length, chunk->bytes + place, take);
            length += take;
        }
    }
    *length_out = length;
    return true;
}
