// SPDX-License-Identifier: MIT
// History goes here, oldest first, a bounded piece a call. Runs are walked in the order of their
// claims and the walk ends at the first that was claimed after the instant, so that a call costs
// what it deletes, not what is kept.
#include "store/sqlite/sqlite_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/chain.h"

struct ids { // what to delete: collected first, since a walk must not lose the rows under its feet
    int64_t *items;
    size_t count;
    size_t capacity;
};

static void ids_add(struct ids *ids, int64_t id)
{
    ARRAY_RESERVE(ids->items, ids->count, ids->capacity);
    ids->items[ids->count++] = id;
}

static void ids_release(struct ids *ids)
{
    free(ids->items);
}

static void delete_all(struct sqlite_store *store, enum sql_id statement, const struct ids *ids,
                       struct store_op_prune *op)
{
    for (size_t i = 0; i < ids->count; i++) {
        sql_run(store, statement, VALUES(sql_int(ids->items[i])));
    }
    op->deleted += ids->count;
    op->more |= ids->count == op->limit;
}

static void meta_put(struct sqlite_store *store, const char *key, struct sql_value value)
{
    sql_run(store, SQL_META_PUT, VALUES(sql_text(key), value));
}

static void prune_slots(struct sqlite_store *store, struct store_op_prune *op)
{
    AUTO(ids_release) struct ids due = {NULL, 0, 0};
    AUTO(ids_release) struct ids jobs = {NULL, 0, 0};
    sqlite3_stmt *row =
        sql_query(store, SQL_PRUNE_SLOTS,
                  VALUES(sql_int(instant_ms(op->runs_before)), sql_int((int64_t)op->limit)));
    for (; row != NULL; row = sql_next(store, row) ? row : NULL) {
        ids_add(&due, sqlite3_column_int64(row, 0));
        ids_add(&jobs, sqlite3_column_int64(row, 1));
    }
    for (size_t i = 0; i < due.count; i++) {
        sql_run(store, SQL_SLOT_DELETE, VALUES(sql_int(due.items[i]), sql_int(jobs.items[i])));
    }
    op->deleted += due.count;
    op->more |= due.count == op->limit;
}

// From here on runs and slots are kept whole; whoever checks the ledger begins here.
static void mark_kept(struct sqlite_store *store, const struct store_op_prune *op)
{
    int64_t before = instant_ms(op->runs_before);
    if (op->deleted > 0 &&
        before > sql_query_integer(store, SQL_META_GET, 0, VALUES(sql_text("slots_from")))) {
        meta_put(store, "slots_from", sql_int(before));
    }
}

static bool ended_before(sqlite3_stmt *row, int state_column, int64_t before)
{
    return sqlite3_column_int(row, state_column) != RUN_STARTED &&
           sqlite3_column_int64(row, state_column + 1) < before;
}

static void prune_runs(struct sqlite_store *store, struct store_op_prune *op)
{
    int64_t before = instant_ms(op->runs_before);
    AUTO(ids_release) struct ids ids = {NULL, 0, 0};
    sqlite3_stmt *row = sql_query(store, SQL_PRUNE_RUNS, NULL, 0);
    for (; row != NULL; row = sql_next(store, row) ? row : NULL) {
        if (sqlite3_column_int64(row, 1) >= before || ids.count == op->limit) {
            sql_end(row);
            break;
        }
        bool slot_is_open =
            sqlite3_column_type(row, 4) != SQLITE_NULL && sqlite3_column_int(row, 4) == SLOT_OPEN;
        if (ended_before(row, 2, before) && !slot_is_open) {
            ids_add(&ids, sqlite3_column_int64(row, 0));
        }
    }
    if (ids.count > 0) { // fences go on rising, also when no run is left
        meta_put(store, "last_fence",
                 sql_int(sql_query_integer(store, SQL_LAST_FENCE, 0, NULL, 0)));
    }
    for (size_t i = 0; i < ids.count; i++) {
        op->deleted +=
            (size_t)sql_run(store, SQL_OUTPUT_OF_RUN_DELETE, VALUES(sql_int(ids.items[i])));
    }
    delete_all(store, SQL_RUN_DELETE, &ids, op);
}

static void prune_output(struct sqlite_store *store, struct store_op_prune *op)
{
    int64_t before = instant_ms(op->output_before);
    AUTO(ids_release) struct ids ids = {NULL, 0, 0};
    sqlite3_stmt *row = sql_query(store, SQL_PRUNE_OUTPUT, NULL, 0);
    for (; row != NULL; row = sql_next(store, row) ? row : NULL) {
        if (sqlite3_column_int64(row, 1) >= before || ids.count == op->limit) {
            sql_end(row);
            break;
        }
        if (ended_before(row, 2, before)) {
            ids_add(&ids, sqlite3_column_int64(row, 0));
        }
    }
    delete_all(store, SQL_OUTPUT_DELETE, &ids, op);
}

// Only the beginning of the sealed chain can go; the anchor says what came before the rest.
static void prune_audit(struct sqlite_store *store, struct store_op_prune *op)
{
    int64_t before = instant_ms(op->audit_before);
    int64_t seq = 0;
    uint8_t hash[CHAIN_HASH_SIZE] = {0};
    size_t count = 0;
    sqlite3_stmt *row = sql_query(store, SQL_PRUNE_AUDIT, NULL, 0);
    for (; row != NULL; row = sql_next(store, row) ? row : NULL) {
        if (sqlite3_column_int64(row, 1) >= before || count == op->limit ||
            sqlite3_column_bytes(row, 2) != CHAIN_HASH_SIZE) {
            sql_end(row);
            break;
        }
        seq = sqlite3_column_int64(row, 0);
        memcpy(hash, sqlite3_column_blob(row, 2), CHAIN_HASH_SIZE);
        count++;
    }
    if (count == 0) {
        return;
    }
    meta_put(store, "anchor_seq", sql_int(seq));
    meta_put(store, "anchor_hash", sql_bytes(SQL_KIND_BLOB, hash, CHAIN_HASH_SIZE));
    meta_put(store, "pruning", sql_int(1)); // opens the triggers that keep the log as it is
    sql_run(store, SQL_AUDIT_DELETE, VALUES(sql_int(seq)));
    sql_run(store, SQL_SEAL_DELETE, VALUES(sql_int(seq)));
    sql_run(store, SQL_META_DELETE, VALUES(sql_text("pruning")));
    op->deleted += count;
    op->more |= count == op->limit;
}

// One statement that deletes at most `limit` rows of before the instant.
static void prune_rows(struct sqlite_store *store, struct store_op_prune *op, enum sql_id statement,
                       struct instant before)
{
    size_t count = (size_t)sql_run(
        store, statement, VALUES(sql_int(instant_ms(before)), sql_int((int64_t)op->limit)));
    op->deleted += count;
    op->more |= count == op->limit;
}

enum store_result sqlite_prune(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_prune *op = CONTAINER_OF(base, struct store_op_prune, op);
    op->deleted = 0;
    op->more = false;
    if (op->limit == 0) {
        return operation_refuse(&base->err, "pruning was asked for with a limit of zero rows");
    }
    if (operation_has(op->runs_before)) {
        prune_slots(store, op);
        prune_runs(store, op);
        prune_rows(store, op, SQL_PRUNE_CONTROLS,
                   instant_add(op->runs_before, DURATION_US(-STORE_CONTROL_MARGIN.us)));
        mark_kept(store, op);
        prune_rows(store, op, SQL_PRUNE_INTENTS, op->runs_before);
    }
    if (operation_has(op->output_before)) {
        prune_output(store, op);
    }
    if (operation_has(op->audit_before)) {
        prune_audit(store, op);
    }
    return STORE_OK;
}
