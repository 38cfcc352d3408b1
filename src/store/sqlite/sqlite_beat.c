// SPDX-License-Identifier: MIT
// Signs of life, who is there, and what each says of itself.
#include "store/sqlite/sqlite_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void sqlite_count_change(struct sqlite_store *store)
{
    int64_t changes = sql_query_integer(store, SQL_META_GET, 0, VALUES(sql_text(META_CHANGES)));
    sql_run(store, SQL_META_PUT, VALUES(sql_text(META_CHANGES), sql_int(changes + 1)));
}

static void answer_members(struct sqlite_store *store, struct store_op_beat *op)
{
    struct store_member *members = NULL;
    size_t capacity = 0;
    struct arena *arena = &op->op.arena;
    op->member_count = 0;
    sqlite3_stmt *row = sql_query(store, SQL_NODE_MEMBERS, NULL, 0);
    for (; row != NULL; row = sql_next(store, row) ? row : NULL) {
        ARRAY_RESERVE(members, op->member_count, capacity);
        members[op->member_count++] =
            (struct store_member){.node = column_uuid(row, 0),
                                  .host = column_string(row, 1, arena),
                                  .labels = column_string(row, 2, arena),
                                  .dry_run = sqlite3_column_int(row, 3) != 0,
                                  .draining = sqlite3_column_int(row, 4) != 0,
                                  .full = sqlite3_column_int(row, 5) != 0};
    }
    op->members = arena_alloc(arena, op->member_count, sizeof *members);
    if (op->member_count > 0) {
        memcpy(op->members, members, op->member_count * sizeof *members);
    }
    free(members);
}

enum store_result sqlite_beat(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_beat *op = CONTAINER_OF(base, struct store_op_beat, op);
    int64_t now = instant_ms(store->now);
    op->now = instant_from_ms(now);
    int64_t number = sqlite_live_node(store, &op->node);
    if (number == 0) {
        return sqlite_not_live(&base->err);
    }
    if (!op->look) {
        sql_run(store, SQL_NODE_BEAT,
                VALUES(sql_uuid(&op->node), sql_int(now), sql_int(op->running),
                       sql_int(op->draining), sql_int(op->full)));
    }
    op->changes = sql_query_integer(store, SQL_META_GET, 0, VALUES(sql_text(META_CHANGES)));
    op->version = sqlite_active_version(store);
    op->orphans = sql_query_integer(store, SQL_ORPHANS, 0, VALUES(sql_int(number))) != 0;
    answer_members(store, op);
    return STORE_OK;
}

enum store_result sqlite_report(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_report *op = CONTAINER_OF(base, struct store_op_report, op);
    static const struct uuid nil;
    int64_t number = sqlite_live_node(store, &op->node);
    bool drains = operation_has(op->draining_since);
    if (number == 0) {
        return sqlite_not_live(&base->err);
    }
    bool drained = sql_query_integer(store, SQL_NODE_REPORTED, 0, VALUES(sql_int(number))) != 0;
    sql_run(store, SQL_NODE_REPORT,
            VALUES(sql_int(number), sql_int(op->definitions), sql_text(op->refused),
                   sql_instant(op->draining_since), sql_text(drains ? op->actor : NULL),
                   sql_text(drains ? op->as : NULL), sql_text(drains ? op->reason : NULL)));
    if (drains) {
        sql_run(store, SQL_INTENT_LET_GO, VALUES(sql_uuid(&op->node), sql_int(INTENT_BACKFILL)));
    }
    if (drains != drained) {
        char *detail = operation_report_detail(op);
        sqlite_audit_add(store,
                         &(struct audit_entry){.event = drains ? "NODE_DRAINED" : "NODE_RESUMED",
                                               .run_id = &nil,
                                               .node = &op->node,
                                               .actor = op->actor,
                                               .detail = detail});
        free(detail);
    }
    if (drains || drained) {
        sqlite_count_change(store);
    }
    return STORE_OK;
}
