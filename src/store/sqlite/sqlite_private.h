// SPDX-License-Identifier: MIT
// Inside the SQLite store. One connection, one thread. Statements are prepared once
// (sqlite_sql.def) and live as long as the connection.
//
// Failure inside a transaction is sticky: the first failing statement is remembered, every later
// one does nothing, and the pump rolls everything back at the end. So the code of an operation
// reads straight down, without a check after each row. Guards (STORE_REFUSED) come before an
// operation's first write.
//
// Kept as: instants = INTEGER milliseconds since 1970, NULL = none; ids = BLOB(16), NULL = nil;
// enumerations = INTEGER of their constants, which therefore never change their order.
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/chain.h"
#include "store/operation.h"
#include "store/sqlite/sqlite_store.h"
#include "store/store.h"
#include "time/clock.h"

enum sql_id {
#define X(id, text) id,
#include "store/sqlite/sqlite_sql.def"
#undef X
    SQL_COUNT
};

#define STORE_FILES 3
struct sqlite_presence {
    uint64_t device, inode; // 0 = no such file
};

struct sqlite_store {
    struct store store;
    sqlite3 *db;
    struct clock *clock;
    char *path;
    char *wal_path;
    enum sqlite_store_mode mode;
    bool makes_log; // opened for reading where there was no log
    sqlite3_stmt *statements[SQL_COUNT];
    struct operation_queue queue;
    struct sqlite_presence presence[STORE_FILES]; // of a writer's files, as it opened them
    int64_t data_version;                         // as `changed` last saw it
    int64_t job_max; // highest job_id known to be committed; ids have no holes
    // Of the transaction:
    int failed;         // the extended code of the first failure; SQLITE_OK = none
    struct error err;   // what it was
    struct instant now; // the store's clock, taken once for each operation
    int64_t fence;      // last one given out; 0 = not read yet
    int64_t audit_id;   // likewise
    bool about_all;     // reads or writes the rows of all jobs, as a start and a reload do
};

static inline struct sqlite_store *sqlite_of(struct store *store)
{
    return CONTAINER_OF(store, struct sqlite_store, store);
}

// ---- sqlite_statement.c: binding and stepping ---------------------------------------------------

enum sql_kind { SQL_KIND_NULL, SQL_KIND_INTEGER, SQL_KIND_TEXT, SQL_KIND_BLOB };
struct sql_value {
    enum sql_kind kind;
    int64_t integer;
    const void *bytes;
    size_t length;
};
struct sql_value sql_int(int64_t integer);
struct sql_value sql_int_or_null(bool present, int64_t integer);
struct sql_value sql_text(const char *text); // NULL = NULL
struct sql_value sql_bytes(enum sql_kind kind, const void *bytes, size_t length);
// nil = NULL; *id must outlive the statement's run.
struct sql_value sql_uuid(const struct uuid *id);
struct sql_value sql_instant(struct instant t); // not set = NULL

#define VALUES(...)                                                                                \
    (const struct sql_value[]){__VA_ARGS__},                                                       \
        sizeof((const struct sql_value[]){__VA_ARGS__}) / sizeof(struct sql_value)

// Runs a statement to its end; the number of rows it changed. 0 once something has failed.
int64_t sql_run(struct sqlite_store *store, enum sql_id id, const struct sql_value *values,
                size_t count);
// Binds and steps to the first row: NULL when there is none or something failed. While rows are
// read, sql_next goes on and resets at the end; who stops early calls sql_end.
sqlite3_stmt *sql_query(struct sqlite_store *store, enum sql_id id, const struct sql_value *values,
                        size_t count);
bool sql_next(struct sqlite_store *store, sqlite3_stmt *statement);
void sql_end(sqlite3_stmt *statement);
// One integer; `missing` when there is no row or it is NULL.
int64_t sql_query_integer(struct sqlite_store *store, enum sql_id id, int64_t missing,
                          const struct sql_value *values, size_t count);

struct instant column_instant(sqlite3_stmt *statement, int column);
struct uuid column_uuid(sqlite3_stmt *statement, int column);
const char *column_text(sqlite3_stmt *statement, int column);
char *column_string(sqlite3_stmt *statement, int column, struct arena *arena); // NULL = NULL

// Remembers the connection's failure as this transaction's, unless there is one already.
void sqlite_fail(struct sqlite_store *store, int code, const char *doing);
// One sentence for a failed call: what, where, remedy.
void sqlite_explain(int code, sqlite3 *db, const char *path, const char *doing, struct error *err);

// ---- the rest -----------------------------------------------------------------------------------

// sqlite_schema.c
#define SCHEMA_APPLICATION_ID 0x6963726e // "icrn"
#define SCHEMA_VERSION        2
bool sqlite_schema_check(struct sqlite_store *store, bool *empty_out, struct error *err) MUST_USE;
bool sqlite_schema_migrate(struct sqlite_store *store, struct error *err) MUST_USE;

// Each carries out one operation inside the pump's transaction.
typedef enum store_result sqlite_op_fn(struct sqlite_store *store, struct store_op *op);
sqlite_op_fn sqlite_join, sqlite_leave, sqlite_load;             // sqlite_node.c
sqlite_op_fn sqlite_beat, sqlite_report;                         // sqlite_beat.c
sqlite_op_fn sqlite_fence;                                       // sqlite_lost.c
sqlite_op_fn sqlite_publish, sqlite_version, sqlite_definitions; // sqlite_publish.c
sqlite_op_fn sqlite_decide;                                      // sqlite_decide.c
sqlite_op_fn sqlite_finish, sqlite_output;                       // sqlite_finish.c
sqlite_op_fn sqlite_slots, sqlite_marks;
sqlite_op_fn sqlite_control, sqlite_intent_put, sqlite_intent_take, sqlite_intent_note,
    sqlite_intent_own, sqlite_intent_end;
sqlite_op_fn sqlite_audit, sqlite_seal, sqlite_identity; // sqlite_audit.c
sqlite_op_fn sqlite_prune;

// sqlite_audit.c: one row, with the operation's instant.
struct audit_entry {
    const char *event;
    int64_t job_id;  // 0: by name
    const char *job; // NULL = none
    const struct uuid *run_id;
    const struct uuid *node;
    const char *actor;
    const char *detail;
};
void sqlite_audit_add(struct sqlite_store *store, const struct audit_entry *entry);
// A row of seq, at, event, job, run_id, node, actor, detail, without its hashes; texts live until
// the next step.
struct store_audit_row sqlite_audit_column(sqlite3_stmt *row);
// Leaves `out` alone where the value is no hash.
void sqlite_hash_column(sqlite3_stmt *row, int column, uint8_t out[CHAIN_HASH_SIZE]);
// sqlite_control.c: rows as the port gives them; a control's texts live until the next step.
void sqlite_intent_column(sqlite3_stmt *row, struct arena *arena, struct store_intent *out);
struct store_control_row sqlite_control_column(sqlite3_stmt *row);
// sqlite_node.c: the node's number, when it is live; else 0.
int64_t sqlite_live_node(struct sqlite_store *store, const struct uuid *node);
enum store_result sqlite_not_live(struct error *err);
// sqlite_lost.c: each STARTED run of a node that does not live becomes LOST.
struct sqlite_losing {
    const struct uuid *node; // that says so
    struct instant (*retry)(void *context, const struct store_lost *lost, struct instant now);
    void *context;
    struct arena *arena;
    struct store_lost *lost; // out
    size_t count;
};
void sqlite_lose_runs(struct sqlite_store *store, struct sqlite_losing *losing);
// Those of a join, again.
struct store_lost *sqlite_lost_of_join(struct sqlite_store *store, int64_t audit, int64_t lost,
                                       struct arena *arena, size_t *count_out);
// What waits on nodes that do not live becomes this node's, and intents nobody's.
// `except`: a JSON array of job ids.
struct uuid *sqlite_left(struct sqlite_store *store, int64_t node_no, struct arena *arena,
                         size_t *count_out);
void sqlite_take_over(struct sqlite_store *store, int64_t node_no, const char *except);
// Those of one node, or (0) of all.
struct store_retry *sqlite_retries(struct sqlite_store *store, int64_t node_no, struct arena *arena,
                                   size_t *count_out);
int64_t sqlite_active_version(struct sqlite_store *store); // 0 = none
// Controls, intents or the active version changed: what the answers to beats tell.
#define META_CHANGES "changes"
void sqlite_count_change(struct sqlite_store *store);

// ---- sqlite_query.c: one-off queries for reading ------------------------------------------------

#define QUERY_VALUES 8
struct query { // released with AUTO(query_release)
    struct sqlite_store *store;
    struct buf sql;
    struct sql_value values[QUERY_VALUES];
    size_t count;
    const char *joint; // " WHERE ", then " AND "
    sqlite3_stmt *statement;
};
void query_init(struct query *query, struct store *port, const char *sql);
void query_release(struct query *query);
// `condition` is such as "column = ?".
void query_where(struct query *query, const char *condition, struct sql_value value);
void query_span(struct query *query, const char *column, struct instant since,
                struct instant until);
void query_range(struct query *query, const char *column, int64_t from, int64_t before); // 0 = any
void query_limit(struct query *query, size_t limit);                                     // 0 = none
// Goes through the rows; `give` returns false when its reader wants no more.
typedef bool query_give_fn(sqlite3_stmt *row, const void *reader);
bool query_each(struct query *query, query_give_fn *give, const void *reader,
                struct error *err) MUST_USE;
bool sqlite_reading_begins(struct store *, struct error *);
void sqlite_reading_ends(struct store *);

// sqlite_presence.c: remembers which files are open; false when they are no longer found under
// their names.
void presence_note(struct sqlite_store *store);
bool presence_holds(const struct sqlite_store *store, struct error *err) MUST_USE;

// sqlite_store.c
extern const struct store_ops sqlite_ops;
// sqlite_open.c
void sqlite_store_free(struct sqlite_store *store);

// sqlite_read.c, sqlite_read_more.c: the port's reading, each by its own statement.
bool sqlite_read_runs(struct store *, const struct store_run_filter *, store_run_fn *, void *,
                      struct error *);
bool sqlite_read_slots(struct store *, const struct store_slot_filter *, store_slot_fn *, void *,
                       struct error *);
bool sqlite_read_audit(struct store *, const struct store_audit_filter *, store_audit_fn *, void *,
                       struct error *);
bool sqlite_read_force(struct store *, const char *, store_force_fn *, void *, struct error *);
bool sqlite_read_jobs(struct store *, const char *, store_job_fn *, void *, struct error *);
bool sqlite_read_controls(struct store *, bool, store_control_fn *, void *, struct error *);
bool sqlite_read_nodes(struct store *, store_node_fn *, void *, struct error *);
bool sqlite_read_anchor(struct store *, struct store_anchor *, struct error *);
bool sqlite_read_intent(struct store *, struct uuid, struct arena *, struct store_intent *,
                        struct error *);
bool sqlite_read_output(struct store *, struct uuid, int64_t, char *, size_t, size_t *,
                        struct error *);
