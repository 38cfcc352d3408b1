// SPDX-License-Identifier: MIT
// The audit log: rows are added in the commit of their cause, and sealed into the chain a little
// later.
#include "store/sqlite/sqlite_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void sqlite_audit_add(struct sqlite_store *store, const struct audit_entry *entry)
{
    if (store->audit_id == 0) {
        store->audit_id = sql_query_integer(store, SQL_LAST_AUDIT, 0, NULL, 0);
    }
    store->audit_id++;
    sql_run(store, SQL_AUDIT_INSERT,
            VALUES(sql_int(store->audit_id), sql_int(instant_ms(store->now)),
                   sql_text(entry->event), sql_int_or_null(entry->job_id != 0, entry->job_id),
                   sql_text(entry->job), sql_uuid(entry->run_id), sql_uuid(entry->node),
                   sql_text(entry->actor), sql_text(entry->detail)));
}

enum store_result sqlite_audit(struct sqlite_store *store, struct store_op *base)
{
    const struct store_op_audit *op = CONTAINER_OF(base, struct store_op_audit, op);
    sqlite_audit_add(store, &(struct audit_entry){.event = op->event,
                                                  .job = op->job,
                                                  .run_id = &op->run_id,
                                                  .node = &op->node,
                                                  .actor = op->actor,
                                                  .detail = op->detail});
    return STORE_OK;
}

// ---- reading ------------------------------------------------------------------------------------

void sqlite_hash_column(sqlite3_stmt *row, int column, uint8_t out[CHAIN_HASH_SIZE])
{
    if (sqlite3_column_bytes(row, column) == CHAIN_HASH_SIZE) {
        memcpy(out, sqlite3_column_blob(row, column), CHAIN_HASH_SIZE);
    }
}

struct store_audit_row sqlite_audit_column(sqlite3_stmt *row)
{
    return (struct store_audit_row){
        .seq = sqlite3_column_int64(row, 0),
        .at = column_instant(row, 1),
        .event = column_text(row, 2),
        .job = column_text(row, 3),
        .run_id = column_uuid(row, 4),
        .node = column_uuid(row, 5),
        .actor = column_text(row, 6),
        .detail = column_text(row, 7),
    };
}

// ---- sealing ------------------------------------------------------------------------------------

struct chain_head {
    int64_t seq;
    uint8_t hash[CHAIN_HASH_SIZE];
};

static void take_higher(struct chain_head *head, int64_t seq, sqlite3_stmt *row, int hash_column)
{
    if (row != NULL && seq > head->seq) {
        *head = (struct chain_head){.seq = seq};
        sqlite_hash_column(row, hash_column, head->hash);
    }
}

static void take_noted(struct sqlite_store *store, struct chain_head *head, const char *seq_key,
                       const char *hash_key)
{
    int64_t seq = sql_query_integer(store, SQL_META_GET, 0, VALUES(sql_text(seq_key)));
    sqlite3_stmt *row = sql_query(store, SQL_META_GET, VALUES(sql_text(hash_key)));
    take_higher(head, seq, row, 0);
    sql_end(row);
}

// As it was noted, so that what was cut off is not sealed over; but never below what the seals say.
// After everything was pruned, the anchor; at the beginning zeros.
static struct chain_head head_get(struct sqlite_store *store)
{
    struct chain_head head = {.seq = 0};
    take_noted(store, &head, "head_seq", "head_hash");
    sqlite3_stmt *row = sql_query(store, SQL_SEAL_LAST, NULL, 0);
    take_higher(&head, row == NULL ? 0 : sqlite3_column_int64(row, 0), row, 1);
    sql_end(row);
    take_noted(store, &head, "anchor_seq", "anchor_hash");
    return head;
}

static void head_put(struct sqlite_store *store, const struct chain_head *head)
{
    sql_run(store, SQL_META_PUT, VALUES(sql_text("head_seq"), sql_int(head->seq)));
    sql_run(store, SQL_META_PUT,
            VALUES(sql_text("head_hash"), sql_bytes(SQL_KIND_BLOB, head->hash, CHAIN_HASH_SIZE)));
}

static void seal_row(sqlite3_stmt *row, struct chain_head *head)
{
    struct store_audit_row content = sqlite_audit_column(row);
    memcpy(content.prev_hash, head->hash, CHAIN_HASH_SIZE);
    head->seq = content.seq;
    chain_hash(&content, head->hash);
}

enum store_result sqlite_seal(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_seal *op = CONTAINER_OF(base, struct store_op_seal, op);
    struct chain_head head = head_get(store);
    op->sealed = 0;
    op->more = false;
    // One row more than is sealed, to know whether there is more.
    sqlite3_stmt *row =
        sql_query(store, SQL_SEAL_ROWS, VALUES(sql_int(head.seq), sql_int((int64_t)op->limit + 1)));
    for (; row != NULL; row = sql_next(store, row) ? row : NULL) {
        if (op->sealed == op->limit) {
            op->more = true;
            sql_end(row);
            break;
        }
        seal_row(row, &head);
        sql_run(store, SQL_SEAL_INSERT,
                VALUES(sql_int(head.seq), sql_bytes(SQL_KIND_BLOB, head.hash, CHAIN_HASH_SIZE)));
        op->sealed++;
    }
    if (op->sealed > 0) {
        head_put(store, &head);
    }
    return STORE_OK;
}

enum store_result sqlite_identity(struct sqlite_store *store, struct store_op *base)
{
    (void)store;
    CONTAINER_OF(base, struct store_op_identity, op)->system = "";
    return STORE_OK;
}
