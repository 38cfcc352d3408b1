// SPDX-License-Identifier: MIT
// Session locks of jobs whose runs forbid overlap: the second belt beside the rows. The server
// keeps them for the session, not for the transaction, so what failed or is unknown leaves them in
// doubt; then the session is told which ones it is to have.
#include "store/postgres/postgres_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

// ---- what this session holds --------------------------------------------------------------------

static size_t place_of(const struct postgres_store *store, int64_t fence)
{
    size_t from = 0;
    size_t to = store->held_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (store->held[middle].fence < fence) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static struct held *held_by(struct postgres_store *store, int64_t fence)
{
    size_t at = place_of(store, fence);
    bool found = at < store->held_count && store->held[at].fence == fence;
    return found ? &store->held[at] : NULL;
}

// The same session gets a lock again as often as it asks, and has to let go as often.
static void hold(struct postgres_store *store, const struct store_slot *slot)
{
    struct held *again = held_by(store, slot->fence);
    if (again != NULL) {
        again->times++;
        return;
    }
    ARRAY_RESERVE(store->held, store->held_count, store->held_capacity);
    size_t at = place_of(store, slot->fence);
    memmove(&store->held[at + 1], &store->held[at], (store->held_count - at) * sizeof *store->held);
    store->held[at] = (struct held){.fence = slot->fence, .job_id = slot->job_id, .times = 1};
    store->held_count++;
}

void put_held(struct parameters *parameters, const struct postgres_store *store)
{
    array_begin(parameters);
    for (size_t i = 0; i < store->held_count; i++) {
        array_int(parameters, store->held[i].job_id);
    }
    array_end(parameters);
    array_begin(parameters);
    for (size_t i = 0; i < store->held_count; i++) {
        array_int(parameters, store->held[i].fence);
    }
    array_end(parameters);
}

void locks_settled(struct postgres_store *store)
{
    store->locks_in_doubt = false;
    for (size_t i = 0; i < store->held_count; i++) {
        store->held[i].times = 1;
    }
}

// ---- what somebody has in hand ------------------------------------------------------------------

#define PASSING_FOR DURATION_S(5)

void locks_passed(struct postgres_store *store)
{
    owner_of(store)->passing_until = mono_add(clock_mono(store->options.clock), PASSING_FOR);
}

// ---- claims -------------------------------------------------------------------------------------

void locks_take_stranger(struct postgres_store *store, const PGresult *remark)
{
    const char *who = PQresultErrorField(remark, PG_DIAG_MESSAGE_PRIMARY);
    const char *job = PQresultErrorField(remark, PG_DIAG_MESSAGE_DETAIL);
    ARRAY_RESERVE(store->strangers, store->stranger_count, store->stranger_capacity);
    struct stranger *stranger = &store->strangers[store->stranger_count++];
    stranger->job_id = job == NULL ? 0 : strtoll(job, NULL, 10);
    snprintf(stranger->who, sizeof stranger->who, "%s", who == NULL ? "?" : who);
}

const char *locks_stranger(const struct postgres_store *store, int64_t job_id, struct arena *arena)
{
    for (size_t i = 0; i < store->stranger_count; i++) {
        if (store->strangers[i].job_id == job_id) {
            return arena_string(arena, store->strangers[i].who);
        }
    }
    return NULL;
}

static void name_strangers(struct postgres_store *store, struct store_op_decide *op)
{
    bool passed = false;
    for (size_t i = 0; i < op->slot_count; i++) {
        struct store_slot *slot = &op->slots[i];
        bool kept = slot->verdict == VERDICT_OVERLAP || slot->verdict == VERDICT_LOCKED;
        slot->holder = kept ? locks_stranger(store, slot->job_id, &op->op.arena) : NULL;
        passed = passed || slot->verdict == VERDICT_LOCKED;
    }
    store->stranger_count = 0;
    if (passed) {
        locks_passed(store);
    }
}

void decide_ended(struct postgres_store *store, struct store_op *base, enum store_result result)
{
    struct store_op_decide *op = CONTAINER_OF(base, struct store_op_decide, op);
    name_strangers(store, op);
    for (size_t i = 0; i < op->slot_count; i++) {
        const struct store_slot *slot = &op->slots[i];
        if (!slot_wants_lock(slot)) {
            continue;
        }
        if (result != STORE_OK) {
            store->locks_in_doubt = true;
        } else if (slot->verdict == VERDICT_CLAIMED) {
            hold(store, slot);
        }
    }
}

// ---- ends ---------------------------------------------------------------------------------------

void list_released(struct parameters *parameters, struct postgres_store *store,
                   const struct store_end *ends, size_t count)
{
    put_list(parameters, LIST_INT);
    for (size_t i = 0; i < count; i++) {
        struct held *held = held_by(store, ends[i].fence);
        for (int j = 0; held != NULL && !held->releasing && j < held->times; j++) {
            list_int(parameters, held->job_id);
        }
        if (held != NULL) {
            held->releasing = true;
        }
    }
    list_end(parameters);
}

static void let_go(struct postgres_store *store, struct held *held)
{
    size_t at = (size_t)(held - store->held);
    store->held_count--;
    memmove(held, held + 1, (store->held_count - at) * sizeof *held);
}

void finish_ended(struct postgres_store *store, struct store_op *base, enum store_result result)
{
    struct store_op_finish *op = CONTAINER_OF(base, struct store_op_finish, op);
    struct postgres_store *owner = owner_of(store);
    for (size_t i = 0; i < op->end_count; i++) {
        struct held *held = held_by(owner, op->ends[i].fence);
        if (held == NULL) {
            continue;
        }
        held->releasing = false;
        if (result != STORE_OK) {
            owner->locks_in_doubt = true;
        } else if (!op->ends[i].later) {
            let_go(owner, held);
        }
    }
    store->stranger_count = 0;
}

// ---- ends that go apart -------------------------------------------------------------------------

struct unlock {
    struct store_op op; // first
    const struct store_op_finish *finish;
};

static void unlock_done(struct store_op *op)
{
    free(CONTAINER_OF(op, struct unlock, op));
}

static bool have_locks(struct postgres_store *store, const struct store_op_finish *op)
{
    for (size_t i = 0; i < op->end_count && store->held_count > 0; i++) {
        if (held_by(store, op->ends[i].fence) != NULL) {
            return true;
        }
    }
    return false;
}

struct store_op *locks_unlock(struct postgres_store *store, const struct store_op_finish *op)
{
    if (!have_locks(store, op)) {
        return NULL;
    }
    struct unlock *unlock = alloc_zero(1, sizeof *unlock);
    unlock->op = (struct store_op){.kind = STORE_UNLOCK, .done = unlock_done};
    unlock->finish = op;
    return &unlock->op;
}

void send_unlock(struct postgres_store *store, struct task *task)
{
    const struct store_op_finish *op = CONTAINER_OF(task->op, struct unlock, op)->finish;
    struct parameters parameters;
    parameters_init(&parameters);
    list_released(&parameters, store, op->ends, op->end_count);
    task_send(store, PG_UNLOCK, &parameters);
}

void take_unlock(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)task;
    store->locks_in_doubt |= field_int(result, 0, 0) > 0;
}

void unlock_ended(struct postgres_store *store, struct store_op *op, enum store_result result)
{
    (void)op;
    store->locks_in_doubt |= result != STORE_OK;
}

// ---- a node begins ------------------------------------------------------------------------------

void join_ended(struct postgres_store *store, struct store_op *base, enum store_result result)
{
    const struct store_op_join *op = CONTAINER_OF(base, struct store_op_join, op);
    if (result == STORE_OK && !uuid_equal(store->node, op->node)) {
        store->node = op->node;
        store->locks_in_doubt |= store->held_count > 0;
        store->held_count = 0;
    }
}

// ---- in doubt -----------------------------------------------------------------------------------

void send_lock_only(struct postgres_store *store, struct task *task)
{
    struct parameters parameters;
    (void)task;
    parameters_init(&parameters);
    put_held(&parameters, store);
    task_send(store, PG_LOCK_ONLY, &parameters);
}

void take_lock_only(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    if (field_int(result, 0, 0) > 0) {
        task->result =
            operation_refuse(&task->op->err, "another session holds the lock of a job of "
                                             "which this node has a run");
    }
}
