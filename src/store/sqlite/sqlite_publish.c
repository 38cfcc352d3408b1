// SPDX-License-Identifier: MIT
// Which schedules are in force, from when to when: what the ledger is recomputed from later.
#include "store/sqlite/sqlite_private.h"

#include <stdlib.h>
#include <string.h>

struct force_now {
    bool exists;
    bool is_same;
    int64_t from_ms;
};

static struct force_now force_get(struct sqlite_store *store, int64_t job_id, const char *spec)
{
    struct force_now force = {.exists = false};
    sqlite3_stmt *row = sql_query(store, SQL_FORCE_NOW, VALUES(sql_int(job_id)));
    if (row != NULL) {
        force = (struct force_now){
            .exists = true,
            .is_same = spec != NULL && strcmp(column_text(row, 0), spec) == 0,
            .from_ms = sqlite3_column_int64(row, 1),
        };
        sql_end(row);
    }
    return force;
}

static int64_t job_add(struct sqlite_store *store, const char *name, int64_t at)
{
    sql_run(store, SQL_JOB_INSERT, VALUES(sql_text(name), sql_int(at)));
    return sqlite3_last_insert_rowid(store->db);
}

// A schedule that was in force for no time at all leaves no row.
static void force_close(struct sqlite_store *store, int64_t job_id, int64_t from, int64_t to)
{
    if (to > from) {
        sql_run(store, SQL_FORCE_CLOSE, VALUES(sql_int(job_id), sql_int(from), sql_int(to)));
    } else {
        sql_run(store, SQL_FORCE_DELETE, VALUES(sql_int(job_id), sql_int(from)));
    }
}

// True when something changed. Slots up to the mark are decided, under the schedule of their time:
// the new one takes over at the mark when that lies after `at` (a clock that went back), or where
// the job was removed later than that.
static bool publish_item(struct sqlite_store *store, struct store_publish_item *item, int64_t at)
{
    int64_t mark = at;
    sqlite3_stmt *row = sql_query(store, SQL_JOB_BY_NAME, VALUES(sql_text(item->name)));
    if (row != NULL) {
        item->job_id = sqlite3_column_int64(row, 0);
        mark = sqlite3_column_int64(row, 1) > at ? sqlite3_column_int64(row, 1) : at;
        sql_end(row);
    } else if (item->spec != NULL) {
        item->job_id = job_add(store, item->name, at);
    } else {
        return false;
    }
    struct force_now force = force_get(store, item->job_id, item->spec);
    if (force.is_same || (!force.exists && item->spec == NULL)) {
        return false;
    }
    int64_t last = sql_query_integer(store, SQL_FORCE_LAST, 0, VALUES(sql_int(item->job_id)));
    mark = last > mark ? last : mark;
    if (force.exists) {
        force_close(store, item->job_id, force.from_ms, mark);
    }
    if (item->spec != NULL) {
        sql_run(store, SQL_FORCE_OPEN,
                VALUES(sql_int(item->job_id), sql_int(mark), sql_text(item->spec)));
        sql_run(store, SQL_JOB_SET_MARK, VALUES(sql_int(item->job_id), sql_int(mark)));
    }
    return true;
}

enum store_result sqlite_publish(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_publish *op = CONTAINER_OF(base, struct store_op_publish, op);
    if (!uuid_is_nil(op->node) && sqlite_live_node(store, &op->node) == 0) {
        return sqlite_not_live(&base->err);
    }
    store->about_all = true;
    op->changed = false;
    op->outdated = op->version != sqlite_active_version(store);
    for (size_t i = 0; i < op->item_count && store->failed == SQLITE_OK; i++) {
        op->items[i].job_id = 0;
        op->changed |= !op->outdated && publish_item(store, &op->items[i], instant_ms(op->at));
    }
    if (op->changed) {
        static const struct uuid nil;
        sqlite_audit_add(store, &(struct audit_entry){.event = "CONFIG_PUBLISHED",
                                                      .run_id = &nil,
                                                      .node = &op->node,
                                                      .actor = op->actor,
                                                      .detail = op->detail});
    }
    return STORE_OK;
}

// ---- versions -----------------------------------------------------------------------------------

#define META_ACTIVE "active_version"

int64_t sqlite_active_version(struct sqlite_store *store)
{
    return sql_query_integer(store, SQL_META_GET, 0, VALUES(sql_text(META_ACTIVE)));
}

static int64_t version_add(struct sqlite_store *store, const struct store_op_version *op)
{
    sql_run(store, SQL_VERSION_INSERT,
            VALUES(sql_text(op->hash), sql_text(op->text), sql_text(op->actor),
                   sql_int(instant_ms(store->now))));
    return sqlite3_last_insert_rowid(store->db);
}

static void free_text(char **text)
{
    free(*text);
}

static void activate(struct sqlite_store *store, const struct store_op_version *op, int64_t version)
{
    static const struct uuid nil;
    AUTO(free_text) char *detail = operation_version_detail(op->hash, version);
    sql_run(store, SQL_META_PUT, VALUES(sql_text(META_ACTIVE), sql_int(version)));
    sqlite_count_change(store);
    sqlite_audit_add(store, &(struct audit_entry){.event = "VERSION_ACTIVATED",
                                                  .run_id = &nil,
                                                  .node = &op->node,
                                                  .actor = op->actor,
                                                  .detail = detail});
}

enum store_result sqlite_version(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_version *op = CONTAINER_OF(base, struct store_op_version, op);
    if (sqlite_live_node(store, &op->node) == 0) {
        return sqlite_not_live(&base->err);
    }
    int64_t active = sqlite_active_version(store);
    int64_t found = sql_query_integer(store, SQL_VERSION_BY_HASH, 0, VALUES(sql_text(op->hash)));
    op->activated = found == 0 || (op->always && found != active);
    op->version = op->activated ? version_add(store, op) : active;
    if (op->activated) {
        activate(store, op, op->version);
    }
    return STORE_OK;
}

enum store_result sqlite_definitions(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_definitions *op = CONTAINER_OF(base, struct store_op_definitions, op);
    int64_t active = sqlite_active_version(store);
    int64_t wanted = op->wanted == 0 ? active : op->wanted;
    op->text = (struct store_version){.version = 0};
    sqlite3_stmt *row = sql_query(store, SQL_VERSION_GET, VALUES(sql_int(wanted)));
    if (row != NULL) {
        op->text = (struct store_version){.version = wanted,
                                          .hash = column_string(row, 0, &base->arena),
                                          .text = column_string(row, 1, &base->arena),
                                          .actor = column_string(row, 2, &base->arena),
                                          .published_at = column_instant(row, 3),
                                          .active = wanted == active};
        sql_end(row);
    }
    return STORE_OK;
}
