// SPDX-License-Identifier: MIT
// Slots of single jobs. The table is ordered by due time, so one job's slots lie far apart: the
// search leaps from one due time to the next instead of reading all that lies between.
#include "store/sqlite/sqlite_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define STEPS_MAX 4000 // a few milliseconds

struct search {
    struct sqlite_store *store;
    struct store_slots_item *item;
    struct store_found_slot *found;
    size_t capacity;
    int64_t next; // slots before it have been looked at
    int64_t until;
};

static void search_take(struct search *search, sqlite3_stmt *row)
{
    struct store_slots_item *item = search->item;
    enum slot_outcome outcome = (enum slot_outcome)sqlite3_column_int(row, 2);
    if (item->unsuccessful && outcome == SLOT_SUCCESS) {
        return;
    }
    ARRAY_RESERVE(search->found, item->found_count, search->capacity);
    search->found[item->found_count++] =
        (struct store_found_slot){.due_at = column_instant(row, 0),
                                  .outcome = outcome,
                                  .reason = (enum slot_reason)sqlite3_column_int(row, 3),
                                  .attempt = sqlite3_column_int(row, 4),
                                  .run_id = column_uuid(row, 5)};
}

// One leap; false at the end.
static bool search_step(struct search *search)
{
    int64_t job_id = search->item->job_id;
    sqlite3_stmt *row =
        sql_query(search->store, SQL_SLOT_FROM,
                  VALUES(sql_int(search->next), sql_int(job_id), sql_int(search->until)));
    if (row == NULL) {
        search->next = search->until + 1;
        return false;
    }
    int64_t due_at = sqlite3_column_int64(row, 0);
    int64_t whose = sqlite3_column_int64(row, 1);
    if (whose == job_id) {
        search_take(search, row);
    }
    sql_end(row);
    // A row of a job with a lower number says that there may be one of ours behind it.
    search->next = whose < job_id ? due_at : due_at + 1;
    return true;
}

static void look(struct sqlite_store *store, struct arena *arena, struct store_slots_item *item)
{
    struct search search = {.store = store,
                            .item = item,
                            .next = instant_ms(item->since),
                            .until = instant_ms(item->until)};
    item->found_count = 0;
    for (int steps = 0; steps < STEPS_MAX && item->found_count < item->limit; steps++) {
        if (!search_step(&search)) {
            break;
        }
    }
    item->seen = search.next > search.until ? item->until : instant_from_ms(search.next - 1);
    item->found = arena_alloc(arena, item->found_count + 1, sizeof *item->found);
    if (item->found_count > 0) {
        memcpy(item->found, search.found, item->found_count * sizeof *item->found);
    }
    free(search.found);
}

static struct instant instant_or_none(int64_t ms)
{
    return ms < 0 ? INSTANT_NONE : instant_from_ms(ms);
}

enum store_result sqlite_slots(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_slots *op = CONTAINER_OF(base, struct store_op_slots, op);
    for (size_t i = 0; i < op->item_count; i++) {
        struct store_slots_item *item = &op->items[i];
        look(store, &base->arena, item);
        item->high_water = instant_or_none(
            sql_query_integer(store, SQL_JOB_HIGH_WATER, -1, VALUES(sql_int(item->job_id))));
        item->force_from = instant_or_none(
            sql_query_integer(store, SQL_FORCE_FIRST, -1, VALUES(sql_int(item->job_id))));
    }
    op->slots_from =
        instant_or_none(sql_query_integer(store, SQL_META_GET, -1, VALUES(sql_text("slots_from"))));
    return STORE_OK;
}

enum store_result sqlite_marks(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_marks *op = CONTAINER_OF(base, struct store_op_marks, op);
    for (size_t i = 0; i < op->mark_count; i++) {
        struct store_mark *mark = &op->marks[i];
        *mark = (struct store_mark){
            .job_id = mark->job_id, .high_water = INSTANT_NONE, .last_success = INSTANT_NONE};
        sqlite3_stmt *row = sql_query(store, SQL_JOB_LOOK, VALUES(sql_int(mark->job_id)));
        if (row != NULL) {
            mark->high_water = column_instant(row, 0);
            mark->last_success = column_instant(row, 1);
            mark->throttle_count = sqlite3_column_int(row, 2);
            mark->running = sqlite3_column_int(row, 3) != 0;
            mark->waiting = sqlite3_column_int(row, 4) != 0;
            sql_end(row);
        }
    }
    return STORE_OK;
}
