// SPDX-License-Identifier: MIT
// A node's life: joins and ends what the dead left, beats, tells of itself, leaves.
#include "store/postgres/postgres_private.h"

#include <stdlib.h>

void take_nothing(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    (void)task;
    (void)result;
}

void put_node(struct parameters *parameters, struct uuid node)
{
    parameters_init(parameters);
    put_uuid(parameters, node);
}

// ---- join: begin and read what the dead left, end that and commit, end their sessions -----------

static void send_join_begin(struct postgres_store *store, struct task *task)
{
    const struct store_op_join *op = CONTAINER_OF(task->op, struct store_op_join, op);
    struct parameters parameters;
    task_begin(store, task);
    put_node(&parameters, op->node);
    put_now(store, &parameters);
    put_text(&parameters, op->host);
    put_text(&parameters, op->version);
    put_text(&parameters, op->detail);
    put_bool(&parameters, op->alone);
    put_uuid(&parameters, op->dead);
    put_int(&parameters, duration_ms(op->lease));
    put_int(&parameters, duration_ms(op->grace));
    put_bool(&parameters, op->dry_run);
    put_int(&parameters, op->max_running);
    put_text(&parameters, op->labels);
    task_send(store, PG_JOIN, &parameters);
    put_node(&parameters, op->node);
    task_send(store, PG_JOIN_LOST, &parameters);
    send_left(store, op->node);
}

static struct losing losing_of(const struct store_op_join *op)
{
    return (struct losing){.node = op->node,
                           .now = op->now,
                           .retry = op->lost_retry,
                           .context = op->lost_context,
                           .lost = op->lost,
                           .count = op->lost_count};
}

void send_join(struct postgres_store *store, struct task *task)
{
    const struct store_op_join *op = CONTAINER_OF(task->op, struct store_op_join, op);
    bool is_new = task->number != 0;
    if (task->round == 0) {
        send_join_begin(store, task);
    } else if (task->round == 1) {
        if (is_new) {
            struct losing losing = losing_of(op);
            send_lose(store, &losing);
            send_take_over(store, op->node, op->alone, NULL);
        }
        task_send_plain(store, PG_COMMIT);
        task->over = false;
    } else {
        send_end_sessions(store, task);
    }
}

static void take_joined(struct store_op_join *op, const PGresult *result)
{
    struct arena *arena = &op->op.arena;
    op->now = field_instant(result, 0, 0);
    op->drain = (struct store_drain){.since = field_instant(result, 0, 2),
                                     .by = field_string(result, 0, 3, arena),
                                     .as = field_string(result, 0, 4, arena),
                                     .reason = field_string(result, 0, 5, arena)};
}

void take_join(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_join *op = CONTAINER_OF(task->op, struct store_op_join, op);
    if (task->round > 0) {
        return;
    }
    if (task->answers == 0) {
        task->number = field_bool(result, 0, 1);
        take_joined(op, result);
    } else if (task->answers == 1) {
        op->lost = take_lost(result, &op->op.arena, &op->lost_count);
    } else {
        op->left = take_left(result, &op->op.arena, &op->left_count);
    }
}

// ---- beat, report, leave ------------------------------------------------------------------------

void send_beat(struct postgres_store *store, struct task *task)
{
    const struct store_op_beat *op = CONTAINER_OF(task->op, struct store_op_beat, op);
    struct parameters parameters;
    put_node(&parameters, op->node);
    put_now(store, &parameters);
    put_bool(&parameters, op->look);
    put_int(&parameters, op->running);
    put_bool(&parameters, op->full);
    put_bool(&parameters, op->draining);
    task_send(store, PG_BEAT, &parameters);
}

// A row for each member; what is said of the store stands in all of them.
void take_beat(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_beat *op = CONTAINER_OF(task->op, struct store_op_beat, op);
    struct arena *arena = &op->op.arena;
    op->now = field_instant(result, 0, 0);
    op->changes = field_int(result, 0, 1);
    op->version = field_int(result, 0, 2);
    op->orphans = field_bool(result, 0, 3);
    op->unsealed = field_bool(result, 0, 11);
    op->member_count = (size_t)PQntuples(result);
    op->members = arena_alloc(arena, op->member_count, sizeof *op->members);
    for (int i = 0; i < PQntuples(result); i++) {
        op->members[i] = (struct store_member){
            .node = field_uuid(result, i, 4),
            .host = field_string(result, i, 5, arena),
            .labels = field_string(result, i, 6, arena),
            .dry_run = field_bool(result, i, 7),
            .draining = field_bool(result, i, 8),
            .full = field_bool(result, i, 9),
            .is_overdue = field_bool(result, i, 10),
        };
    }
}

void send_report(struct postgres_store *store, struct task *task)
{
    const struct store_op_report *op = CONTAINER_OF(task->op, struct store_op_report, op);
    char *detail = operation_report_detail(op);
    struct parameters parameters;
    put_node(&parameters, op->node);
    put_now(store, &parameters);
    put_int(&parameters, op->definitions);
    put_text(&parameters, op->refused);
    put_instant(&parameters, op->draining_since);
    put_text(&parameters, op->actor);
    put_text(&parameters, op->as);
    put_text(&parameters, op->reason);
    put_text(&parameters, detail);
    free(detail);
    task_send(store, PG_REPORT, &parameters);
}

void send_leave(struct postgres_store *store, struct task *task)
{
    struct parameters parameters;
    put_node(&parameters, CONTAINER_OF(task->op, struct store_op_leave, op)->node);
    put_now(store, &parameters);
    task_send(store, PG_LEAVE, &parameters);
}
