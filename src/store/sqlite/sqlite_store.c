// SPDX-License-Identifier: MIT
// The pump: what is queued is carried out in one transaction (group commit), then every `done` is
// called.
#include "store/sqlite/sqlite_private.h"

#include "base/check.h"

// Rows in one transaction: enough to make the sync a small share, few enough to keep the loop
// alive.
#define BATCH_WEIGHT 4000

static sqlite_op_fn *const handlers[STORE_OP_COUNT] = {
    [STORE_JOIN] = sqlite_join,
    [STORE_LOAD] = sqlite_load,
    [STORE_PUBLISH] = sqlite_publish,
    [STORE_DECIDE] = sqlite_decide,
    [STORE_FINISH] = sqlite_finish,
    [STORE_OUTPUT] = sqlite_output,
    [STORE_CONTROL] = sqlite_control,
    [STORE_INTENT_PUT] = sqlite_intent_put,
    [STORE_INTENT_TAKE] = sqlite_intent_take,
    [STORE_INTENT_END] = sqlite_intent_end,
    [STORE_AUDIT] = sqlite_audit,
    [STORE_SEAL] = sqlite_seal,
    [STORE_PRUNE] = sqlite_prune,
    [STORE_BEAT] = sqlite_beat,
    [STORE_LEAVE] = sqlite_leave,
    [STORE_SLOTS] = sqlite_slots,
    [STORE_INTENT_NOTE] = sqlite_intent_note,
    [STORE_FENCE] = sqlite_fence,
    [STORE_MARKS] = sqlite_marks,
    [STORE_INTENT_OWN] = sqlite_intent_own,
    [STORE_VERSION] = sqlite_version,
    [STORE_DEFINITIONS] = sqlite_definitions,
    [STORE_IDENTITY] = sqlite_identity,
    [STORE_REPORT] = sqlite_report,
};

static void submit(struct store *port, struct store_op *op)
{
    operation_push(&sqlite_of(port)->queue, op);
}

static void carry_out(struct sqlite_store *store, struct store_op *op)
{
    if (!operation_check(op, &op->err)) {
        op->result = STORE_REFUSED;
    } else if (store->mode == SQLITE_STORE_READ_ONLY && !operation_is_read(op)) {
        op->result =
            operation_refuse(&op->err, "the store %s was opened for reading only", store->path);
    } else {
        store->now = clock_now(store->clock);
        op->result = handlers[op->kind](store, op);
    }
}

// The first operations of the queue, one at least; stops at the first failure.
static size_t carry_out_batch(struct sqlite_store *store)
{
    size_t count = 0;
    size_t weight = 0;
    for (struct store_op *op = store->queue.first; op != NULL; op = op->next) {
        size_t more = operation_weight(op);
        if (count > 0 && weight + more > BATCH_WEIGHT) {
            break;
        }
        carry_out(store, op);
        count++;
        weight += more;
        if (store->failed != SQLITE_OK) {
            break;
        }
    }
    return count;
}

static bool queue_only_reads(const struct sqlite_store *store)
{
    for (const struct store_op *op = store->queue.first; op != NULL; op = op->next) {
        if (!operation_is_read(op)) {
            return false;
        }
    }
    return true;
}

static void begin(struct sqlite_store *store)
{
    store->failed = SQLITE_OK;
    store->fence = 0;
    store->audit_id = 0;
    store->about_all = false;
    if (store->mode == SQLITE_STORE_WRITE && !presence_holds(store, &store->err)) {
        store->failed = SQLITE_READONLY_DBMOVED;
        return;
    }
    bool reads = store->mode == SQLITE_STORE_READ_ONLY || queue_only_reads(store);
    sql_run(store, reads ? SQL_BEGIN_READ : SQL_BEGIN_WRITE, NULL, 0);
}

static void roll_back(struct sqlite_store *store)
{
    store->job_max = 0;
    if (sqlite3_get_autocommit(store->db) == 0) { // some failures have rolled back by themselves
        int failed = store->failed;
        store->failed = SQLITE_OK;
        sql_run(store, SQL_ROLLBACK, NULL, 0);
        store->failed = failed;
    }
}

// An input or output error while committing leaves open whether the commit record reached the disk:
// only the next reader of the file will know.
static enum store_result commit(struct sqlite_store *store)
{
    if (store->failed != SQLITE_OK) {
        return STORE_UNAVAILABLE;
    }
    sql_run(store, SQL_COMMIT, NULL, 0);
    if (store->failed == SQLITE_OK) {
        return STORE_OK;
    }
    return (store->failed & 0xff) == SQLITE_IOERR ? STORE_UNKNOWN : STORE_UNAVAILABLE;
}

// `done` may submit: those wait for the next pump.
static void end_first(struct sqlite_store *store, size_t count, enum store_result result)
{
    struct error err = store->err;
    while (count-- > 0) {
        struct store_op *op = operation_pop(&store->queue);
        if (result == STORE_OK) {
            operation_done(op, op->result, &op->err);
        } else {
            operation_done(op, result, &err);
        }
    }
}

// One operation that breaks a rule of the tables (a fault of its caller) must not drag down those
// that share the transaction: it is refused, they are carried out again without it.
static void refuse_last(struct sqlite_store *store, size_t count)
{
    struct store_op *guilty = store->queue.first;
    struct store_op *before = NULL;
    for (size_t i = 1; i < count; i++) {
        before = guilty;
        guilty = guilty->next;
    }
    for (struct store_op *op = store->queue.first; op != guilty; op = op->next) {
        arena_release(&op->arena);
        op->result = STORE_OK;
    }
    if (before == NULL) {
        store->queue.first = guilty->next;
    } else {
        before->next = guilty->next;
    }
    if (store->queue.last == guilty) {
        store->queue.last = before;
    }
    guilty->next = NULL;
    struct error err = store->err;
    operation_done(guilty, STORE_REFUSED, &err);
}

static bool pump(struct store *port)
{
    struct sqlite_store *store = sqlite_of(port);
    if (store->queue.first == NULL) {
        return false;
    }
    begin(store);
    size_t count = store->failed == SQLITE_OK ? carry_out_batch(store) : 0;
    if ((store->failed & 0xff) == SQLITE_CONSTRAINT) {
        roll_back(store);
        refuse_last(store, count);
        return store->queue.first != NULL;
    }
    enum store_result result = commit(store);
    if (result != STORE_OK) {
        roll_back(store);
    }
    if (store->about_all) {
        sqlite3_db_release_memory(store->db); // those pages are not needed again soon
    }
    if (result == STORE_UNAVAILABLE) { // the rest of the queue would fare no better now
        count = 0;
        for (const struct store_op *op = store->queue.first; op != NULL; op = op->next) {
            count++;
        }
    }
    end_first(store, count, result);
    return store->queue.first != NULL;
}

static bool changed(struct store *port)
{
    struct sqlite_store *store = sqlite_of(port);
    store->failed = SQLITE_OK;
    int64_t version = sql_query_integer(store, SQL_DATA_VERSION, store->data_version, NULL, 0);
    bool differs = version != store->data_version;
    store->data_version = version;
    return differs;
}

static const char *watch_path(struct store *port)
{
    return sqlite_of(port)->wal_path;
}

static void close_store(struct store *port)
{
    struct sqlite_store *store = sqlite_of(port);
    CHECK(store->queue.first == NULL);
    sqlite_store_free(store);
}

const struct store_ops sqlite_ops = {
    .name = "sqlite",
    .submit = submit,
    .pump = pump,
    .close = close_store,
    .changed = changed,
    .watch_path = watch_path,
    .read_runs = sqlite_read_runs,
    .read_slots = sqlite_read_slots,
    .read_audit = sqlite_read_audit,
    .read_force = sqlite_read_force,
    .read_jobs = sqlite_read_jobs,
    .read_controls = sqlite_read_controls,
    .read_nodes = sqlite_read_nodes,
    .read_anchor = sqlite_read_anchor,
    .reading_begins = sqlite_reading_begins,
    .reading_ends = sqlite_reading_ends,
    .read_intent = sqlite_read_intent,
    .read_output = sqlite_read_output,
};
