// SPDX-License-Identifier: MIT
// Ends of runs, guarded by the fence, and their output.
#include "store/postgres/postgres_private.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

static bool is_in(const struct store_op_finish *op, size_t from, size_t to, int64_t fence)
{
    for (size_t i = from; i < to; i++) {
        if (op->ends[i].fence == fence) {
            return true;
        }
    }
    return false;
}

// Fences of one node's ends mostly rise, and then nothing has to be looked for.
static size_t piece_end(const struct store_op_finish *op, size_t from)
{
    int64_t highest = op->ends[from].fence;
    size_t to = from + 1;
    for (; to < op->end_count; to++) {
        int64_t fence = op->ends[to].fence;
        if (fence <= highest && is_in(op, from, to, fence)) {
            break;
        }
        highest = fence > highest ? fence : highest;
    }
    return to;
}

#define EACH(type, put)                                                                            \
    do {                                                                                           \
        put_list(&parameters, LIST_##type);                                                        \
        for (const struct store_end *end = first; end < last; end++) {                             \
            put;                                                                                   \
        }                                                                                          \
        list_end(&parameters);                                                                     \
    } while (0)

static void list_error(struct parameters *parameters, const char *error)
{
    char kept[OPERATION_ERROR_MAX + 1];
    size_t length = operation_error_length(error);
    if (error != NULL) {
        snprintf(kept, sizeof kept, "%.*s", (int)length, error);
    }
    list_text(parameters, error == NULL ? NULL : kept);
}

static void list_exit(struct parameters *parameters, const struct store_end *end)
{
    if (end->has_exit_code) {
        list_int(parameters, end->exit_code);
    } else {
        list_null(parameters);
    }
}

static void send_piece(struct postgres_store *store, const struct store_op_finish *op, size_t from,
                       size_t to, bool passes)
{
    const struct store_end *first = &op->ends[from];
    const struct store_end *last = &op->ends[to];
    struct parameters parameters;
    parameters_init(&parameters);
    put_uuid(&parameters, op->node);
    put_now(store, &parameters);
    EACH(UUID, list_uuid(&parameters, end->run_id));
    EACH(INT, list_int(&parameters, end->fence));
    EACH(INT, list_int(&parameters, end->state));
    EACH(INT, list_int(&parameters, end->failure));
    EACH(INT, list_exit(&parameters, end));
    EACH(TEXT, list_error(&parameters, end->error));
    EACH(INT, list_int(&parameters, duration_ms(end->duration)));
    EACH(INT, list_instant(&parameters, end->retry_at));
    EACH(TEXT, list_text(&parameters, end->detail));
    EACH(BOOL, list_bool(&parameters, end->settles));
    list_released(&parameters, store, first, to - from);
    task_send(store, passes ? PG_FINISH_PASSING : PG_FINISH, &parameters);
}

void send_finish(struct postgres_store *store, struct task *task)
{
    const struct store_op_finish *op = CONTAINER_OF(task->op, struct store_op_finish, op);
    size_t *from = alloc_zero(op->end_count + 2, sizeof *from);
    task->state = from; // where each piece begins
    size_t count = 0;
    for (size_t at = 0; at < op->end_count; at = from[count]) {
        size_t to = piece_end(op, at);
        send_piece(store, op, at, to, task->passes);
        from[++count] = to;
    }
    if (op->end_count == 0) {
        send_piece(store, op, 0, 0, task->passes);
    }
}

// Which are stale, and which had written their SUCCESS themselves: of a thousand, mostly none.
static void take_told(struct store_end *ends, size_t count, const PGresult *result)
{
    int64_t *told = alloc_zero(count + 1, sizeof *told);
    for (size_t i = 0; i < count; i++) {
        ends[i].stale = false;
        ends[i].succeeded = false;
        ends[i].later = false;
        ends[i].holder = NULL;
    }
    for (size_t i = field_ints(result, 0, 0, told, count); i > 0; i--) {
        ends[told[i - 1] - 1].stale = true;
    }
    for (size_t i = field_ints(result, 0, 1, told, count); i > 0; i--) {
        ends[told[i - 1] - 1].succeeded = true;
    }
    free(told);
}

// Those that somebody else has in hand keep their locks.
static void take_later(struct postgres_store *store, struct store_op_finish *op, size_t begin,
                       size_t count, const PGresult *result)
{
    int64_t *told = alloc_zero(2 * count + 1, sizeof *told);
    size_t later = field_ints(result, 0, 4, told, count);
    (void)field_ints(result, 0, 5, told + later, count);
    for (size_t i = 0; i < later; i++) {
        struct store_end *end = &op->ends[begin + (size_t)told[i] - 1];
        end->later = true;
        end->holder = locks_stranger(store, told[later + i], &op->op.arena);
    }
    if (later > 0) {
        locks_passed(store);
        owner_of(store)->locks_in_doubt = true;
    }
    free(told);
}

void take_finish(struct postgres_store *store, struct task *task, const PGresult *result)
{
    struct store_op_finish *op = CONTAINER_OF(task->op, struct store_op_finish, op);
    const size_t *from = task->state;
    size_t begin = from[task->answers];
    size_t count = op->end_count == 0 ? 0 : from[task->answers + 1] - begin;
    take_told(&op->ends[begin], count, result);
    op->now = field_instant(result, 0, 2);
    if (task->passes) {
        take_later(store, op, begin, count, result);
    }
    store->locks_in_doubt |= field_int(result, 0, 3) > 0;
}

#undef EACH
#define EACH(type, put)                                                                            \
    do {                                                                                           \
        put_list(&parameters, LIST_##type);                                                        \
        for (size_t i = 0; i < op->chunk_count; i++) {                                             \
            const struct store_chunk *chunk = &op->chunks[i];                                      \
            put;                                                                                   \
        }                                                                                          \
        list_end(&parameters);                                                                     \
    } while (0)

void send_output(struct postgres_store *store, struct task *task)
{
    const struct store_op_output *op = CONTAINER_OF(task->op, struct store_op_output, op);
    struct parameters parameters;
    parameters_init(&parameters);
    EACH(UUID, list_uuid(&parameters, chunk->run_id));
    EACH(INT, list_int(&parameters, chunk->offset));
    EACH(BYTES, list_bytes(&parameters, chunk->bytes, chunk->length));
    task_send(store, PG_OUTPUT, &parameters);
}
