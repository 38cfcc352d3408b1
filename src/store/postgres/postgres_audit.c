// SPDX-License-Identifier: MIT
// Audit rows of operators and guards, the chain, and what history lets go.
#include "store/postgres/postgres_private.h"

#include <string.h>

#include "base/alloc.h"
#include "store/chain.h"

void send_audit(struct postgres_store *store, struct task *task)
{
    const struct store_op_audit *op = CONTAINER_OF(task->op, struct store_op_audit, op);
    struct parameters parameters;
    parameters_init(&parameters);
    put_now(store, &parameters);
    put_text(&parameters, op->event);
    put_text(&parameters, op->job);
    put_uuid(&parameters, op->run_id);
    put_uuid(&parameters, op->node);
    put_text(&parameters, op->actor);
    put_text(&parameters, op->detail);
    task_send(store, PG_AUDIT, &parameters);
}

// ---- sealing: read what waits, hash it here while others are served, write the seals ------------

// As many rows as a block of the chain holds at most (schema_1.sql).
#define BLOCK_ROWS 60

struct sealing {
    int64_t id;
    uint8_t hash[CHAIN_HASH_SIZE];
};
struct sealings {
    int64_t sealed_id; // up to this number the sealer has looked at everything before
    uint8_t head[CHAIN_HASH_SIZE];
    struct sealing rows[];
};

// Where the block that begins at `from` ends: numbers in it have no hole.
static size_t block_end(const struct sealing *rows, size_t from, size_t count)
{
    size_t to = from + 1;
    while (to < count && to - from < BLOCK_ROWS && rows[to].id == rows[to - 1].id + 1) {
        to++;
    }
    return to;
}

#define EACH_BLOCK(type, put)                                                                      \
    do {                                                                                           \
        put_list(&parameters, LIST_##type);                                                        \
        for (size_t from = 0, to; from < count; from = to) {                                       \
            to = block_end(rows, from, count);                                                     \
            put;                                                                                   \
        }                                                                                          \
        list_end(&parameters);                                                                     \
    } while (0)

// Hashes of a block, end to end.
static void list_hashes(struct parameters *parameters, const struct sealing *rows, size_t count)
{
    uint8_t bytes[BLOCK_ROWS * CHAIN_HASH_SIZE];
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + i * CHAIN_HASH_SIZE, rows[i].hash, CHAIN_HASH_SIZE);
    }
    list_bytes(parameters, bytes, count * CHAIN_HASH_SIZE);
}

// Numbers above the last one that was looked at, and below the last one now, that were not there.
static void put_gaps(struct parameters *parameters, const struct sealings *sealings, size_t count,
                     bool ends)
{
    int64_t last = sealings->sealed_id;
    put_list(parameters, LIST_INT);
    for (size_t i = 0; i < count; i++) {
        int64_t id = sealings->rows[i].id;
        if (id > last + 1) {
            list_int(parameters, ends ? id - 1 : last + 1);
        }
        last = id > last ? id : last;
    }
    list_end(parameters);
}

static void send_seals(struct postgres_store *store, struct task *task)
{
    const struct store_op_seal *op = CONTAINER_OF(task->op, struct store_op_seal, op);
    const struct sealings *sealings = task->state;
    const struct sealing *rows = sealings->rows;
    size_t count = op->sealed;
    int64_t last = rows[count - 1].id;
    struct parameters parameters;
    parameters_init(&parameters);
    put_int(&parameters, sealings->sealed_id);
    put_int(&parameters, task->number);
    put_int(&parameters, last > sealings->sealed_id ? last : sealings->sealed_id);
    EACH_BLOCK(INT, list_int(&parameters, task->number + (int64_t)from + 1));
    EACH_BLOCK(INT, list_int(&parameters, rows[from].id));
    EACH_BLOCK(INT, list_int(&parameters, (int64_t)(to - from)));
    EACH_BLOCK(BYTES, list_bytes(&parameters, from == 0 ? sealings->head : rows[from - 1].hash,
                                 CHAIN_HASH_SIZE));
    EACH_BLOCK(BYTES, list_hashes(&parameters, rows + from, to - from));
    put_gaps(&parameters, sealings, count, false);
    put_gaps(&parameters, sealings, count, true);
    task_send(store, PG_SEAL, &parameters);
}

// Right before the commit, since its locks are held until then.
static void send_make_days(struct postgres_store *store)
{
    struct parameters parameters;
    parameters_init(&parameters);
    put_now(store, &parameters);
    task_send(store, PG_MAKE_DAYS, &parameters);
}

void send_seal(struct postgres_store *store, struct task *task)
{
    struct store_op_seal *op = CONTAINER_OF(task->op, struct store_op_seal, op);
    if (task->round > 0) {
        if (op->sealed > 0) {
            send_seals(store, task);
        }
        task_send_plain(store, PG_FORGET_GAPS);
        send_make_days(store);
        return;
    }
    struct parameters parameters;
    task->over = false;
    task->committing = false;
    task_send_plain(store, PG_SEAL_HEAD);
    parameters_init(&parameters);
    put_int(&parameters, (int64_t)op->limit + 1); // one more, to know whether there is more
    parameters.wants_binary = true;
    task_send(store, PG_SEAL_ROWS, &parameters);
}

static struct store_audit_row content_of(const PGresult *result, int row)
{
    return (struct store_audit_row){
        .at = binary_instant(result, row, 1),
        .event = field_text(result, row, 2),
        .job = field_text(result, row, 3),
        .run_id = binary_uuid(result, row, 4),
        .node = binary_uuid(result, row, 5),
        .actor = field_text(result, row, 6),
        .detail = field_text(result, row, 7),
    };
}

static void take_head(struct task *task, const PGresult *result)
{
    const struct store_op_seal *op = CONTAINER_OF(task->op, struct store_op_seal, op);
    struct sealings *sealings =
        alloc_zero(1, sizeof *sealings + op->limit * sizeof *sealings->rows);
    task->state = sealings;
    sealings->sealed_id = field_int(result, 0, 0);
    task->number = field_int(result, 0, 1);
    (void)field_bytes(result, 0, 2, sealings->head, sizeof sealings->head);
}

static void take_waiting(struct task *task, const PGresult *result)
{
    struct store_op_seal *op = CONTAINER_OF(task->op, struct store_op_seal, op);
    struct sealings *sealings = task->state;
    size_t waiting = (size_t)PQntuples(result);
    op->more = waiting > op->limit;
    op->sealed = op->more ? op->limit : waiting;
    const uint8_t *head = sealings->head;
    for (size_t i = 0; i < op->sealed; i++) {
        struct store_audit_row row = content_of(result, (int)i);
        row.seq = task->number + (int64_t)i + 1;
        memcpy(row.prev_hash, head, sizeof row.prev_hash);
        sealings->rows[i].id = binary_int(result, (int)i, 0);
        chain_hash(&row, sealings->rows[i].hash);
        head = sealings->rows[i].hash;
    }
}

void take_seal(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_seal *op = CONTAINER_OF(task->op, struct store_op_seal, op);
    if (task->round == 0 && task->answers == 0) {
        take_head(task, result);
    } else if (task->round == 0) {
        take_waiting(task, result);
    } else if (task->answers == 0 && op->sealed > 0 && !field_bool(result, 0, 0)) {
        op->sealed = 0; // somebody else has sealed meanwhile
        op->more = true;
    }
}

// ---- pruning ------------------------------------------------------------------------------------

static void send_prune_runs(struct postgres_store *store, const struct store_op_prune *op)
{
    struct parameters parameters;
    parameters_init(&parameters);
    put_int(&parameters, instant_ms(op->runs_before));
    put_int(&parameters,
            instant_ms(instant_add(op->runs_before, DURATION_US(-STORE_CONTROL_MARGIN.us))));
    put_int(&parameters, (int64_t)op->limit);
    task_send(store, PG_PRUNE_RUNS, &parameters);
}

static void send_prune_part(struct postgres_store *store, enum postgres_statement part,
                            struct instant before, size_t limit)
{
    if (operation_has(before)) {
        struct parameters parameters;
        parameters_init(&parameters);
        put_int(&parameters, instant_ms(before));
        put_int(&parameters, (int64_t)limit);
        task_send(store, part, &parameters);
    }
}

// Last, since its locks are held until the commit.
static void send_prune_days(struct postgres_store *store, const struct store_op_prune *op)
{
    struct parameters parameters;
    parameters_init(&parameters);
    put_instant(&parameters, op->runs_before);
    put_instant(&parameters, op->output_before);
    task_send(store, PG_PRUNE_DAYS, &parameters);
}

void send_prune(struct postgres_store *store, struct task *task)
{
    struct store_op_prune *op = CONTAINER_OF(task->op, struct store_op_prune, op);
    op->deleted = 0;
    op->more = false;
    if (op->limit == 0) {
        task->result =
            operation_refuse(&op->op.err, "pruning was asked for with a limit of zero rows");
        return;
    }
    if (operation_has(op->runs_before)) {
        send_prune_runs(store, op);
    }
    send_prune_part(store, PG_PRUNE_OUTPUT, op->output_before, op->limit);
    send_prune_part(store, PG_PRUNE_AUDIT, op->audit_before, op->limit);
    send_prune_days(store, op);
}

void take_prune(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_prune *op = CONTAINER_OF(task->op, struct store_op_prune, op);
    op->deleted += (size_t)field_int(result, 0, 0);
    op->more |= field_bool(result, 0, 1);
}
