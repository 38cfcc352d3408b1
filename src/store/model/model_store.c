// SPDX-License-Identifier: MIT
// The model's life, its pump with faults, and finding rows.
#include "store/model/model_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

static model_op_fn *const handlers[STORE_OP_COUNT] = {
    [STORE_JOIN] = model_join,
    [STORE_LOAD] = model_load,
    [STORE_PUBLISH] = model_publish,
    [STORE_DECIDE] = model_decide,
    [STORE_FINISH] = model_finish,
    [STORE_OUTPUT] = model_output,
    [STORE_CONTROL] = model_control,
    [STORE_INTENT_PUT] = model_intent_put,
    [STORE_INTENT_TAKE] = model_intent_take,
    [STORE_INTENT_END] = model_intent_end,
    [STORE_AUDIT] = model_audit,
    [STORE_SEAL] = model_seal,
    [STORE_PRUNE] = model_prune,
    [STORE_BEAT] = model_beat,
    [STORE_LEAVE] = model_leave,
    [STORE_SLOTS] = model_slots,
    [STORE_INTENT_NOTE] = model_intent_note,
    [STORE_FENCE] = model_fence,
    [STORE_MARKS] = model_marks,
    [STORE_INTENT_OWN] = model_intent_own,
    [STORE_VERSION] = model_version,
    [STORE_DEFINITIONS] = model_definitions,
    [STORE_IDENTITY] = model_identity,
    [STORE_REPORT] = model_report,
};

// ---- pump ---------------------------------------------------------------------------------------

static void submit(struct store *port, struct store_op *op)
{
    operation_push(&model_session_of(port)->queue, op);
}

static enum store_result carry_out(struct model_store *store, struct store_op *op)
{
    if (!operation_check(op, &op->err)) {
        return STORE_REFUSED;
    }
    store->now = instant_from_ms(instant_ms(clock_now(store->clock)));
    return handlers[op->kind](store, op);
}

static enum model_fault next_fault(struct model_session *session)
{
    if (session->fault_count == 0) {
        return MODEL_FAULT_NONE;
    }
    session->fault_count--;
    return session->fault;
}

static enum store_result apply(struct model_store *store, struct store_op *op,
                               enum model_fault fault)
{
    switch (fault) {
    case MODEL_FAULT_NONE:
        return carry_out(store, op);
    case MODEL_FAULT_UNKNOWN_APPLIED:
        (void)carry_out(store, op);
        error_set(&op->err, ERROR_UNAVAILABLE,
                  "the model lost the answer to a commit that was done");
        return STORE_UNKNOWN;
    case MODEL_FAULT_UNKNOWN_LOST:
        error_set(&op->err, ERROR_UNAVAILABLE, "the model lost a commit and its answer");
        return STORE_UNKNOWN;
    case MODEL_FAULT_UNAVAILABLE:
        error_set(&op->err, ERROR_UNAVAILABLE, "the model is unavailable, as it was told to be");
        return STORE_UNAVAILABLE;
    }
    UNREACHABLE();
}

// All that is queued commits together; what `done` submits waits for the next pump.
static bool pump(struct store *port)
{
    struct model_session *session = model_session_of(port);
    struct operation_queue batch = session->queue;
    if (batch.first == NULL) {
        return false;
    }
    session->queue = (struct operation_queue){NULL, NULL};
    enum model_fault fault = next_fault(session);
    for (struct store_op *op = batch.first; op != NULL; op = op->next) {
        op->result = apply(session->model, op, fault);
    }
    struct store_op *op;
    while ((op = operation_pop(&batch)) != NULL) {
        operation_done(op, op->result, &op->err);
    }
    return session->queue.first != NULL;
}

static bool changed(struct store *port)
{
    (void)port; // each answer to a beat or a look says it
    return false;
}

static const char *watch_path(struct store *port)
{
    (void)port;
    return NULL;
}

void model_store_fault(struct store *port, enum model_fault fault, int count)
{
    model_session_of(port)->fault = fault;
    model_session_of(port)->fault_count = fault == MODEL_FAULT_NONE ? 0 : count;
}

void model_store_hold(struct store *port, const char *name, const char *holder)
{
    struct model_job *job = map_get(&model_of(port)->jobs_by_name, name);
    free(job->holder);
    job->holder = alloc_optional(holder);
}

void model_store_lock(struct store *port, const char *name, const char *holder)
{
    struct model_job *job = map_get(&model_of(port)->jobs_by_name, name);
    free(job->locker);
    job->locker = alloc_optional(holder);
}

void model_store_up_since(struct store *port, struct instant since)
{
    model_of(port)->up_since = since;
}

// ---- life ---------------------------------------------------------------------------------------

static void free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

void model_control_free(struct store_control_row *row)
{
    free_text(row->job);
    free_text(row->actor);
    free_text(row->reason);
}

void model_run_free(struct model_run *run)
{
    for (size_t i = 0; i < run->chunk_count; i++) {
        free(run->chunks[i].bytes);
    }
    free(run->chunks);
    free_text(run->row.error);
    free(run);
}

static void job_free(struct model_job *job)
{
    for (size_t i = 0; i < job->force_count; i++) {
        free(job->forces[i].spec);
    }
    free(job->forces);
    free(job->slots);
    free(job->holder);
    free(job->locker);
    free(job->name);
    free(job);
}

static void free_nodes(struct model_store *store)
{
    for (size_t i = 0; i < store->node_count; i++) {
        free_text(store->nodes[i].row.host);
        free_text(store->nodes[i].row.version);
        free_text(store->nodes[i].row.labels);
        free_text(store->nodes[i].row.refused);
        free_text(store->nodes[i].row.draining_by);
        free_text(store->nodes[i].row.draining_as);
        free_text(store->nodes[i].row.draining_reason);
        free(store->nodes[i].lost.lost);
        free(store->nodes[i].fenced);
        free(store->nodes[i].fencing_lost.lost);
    }
    free(store->nodes);
    free(store->live);
}

static void free_operators_rows(struct model_store *store)
{
    for (size_t i = 0; i < store->control_count; i++) {
        model_control_free(&store->controls[i]);
    }
    free(store->controls);
    for (size_t i = 0; i < store->intent_count; i++) {
        model_intent_free(&store->intents[i]);
    }
    free(store->intents);
    for (size_t i = 0; i < store->version_count; i++) {
        free_text(store->versions[i].hash);
        free_text(store->versions[i].text);
        free_text(store->versions[i].actor);
    }
    free(store->versions);
}

static void free_model(struct model_store *store)
{
    for (size_t i = 0; i < store->run_count; i++) {
        model_run_free(store->runs[i]);
    }
    free(store->runs);
    free(store->open);
    map_release(&store->runs_by_id);
    for (size_t i = 0; i < store->job_count; i++) {
        job_free(store->jobs[i]);
    }
    free(store->jobs);
    map_release(&store->jobs_by_name);
    free_nodes(store);
    free_operators_rows(store);
    for (size_t i = 0; i < store->audit_count; i++) {
        model_audit_free(&store->audit[i]);
    }
    free(store->audit);
    free(store->waiting);
    free(store);
}

static void close_store(struct store *port)
{
    struct model_session *session = model_session_of(port);
    CHECK(session->queue.first == NULL);
    if (--session->model->sessions == 0) {
        free_model(session->model);
    }
    free(session);
}

void model_audit_free(struct store_audit_row *row)
{
    free_text(row->event);
    free_text(row->job);
    free_text(row->actor);
    free_text(row->detail);
}

void model_intent_free(struct store_intent *intent)
{
    free_text(intent->job);
    free_text(intent->params);
    free_text(intent->actor);
    free_text(intent->as);
    free_text(intent->reason);
    free_text(intent->answer);
}

static const struct store_ops model_ops = {
    .name = "model",
    .submit = submit,
    .pump = pump,
    .close = close_store,
    .changed = changed,
    .watch_path = watch_path,
    .read_runs = model_read_runs,
    .read_slots = model_read_slots,
    .read_audit = model_read_audit,
    .read_force = model_read_force,
    .read_jobs = model_read_jobs,
    .read_controls = model_read_controls,
    .read_nodes = model_read_nodes,
    .read_anchor = model_read_anchor,
    .reading_begins = model_reading_begins,
    .reading_ends = model_reading_ends,
    .read_intent = model_read_intent,
    .read_output = model_read_output,
};

static struct store *session_new(struct model_store *store)
{
    struct model_session *session = alloc_zero(1, sizeof *session);
    session->store.ops = &model_ops;
    session->model = store;
    store->sessions++;
    return &session->store;
}

struct store *model_store_new(struct clock *clock)
{
    struct model_store *store = alloc_zero(1, sizeof *store);
    store->clock = clock;
    store->anchor.slots_from = INSTANT_NONE;
    map_init(&store->jobs_by_name);
    map_init(&store->runs_by_id);
    return session_new(store);
}

struct store *model_store_attach(struct store *port)
{
    return session_new(model_of(port));
}

// ---- finding ------------------------------------------------------------------------------------

struct model_job *model_job_at(struct model_store *store, int64_t job_id)
{
    return job_id >= 1 && job_id <= (int64_t)store->job_count ? store->jobs[job_id - 1] : NULL;
}

struct model_run *model_run_by_id(struct model_store *store, struct uuid run_id)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(run_id, text);
    return map_get(&store->runs_by_id, text);
}

// The place of the first slot that is not before due_at.
static size_t slot_place(const struct model_job *job, struct instant due_at)
{
    size_t low = 0;
    size_t high = job->slot_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (instant_before(job->slots[middle].due_at, due_at)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct model_slot *model_slot_at(struct model_job *job, struct instant due_at)
{
    size_t place = slot_place(job, due_at);
    return place < job->slot_count && instant_equal(job->slots[place].due_at, due_at)
               ? &job->slots[place]
               : NULL;
}

struct model_slot *model_slot_add(struct model_job *job, struct instant due_at)
{
    size_t place = slot_place(job, due_at);
    ARRAY_RESERVE(job->slots, job->slot_count, job->slot_capacity);
    memmove(&job->slots[place + 1], &job->slots[place],
            (job->slot_count - place) * sizeof *job->slots);
    job->slot_count++;
    job->slots[place] = (struct model_slot){.due_at = due_at, .retry_at = INSTANT_NONE};
    return &job->slots[place];
}

static size_t waiting_place(const struct model_store *store, const struct model_job *job,
                            struct instant due_at)
{
    size_t i = 0;
    while (i < store->waiting_count &&
           (store->waiting[i].job != job || !instant_equal(store->waiting[i].due_at, due_at))) {
        i++;
    }
    return i;
}

void model_slot_wait(struct model_store *store, struct model_job *job, struct model_slot *slot,
                     struct instant retry_at)
{
    bool waits = operation_has(retry_at);
    if (waits && !operation_has(slot->retry_at)) {
        ARRAY_RESERVE(store->waiting, store->waiting_count, store->waiting_capacity);
        store->waiting[store->waiting_count++] = (struct model_waiting){job, slot->due_at};
    } else if (!waits && operation_has(slot->retry_at)) {
        store->waiting[waiting_place(store, job, slot->due_at)] =
            store->waiting[--store->waiting_count];
    }
    slot->retry_at = waits ? instant_from_ms(instant_ms(retry_at)) : INSTANT_NONE;
}

int64_t model_live_node(const struct model_store *store, struct uuid node)
{
    for (size_t i = store->live_count; i > 0; i--) {
        int64_t number = store->live[i - 1];
        if (uuid_equal(store->nodes[number - 1].row.node, node)) {
            return number;
        }
    }
    return 0;
}
