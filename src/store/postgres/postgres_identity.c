// SPDX-License-Identifier: MIT
// Which database this is.
#include "store/postgres/postgres_private.h"

void send_identity(struct postgres_store *store, struct task *task)
{
    (void)task;
    task_send_plain(store, PG_IDENTITY);
}

void take_identity(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_identity *op = CONTAINER_OF(task->op, struct store_op_identity, op);
    op->system = field_string(result, 0, 0, &op->op.arena);
    op->database = field_int(result, 0, 1);
    op->timeline = field_int(result, 0, 2);
    op->sealed = field_int(result, 0, 3);
}
