// SPDX-License-Identifier: MIT
// Answers, and how each operation ends: done, refused, to go again, or nobody knows.
#include "store/postgres/postgres_private.h"

#include <stdlib.h>

#include "base/alloc.h"

// Whom the server broke off to end a deadlock goes again: the others have what they waited for.
#define AGAIN_MAX 3

// Takes the first one out of what was sent.
static struct task *task_pop(struct postgres_store *store)
{
    struct task *task = store->first;
    store->first = task->next;
    if (store->first == NULL) {
        store->last = NULL;
    }
    store->in_flight--;
    store->in_order -= task->beside ? 0 : 1;
    return task;
}

void task_end(struct postgres_store *store, enum store_result result, const struct error *err)
{
    struct task *task = task_pop(store);
    struct store_op *op = task->op;
    free(task->state);
    free(task);
    if (postgres_tasks[op->kind].ended != NULL) {
        postgres_tasks[op->kind].ended(store, op, result);
    }
    if (result == STORE_OK) {
        witness_note(store, op);
    }
    operation_done(op, result, err);
}

// What can be done in part, without what somebody else has in hand.
static bool may_pass(const struct task *task)
{
    enum store_op_kind kind = task->op->kind;
    return !task->passes && (kind == STORE_DECIDE || kind == STORE_FINISH);
}

// It goes again as if for the first time, on whatever connection; but the session may have taken or
// left locks for it.
static void task_again(struct postgres_store *store)
{
    struct postgres_store *owner = owner_of(store);
    struct task *task = task_pop(store);
    if (postgres_tasks[task->op->kind].ended != NULL) {
        postgres_tasks[task->op->kind].ended(store, task->op, STORE_UNAVAILABLE);
    }
    free(task->state);
    task->op->err = ERROR_INIT;
    *task = (struct task){.op = task->op,
                          .again = task->again + 1,
                          .may_be_done = task->may_be_done,
                          .passes = task->passes || task->locked_out};
    struct task **end = &owner->again;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = task;
}

// The second connection is gone: what was on its way there is the first one's, which settles also
// what was done.
static void hand_back(struct postgres_store *apart)
{
    link_close(apart);
    while (apart->first != NULL) {
        apart->first->may_be_done = true;
        task_again(apart);
    }
}

// The connection is gone, or nothing on it can be believed. What was sent with its commit may be
// done; the rest is certainly not.
void link_lost(struct postgres_store *store, const struct error *err)
{
    if (store->owner != NULL) {
        hand_back(store);
        return;
    }
    struct error why = *err;
    link_close(store);
    if (store->apart.store != NULL) {
        hand_back(store->apart.store);
    }
    struct operation_queue queue = store->queue;
    struct task *again = store->again;
    store->queue = (struct operation_queue){NULL, NULL};
    store->again = NULL;
    while (store->first != NULL) {
        const struct task *task = store->first;
        bool unknown = task->may_be_done || (task->committing && !operation_is_read(task->op));
        task_end(store, unknown ? STORE_UNKNOWN : STORE_UNAVAILABLE, &why);
    }
    while (again != NULL) {
        struct task *task = again;
        again = task->next;
        operation_done(task->op, task->may_be_done ? STORE_UNKNOWN : STORE_UNAVAILABLE, &why);
        free(task);
    }
    for (struct store_op *op; (op = operation_pop(&queue)) != NULL;) {
        operation_done(op, STORE_UNAVAILABLE, &why);
    }
}

static void take_failure(struct postgres_store *store, struct task *task, const PGresult *result)
{
    if (task->result == STORE_OK && !task->failing_is_fine) {
        task->result = task_result(result);
        task->broken_off = task_broken_off(result);
        task->locked_out = task_locked_out(result);
        link_explain(store, result, &task->op->err);
    }
}

static void take_answer(struct postgres_store *store, struct task *task, const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        if (task->result == STORE_OK) {
            postgres_tasks[task->op->kind].take(store, task, result);
        }
        task->answers++;
        break;
    case PGRES_FATAL_ERROR:
        take_failure(store, task, result);
        break;
    default: // a command without rows, a prepared statement, or one that was passed over
        break;
    }
}

// The sync's answer: the round is over, and when it was the last, the operation.
static void round_over(struct postgres_store *store)
{
    struct task *task = store->first;
    bool failed = task->result != STORE_OK;
    if (failed && task->in_block) {
        task->in_block = false;
        task->over = true;
        task->committing = false;
        task_send_plain(store, PG_ROLLBACK);
        (void)PQpipelineSync(store->connection);
        return;
    }
    task->in_block = task->in_block && !task->committing;
    if (!failed && !task->over) {
        task->round++;
        if (task->in_block) {
            send_round(store, task);
        } else { // others were sent meanwhile
            task_sent(store, task_pop(store));
        }
        return;
    }
    if ((task->broken_off && task->again < AGAIN_MAX) || (task->locked_out && may_pass(task))) {
        task_again(store);
        return;
    }
    task->op->locked_out = task->locked_out;
    if (!failed && task->not_replicated) {
        task->result = STORE_UNKNOWN;
        error_set(&task->op->err, ERROR_STORE,
                  "the wait for the synchronous standby was cancelled; a standby may lack what was "
                  "written");
    }
    struct error err = task->op->err;
    task_end(store, task->result, &err);
}

bool take_answers(struct postgres_store *store)
{
    bool taken = false;
    while (store->link == LINK_UP && !PQisBusy(store->connection)) {
        PGresult *result = PQgetResult(store->connection);
        if (result == NULL) {
            // Between two statements of the pipeline, or nothing is on its way any more.
            if (store->first == NULL || PQisBusy(store->connection)) {
                break;
            }
            result = PQgetResult(store->connection);
            if (result == NULL) {
                break;
            }
        }
        taken = true;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            round_over(store);
        } else if (store->first != NULL) {
            take_answer(store, store->first, result);
        }
        PQclear(result);
    }
    return taken;
}
