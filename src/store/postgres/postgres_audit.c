// SPDX-License-Identifier: MIT
// Audit rows of operators and guards, the chain, and what history lets go.
#include "store/postgres/postgres_private.h"

#include <stdlib.h>
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

// A block of the chain holds as many rows at most, and as many events unless one row has more
// (schema_1.sql).
#define BLOCK_MAX 60
// Hashed in one go, while the loop stands still: some ten milliseconds.
#define SEAL_BYTES 4000000

// A row of audit: the events of one statement.
struct sealing {
    int64_t id;
    size_t from, count; // its events among all that are sealed
};
struct sealings {
    int64_t sealed_id; // up to this number the sealer has looked at everything before
    int64_t head_seq;
    uint8_t head[CHAIN_HASH_SIZE];
    size_t count;
    struct sealing *rows;
    uint8_t (*hashes)[CHAIN_HASH_SIZE]; // in the same memory
};

// Which rows a block has: [from, to).
struct block {
    const struct sealing *from, *to;
    size_t events;
};

// The block that begins with that row: numbers in it have no hole.
static struct block block_from(const struct sealings *sealings, const struct sealing *from)
{
    const struct sealing *end = sealings->rows + sealings->count;
    struct block block = {from, from + 1, from->count};
    while (block.to < end && block.to - from < BLOCK_MAX && block.to->id == block.to[-1].id + 1 &&
           block.events + block.to->count <= BLOCK_MAX) {
        block.events += block.to->count;
        block.to++;
    }
    return block;
}

#define EACH_BLOCK(type, put)                                                                      \
    do {                                                                                           \
        put_list(&parameters, LIST_##type);                                                        \
        const struct sealing *end = sealings->rows + sealings->count;                              \
        for (const struct sealing *row = sealings->rows; row < end;) {                             \
            struct block block = block_from(sealings, row);                                        \
            put;                                                                                   \
            row = block.to;                                                                        \
        }                                                                                          \
        list_end(&parameters);                                                                     \
    } while (0)

// After how many events of its block each row begins.
static void list_starts(struct parameters *parameters, struct block block)
{
    char text[BLOCK_MAX * 3 + 3];
    size_t length = 0;
    for (const struct sealing *row = block.from; row < block.to; row++) {
        length += (size_t)snprintf(text + length, sizeof text - length, "%c%zu",
                                   row == block.from ? '{' : ',', row->from - block.from->from);
    }
    snprintf(text + length, sizeof text - length, "}");
    list_text(parameters, text);
}

// Numbers above the last one that was looked at, and below the last one now, that were not there.
static void put_gaps(struct parameters *parameters, const struct sealings *sealings, bool ends)
{
    int64_t last = sealings->sealed_id;
    put_list(parameters, LIST_INT);
    for (size_t i = 0; i < sealings->count; i++) {
        int64_t id = sealings->rows[i].id;
        if (id > last + 1) {
            list_int(parameters, ends ? id - 1 : last + 1);
        }
        last = id > last ? id : last;
    }
    list_end(parameters);
}

static const uint8_t *hash_before(const struct sealings *sealings, const struct sealing *row)
{
    return row->from == 0 ? sealings->head : sealings->hashes[row->from - 1];
}

static void send_seals(struct postgres_store *store, const struct sealings *sealings)
{
    int64_t last = sealings->rows[sealings->count - 1].id;
    struct parameters parameters;
    parameters_init(&parameters);
    put_int(&parameters, sealings->sealed_id);
    put_int(&parameters, sealings->head_seq);
    put_int(&parameters, last > sealings->sealed_id ? last : sealings->sealed_id);
    EACH_BLOCK(INT, list_int(&parameters, sealings->head_seq + (int64_t)row->from + 1));
    EACH_BLOCK(INT, list_int(&parameters, row->id));
    EACH_BLOCK(TEXT, list_starts(&parameters, block));
    EACH_BLOCK(BYTES, list_bytes(&parameters, hash_before(sealings, row), CHAIN_HASH_SIZE));
    EACH_BLOCK(BYTES, list_bytes(&parameters, sealings->hashes[row->from],
                                 block.events * CHAIN_HASH_SIZE));
    put_gaps(&parameters, sealings, false);
    put_gaps(&parameters, sealings, true);
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
            send_seals(store, task->state);
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
    put_int(&parameters, (int64_t)op->limit);
    parameters.wants_binary = true;
    task_send(store, PG_SEAL_ROWS, &parameters);
}

static void take_head(struct task *task, const PGresult *result)
{
    struct sealings *sealings = alloc_zero(1, sizeof *sealings);
    task->state = sealings;
    sealings->sealed_id = field_int(result, 0, 0);
    sealings->head_seq = field_int(result, 0, 1);
    (void)field_bytes(result, 0, 2, sealings->head, sizeof sealings->head);
}

// The lists of a row; the texts of one event at a time are in `text`.
struct event_lists {
    struct binary_list events, jobs, run_ids, details;
    struct buf text;
};

// Puts the next text there, if it is not NULL; where it begins.
static size_t next_text(struct event_lists *lists, struct binary_list *list)
{
    size_t length;
    const char *bytes = list_next(list, &length);
    size_t at = lists->text.length;
    if (bytes == NULL) {
        return SIZE_MAX;
    }
    buf_add(&lists->text, bytes, length);
    buf_add_char(&lists->text, '\0');
    return at;
}

static const char *text_at(const struct event_lists *lists, size_t at)
{
    return at == SIZE_MAX ? NULL : lists->text.data + at;
}

static void next_event(struct event_lists *lists, struct store_audit_row *event)
{
    buf_clear(&lists->text);
    size_t name = next_text(lists, &lists->events);
    size_t job = next_text(lists, &lists->jobs);
    size_t detail = next_text(lists, &lists->details);
    size_t length;
    const char *run = list_next(&lists->run_ids, &length);
    event->run_id = (struct uuid){{0}};
    if (run != NULL) {
        memcpy(event->run_id.bytes, run, sizeof event->run_id.bytes);
    }
    event->event = text_at(lists, name);
    event->job = text_at(lists, job);
    event->detail = text_at(lists, detail);
}

static void hash_row(struct sealings *sealings, const struct sealing *sealing,
                     const PGresult *result, int row)
{
    struct event_lists lists = {.events = binary_list(result, row, 4),
                                .jobs = binary_list(result, row, 5),
                                .run_ids = binary_list(result, row, 6),
                                .details = binary_list(result, row, 7)};
    struct store_audit_row event = {.at = binary_instant(result, row, 1),
                                    .node = binary_uuid(result, row, 2),
                                    .actor = field_text(result, row, 3)};
    const uint8_t *before = hash_before(sealings, sealing);
    buf_init(&lists.text, SIZE_MAX);
    for (size_t i = sealing->from; i < sealing->from + sealing->count; i++) {
        next_event(&lists, &event);
        event.seq = sealings->head_seq + (int64_t)i + 1;
        memcpy(event.prev_hash, before, sizeof event.prev_hash);
        chain_hash(&event, sealings->hashes[i]);
        before = sealings->hashes[i];
    }
    buf_release(&lists.text);
}

// What is hashed in one go: the first row in any case, the others while it is not too much.
static int sealable(struct store_op_seal *op, const PGresult *result)
{
    int count = 0;
    size_t bytes = 0;
    op->sealed = 0;
    op->more = false;
    for (; count < PQntuples(result) && bytes < SEAL_BYTES; count++) {
        op->sealed += binary_list(result, count, 4).count;
        op->more = binary_int(result, count, 8) != 0;
        for (int list = 4; list < 8; list++) {
            bytes += (size_t)PQgetlength(result, count, list);
        }
    }
    return count;
}

static struct sealings *with_room(struct sealings *sealings, size_t rows, size_t events)
{
    struct sealings *with =
        alloc_zero(1, sizeof *with + rows * sizeof *with->rows + events * sizeof *with->hashes);
    *with = *sealings;
    with->rows = (struct sealing *)(with + 1);
    with->hashes = (void *)(with->rows + rows);
    free(sealings);
    return with;
}

static void take_waiting(struct task *task, const PGresult *result)
{
    struct store_op_seal *op = CONTAINER_OF(task->op, struct store_op_seal, op);
    int count = sealable(op, result);
    struct sealings *sealings = with_room(task->state, (size_t)count, op->sealed);
    size_t from = 0;
    task->state = sealings;
    for (int row = 0; row < count; row++) {
        size_t events = binary_list(result, row, 4).count;
        sealings->rows[row] = (struct sealing){binary_int(result, row, 0), from, events};
        hash_row(sealings, &sealings->rows[row], result, row);
        sealings->count++;
        from += events;
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
