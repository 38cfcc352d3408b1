// SPDX-License-Identifier: MIT
// Which database this is, and how far its chain goes.
#include "store/postgres/postgres_private.h"

void send_identity(struct postgres_store *store, struct task *task)
{
    struct parameters parameters;
    parameters_init(&parameters);
    put_int(&parameters, CONTAINER_OF(task->op, struct store_op_identity, op)->asked);
    task_send(store, PG_IDENTITY, &parameters);
}

void take_identity(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_identity *op = CONTAINER_OF(task->op, struct store_op_identity, op);
    op->system = field_string(result, 0, 0, &op->op.arena);
    op->database = field_int(result, 0, 1);
    op->timeline = field_int(result, 0, 2);
    op->sealed = field_int(result, 0, 3);
    op->hash = field_string(result, 0, 4, &op->op.arena);
    op->asked_hash = field_string(result, 0, 5, &op->op.arena);
    op->locks = field_int(result, 0, 6);
    op->locks_most = field_int(result, 0, 7);
}
