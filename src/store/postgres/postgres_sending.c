// SPDX-License-Identifier: MIT
// What goes on which connection, and when: in the order of submission, as many at once as hide the
// way there and back.
#include "store/postgres/postgres_private.h"

#include "base/alloc.h"

#define IN_FLIGHT_MAX 16 // operations sent and not answered: enough to hide the way there and back

void send_round(struct postgres_store *store, struct task *task)
{
    task->answers = 0;
    task->committing = true;
    task->over = true;
    struct mono now = clock_mono(store->options.clock);
    task->deadline = mono_add(now, store->options.call_deadline);
    task->passes = task->passes || mono_before(now, owner_of(store)->passing_until);
    postgres_tasks[task->op->kind].send(store, task);
    (void)PQpipelineSync(store->connection);
}

void task_sent(struct postgres_store *store, struct task *task)
{
    task->next = NULL;
    if (store->last == NULL) {
        store->first = task;
    } else {
        store->last->next = task;
    }
    store->last = task;
    store->in_flight++;
    task->beside = apart_is_beside(store, task->op);
    store->in_order += task->beside ? 0 : 1;
    send_round(store, task);
}

struct task *task_new(struct store_op *op)
{
    struct task *task = alloc_zero(1, sizeof *task);
    task->op = op;
    return task;
}

// A session with other locks than it is to have is not gone on with.
static void lock_only_ended(struct store_op *op)
{
    struct postgres_store *store = CONTAINER_OF(op, struct postgres_store, lock_only);
    if (op->result != STORE_OK && store->link == LINK_UP) {
        struct error err = op->err;
        link_lost(store, &err);
    }
}

// On the connection that takes it. Where that is the second one, the locks are still the first's.
void task_goes(struct postgres_store *store, struct task *task)
{
    struct postgres_store *taker = apart_taker(store, task->op);
    if (task->op->kind == STORE_FINISH) {
        apart_note(store, task->op);
    }
    task_sent(taker, task);
    if (taker != store && task->op->kind == STORE_FINISH) {
        struct store_op *unlock =
            locks_unlock(store, CONTAINER_OF(task->op, struct store_op_finish, op));
        if (unlock != NULL) {
            task_sent(store, task_new(unlock));
        }
    }
}

struct store_op *next_op(const struct postgres_store *store)
{
    return store->again == NULL ? store->queue.first : store->again->op;
}

bool may_send(struct postgres_store *store)
{
    const struct store_op *op = next_op(store);
    if (op == NULL || store->link != LINK_UP || store->locks_in_doubt) {
        return false;
    }
    const struct postgres_store *taker = apart_taker(store, op);
    bool alone = postgres_tasks[op->kind].takes_rounds ||
                 (taker->first != NULL && postgres_tasks[taker->first->op->kind].takes_rounds);
    return taker->in_flight < IN_FLIGHT_MAX && (!alone || taker->first == NULL) &&
           apart_fits(store, taker, op);
}

static bool is_quiet(const struct postgres_store *store)
{
    return store->first == NULL && apart_is_idle(store);
}

// Nothing more is claimed before the session's locks are what they should be.
static bool send_lock_only_first(struct postgres_store *store)
{
    if (!store->locks_in_doubt || !is_quiet(store) || store->link != LINK_UP) {
        return false;
    }
    store->lock_only = (struct store_op){.kind = STORE_LOCK_ONLY, .done = lock_only_ended};
    locks_settled(store);
    task_sent(store, task_new(&store->lock_only));
    return true;
}

static struct task *again_pop(struct postgres_store *store)
{
    struct task *task = store->again;
    store->again = task->next;
    return task;
}

// What is wrong by itself is refused in its turn, without a word to the server.
bool send_queued(struct postgres_store *store)
{
    bool sent = send_lock_only_first(store);
    while (may_send(store)) {
        if (store->again != NULL) {
            task_goes(store, again_pop(store));
            sent = true;
            continue;
        }
        struct error err = ERROR_INIT;
        if (!operation_check(store->queue.first, &err)) {
            if (!is_quiet(store)) {
                return sent; // answers come in the order of submission
            }
            operation_done(operation_pop(&store->queue), STORE_REFUSED, &err);
            sent = true;
            continue;
        }
        task_goes(store, task_new(operation_pop(&store->queue)));
        sent = true;
    }
    return sent;
}
