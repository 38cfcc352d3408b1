// SPDX-License-Identifier: MIT
// Tables, triggers and the public views. Readable by any SQLite client of the last ten years:
// nothing newer than partial indexes and tables without rowid.
#include "store/sqlite/sqlite_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define VIEW_TEXT_MAX 16384

// Slots are ordered by due time first: what is due together lies together, so that a thousand slots
// of a thousand jobs dirty a few pages instead of a thousand. A run's key is its fence for the same
// reason.
static const char version_1[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE node (node_no INTEGER PRIMARY KEY, node BLOB NOT NULL UNIQUE, host TEXT NOT NULL,"
    " version TEXT NOT NULL, started_at INTEGER NOT NULL, last_seen INTEGER NOT NULL,"
    " state TEXT NOT NULL, running INTEGER NOT NULL, join_audit INTEGER, join_lost INTEGER);"
    "CREATE TABLE job (job_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " high_water INTEGER NOT NULL, last_success INTEGER, last_run INTEGER,"
    " throttle INTEGER NOT NULL);"
    "CREATE TABLE in_force (job_id INTEGER NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER,"
    " spec TEXT NOT NULL, PRIMARY KEY (job_id, from_ms)) WITHOUT ROWID;"
    "CREATE TABLE slot (due_at INTEGER NOT NULL, job_id INTEGER NOT NULL, outcome INTEGER NOT NULL,"
    " reason INTEGER NOT NULL, run INTEGER, attempt INTEGER NOT NULL, retry_at INTEGER,"
    " node_no INTEGER NOT NULL, PRIMARY KEY (due_at, job_id)) WITHOUT ROWID;"
    "CREATE INDEX slot_retry ON slot (retry_at) WHERE retry_at IS NOT NULL;"
    "CREATE TABLE run (fence INTEGER PRIMARY KEY, run_id BLOB NOT NULL UNIQUE, job_id INTEGER NOT "
    "NULL,"
    " due_at INTEGER NOT NULL, attempt INTEGER NOT NULL, trigger INTEGER NOT NULL,"
    " state INTEGER NOT NULL, node_no INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at "
    "INTEGER,"
    " duration INTEGER, exit_code INTEGER, failure INTEGER NOT NULL DEFAULT 0, error TEXT);"
    "CREATE INDEX run_started ON run (job_id) WHERE state = 0;"
    "CREATE TABLE output (id INTEGER PRIMARY KEY, run INTEGER NOT NULL, offset INTEGER NOT NULL,"
    " bytes BLOB NOT NULL, UNIQUE (run, offset));"
    "CREATE TABLE control (id INTEGER PRIMARY KEY, job TEXT, kind INTEGER NOT NULL,"
    " value INTEGER NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER, actor TEXT, acts_as TEXT,"
    " reason TEXT);"
    "CREATE INDEX control_now ON control (kind) WHERE to_ms IS NULL;"
    "CREATE TABLE intent (id INTEGER PRIMARY KEY, intent_id BLOB NOT NULL UNIQUE, kind INTEGER NOT "
    "NULL,"
    " job TEXT, run_id BLOB, params TEXT, dry_run INTEGER NOT NULL, actor TEXT, acts_as TEXT, "
    "reason TEXT,"
    " created_at INTEGER NOT NULL, state INTEGER NOT NULL, answer TEXT);"
    "CREATE INDEX intent_pending ON intent (id) WHERE state = 0;"
    "CREATE TABLE audit (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, event TEXT NOT NULL,"
    " job_id INTEGER, job TEXT, run_id BLOB, node BLOB, actor TEXT, detail TEXT);"
    "CREATE TABLE audit_seal (seq INTEGER PRIMARY KEY, hash BLOB NOT NULL);"
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN"
    " SELECT RAISE(ABORT, 'audit rows are never changed'); END;"
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
    " WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'pruning') BEGIN"
    " SELECT RAISE(ABORT, 'audit rows are never deleted'); END;"
    "CREATE TRIGGER seal_no_update BEFORE UPDATE ON audit_seal BEGIN"
    " SELECT RAISE(ABORT, 'audit seals are never changed'); END;"
    "CREATE TRIGGER seal_no_delete BEFORE DELETE ON audit_seal"
    " WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'pruning') BEGIN"
    " SELECT RAISE(ABORT, 'audit seals are never deleted'); END;";

// What a fleet asks for. Alone, a node has no lease.
static const char version_2[] =
    "ALTER TABLE node ADD COLUMN dry_run INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE node ADD COLUMN max_running INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE node ADD COLUMN labels TEXT;"
    "ALTER TABLE node ADD COLUMN draining INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE node ADD COLUMN is_full INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE node ADD COLUMN definitions INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE node ADD COLUMN refused TEXT;"
    "ALTER TABLE node ADD COLUMN left_to INTEGER;"
    "ALTER TABLE node ADD COLUMN draining_since INTEGER;"
    "ALTER TABLE node ADD COLUMN draining_by TEXT;"
    "ALTER TABLE node ADD COLUMN draining_as TEXT;"
    "ALTER TABLE node ADD COLUMN draining_reason TEXT;"
    "ALTER TABLE intent ADD COLUMN node BLOB;"
    "CREATE TABLE definitions (version INTEGER PRIMARY KEY, hash TEXT NOT NULL,"
    " text TEXT NOT NULL, actor TEXT, published_at INTEGER NOT NULL);"
    "CREATE INDEX definitions_by_hash ON definitions (hash, version);";

static const char *const migrations[SCHEMA_VERSION] = {version_1, version_2};

// ---- views --------------------------------------------------------------------------------------

#define UUID_OF(column)                                                                            \
    "CASE WHEN " column " IS NOT NULL THEN lower(substr(hex(" column                               \
    "),1,8)||'-'||substr(hex(" column "),9,4)||'-'||substr(hex(" column                            \
    "),13,4)||'-'||substr(hex(" column "),17,4)||'-'||substr(hex(" column "),21)) END"
#define TIME_OF(column) "strftime('%Y-%m-%dT%H:%M:%fZ', " column " / 1000.0, 'unixepoch')"

typedef const char *name_fn(int code);
static const char *state_name(int code)
{
    return run_state_name((enum run_state)code);
}
static const char *trigger_name(int code)
{
    return run_trigger_name((enum run_trigger)code);
}
static const char *outcome_name(int code)
{
    return slot_outcome_name((enum slot_outcome)code);
}
static const char *reason_name(int code)
{
    const char *name = slot_reason_name((enum slot_reason)code);
    return name[0] == '\0' ? NULL : name;
}

// Codes as words; what has no word is NULL.
static void add_names(struct buf *sql, const char *column, name_fn *name, int count)
{
    buf_printf(sql, "CASE %s", column);
    for (int code = 0; code < count; code++) {
        if (name(code) != NULL) {
            buf_printf(sql, " WHEN %d THEN '%s'", code, name(code));
        }
    }
    buf_add_string(sql, " END");
}

static void add_runs(struct buf *sql)
{
    buf_add_string(
        sql, "CREATE VIEW job_runs (run_id, job, due_at, attempt, trigger, state, node, fence,"
             " started_at, ended_at, duration_ms, exit_code, error) AS SELECT " UUID_OF(
                 "r.run_id") ", j.name, " TIME_OF("r.due_at") ", r.attempt, ");
    add_names(sql, "r.trigger", trigger_name, TRIGGER_COUNT);
    buf_add_string(sql, ", ");
    add_names(sql, "r.state", state_name, RUN_STATE_COUNT);
    buf_add_string(sql, ", " UUID_OF("n.node") ", r.fence, " TIME_OF("r.started_at") ", " TIME_OF(
                            "r.ended_at") ", r.duration, r.exit_code, r.error FROM run r"
                                          " LEFT JOIN job j ON j.job_id = r.job_id"
                                          " LEFT JOIN node n ON n.node_no = r.node_no");
}

static void add_slots(struct buf *sql)
{
    buf_add_string(
        sql, "CREATE VIEW slots (job, due_at, outcome, run_id, reason) AS SELECT j.name, " TIME_OF(
                 "s.due_at") ", ");
    add_names(sql, "s.outcome", outcome_name, SLOT_OUTCOME_COUNT);
    buf_add_string(sql, ", " UUID_OF("r.run_id") ", ");
    add_names(sql, "s.reason", reason_name, SLOT_REASON_COUNT);
    buf_add_string(sql, " FROM slot s LEFT JOIN job j ON j.job_id = s.job_id"
                        " LEFT JOIN run r ON r.fence = s.run");
}

static void add_audit(struct buf *sql)
{
    buf_add_string(
        sql, "CREATE VIEW audit_log (seq, at, event, job, run_id, node, actor, detail, prev_hash, "
             "hash) AS"
             " SELECT s.seq, " TIME_OF("a.at") ", a.event, coalesce(j.name, a.job), " UUID_OF(
                 "a.run_id") ", " UUID_OF("a.node") ", a.actor, a.detail,"
                                                    " CASE WHEN s.seq IS NOT NULL THEN "
                                                    "lower(hex(coalesce(p.hash,"
                                                    " (SELECT value FROM meta WHERE key = "
                                                    "'anchor_hash'), zeroblob(32)))) END,"
                                                    " lower(hex(s.hash)) FROM audit a LEFT JOIN "
                                                    "job j ON j.job_id = a.job_id"
                                                    " LEFT JOIN audit_seal s ON s.seq = a.id LEFT "
                                                    "JOIN audit_seal p ON p.seq = a.id - 1");
}

static void add_nodes(struct buf *sql)
{
    buf_add_string(
        sql, "CREATE VIEW nodes (node, host, version, started_at, last_seen, state, running,"
             " draining_since, draining_by, draining_reason, definitions, refused) AS"
             " SELECT " UUID_OF("node") ", host, version, " TIME_OF("started_at") ", " TIME_OF(
                 "last_seen") ", state, running, " TIME_OF("draining_since") ", draining_by,"
                                                                             " draining_reason, "
                                                                             "definitions, refused "
                                                                             "FROM node");
}

// Nothing raises alerts yet; their names are there, so that what reads them need not ask first.
static void add_alerts(struct buf *sql)
{
    buf_add_string(sql,
                   "CREATE VIEW alerts (alert_id, rule, severity, job, state, started_at, ended_at,"
                   " count, verdict) AS SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
                   " WHERE 0");
}

static void add_notifications(struct buf *sql)
{
    buf_add_string(sql,
                   "CREATE VIEW notifications (notification_id, alert_id, receiver, state, reason,"
                   " attempts, created_at, sent_at) AS SELECT NULL, NULL, NULL, NULL, NULL, NULL,"
                   " NULL, NULL WHERE 0");
}

static const struct view {
    const char *name;
    void (*add)(struct buf *sql);
} views[] = {
    {"job_runs", add_runs}, {"slots", add_slots},   {"audit_log", add_audit},
    {"nodes", add_nodes},   {"alerts", add_alerts}, {"notifications", add_notifications},
};

// ---- checks and migration -----------------------------------------------------------------------

static bool run_sql(struct sqlite_store *store, const char *sql, struct error *err)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        sqlite_explain(sqlite3_extended_errcode(store->db), store->db, store->path,
                       "preparing the tables", err);
    }
    return code == SQLITE_OK;
}

// First column of the first row; false with err when the query fails.
static bool query_text(struct sqlite_store *store, const char *sql, const char *parameter,
                       struct buf *out, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK && parameter != NULL) {
        code = sqlite3_bind_text(statement, 1, parameter, -1, SQLITE_STATIC);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    buf_clear(out);
    if (code == SQLITE_ROW && column_text(statement, 0) != NULL) {
        buf_add_string(out, column_text(statement, 0));
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        sqlite_explain(sqlite3_extended_errcode(store->db), store->db, store->path,
                       "reading the tables", err);
    }
    sqlite3_finalize(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

static bool query_integer(struct sqlite_store *store, const char *sql, int64_t *out,
                          struct error *err)
{
    AUTO(buf_release) struct buf text;
    buf_init(&text, 64);
    if (!query_text(store, sql, NULL, &text, err)) {
        return false;
    }
    *out = strtoll(buf_string(&text), NULL, 10);
    return true;
}

static bool is_too_old(const struct sqlite_store *store, int64_t version)
{
    return store->mode == SQLITE_STORE_READ_ONLY && version > 0 && version < SCHEMA_VERSION;
}

bool sqlite_schema_check(struct sqlite_store *store, bool *empty_out, struct error *err)
{
    int64_t application = 0;
    int64_t version = 0;
    int64_t tables_found = 0;
    if (!query_integer(store, "PRAGMA application_id", &application, err) ||
        !query_integer(store, "PRAGMA user_version", &version, err) ||
        !query_integer(store, "SELECT count(*) FROM sqlite_master", &tables_found, err)) {
        return false;
    }
    *empty_out = application == 0 && version == 0 && tables_found == 0;
    if (!*empty_out && application != SCHEMA_APPLICATION_ID) {
        return error_set(err, ERROR_ENVIRONMENT,
                         "%s is a SQLite database of another program: check `store:` in the "
                         "configuration",
                         store->path);
    }
    if (is_too_old(store, version)) {
        return error_set(
            err, ERROR_VERSION,
            "the store %s has version %lld, this ironcron (%s) reads version %d: start "
            "`ironcron serve`, which brings it up to date",
            store->path, (long long)version, IRONCRON_VERSION, SCHEMA_VERSION);
    }
    if (version > SCHEMA_VERSION) {
        return error_set(
            err, ERROR_VERSION,
            "the store %s has version %lld, this ironcron (%s) knows version %d at most: "
            "use the newer ironcron that wrote it",
            store->path, (long long)version, IRONCRON_VERSION, SCHEMA_VERSION);
    }
    return true;
}

// Views carry the words of this program's enumerations: they are made anew when they differ.
static bool refresh_views(struct sqlite_store *store, struct error *err)
{
    AUTO(buf_release) struct buf want;
    AUTO(buf_release) struct buf have;
    buf_init(&want, VIEW_TEXT_MAX);
    buf_init(&have, VIEW_TEXT_MAX);
    for (size_t i = 0; i < ARRAY_LENGTH(views); i++) {
        buf_clear(&want);
        views[i].add(&want);
        if (!query_text(store, "SELECT sql FROM sqlite_master WHERE type = 'view' AND name = ?1",
                        views[i].name, &have, err)) {
            return false;
        }
        if (strcmp(buf_string(&want), buf_string(&have)) == 0) {
            continue;
        }
        buf_clear(&have);
        buf_printf(&have, "DROP VIEW IF EXISTS %s", views[i].name);
        if (!run_sql(store, buf_string(&have), err) || !run_sql(store, buf_string(&want), err)) {
            return false;
        }
    }
    return true;
}

static bool bring_up_to_date(struct sqlite_store *store, struct error *err)
{
    AUTO(buf_release) struct buf sql;
    buf_init(&sql, 256);
    int64_t version = 0;
    if (!query_integer(store, "PRAGMA user_version", &version, err)) {
        return false;
    }
    if (version == SCHEMA_VERSION) {
        return true;
    }
    for (; version < SCHEMA_VERSION; version++) {
        if (!run_sql(store, migrations[version], err)) {
            return false;
        }
    }
    buf_printf(&sql, "PRAGMA application_id = %d; PRAGMA user_version = %d", SCHEMA_APPLICATION_ID,
               SCHEMA_VERSION);
    return run_sql(store, buf_string(&sql), err);
}

static bool migrate_inside(struct sqlite_store *store, struct error *err)
{
    bool empty; // looked at again under the lock: another process may have been quicker
    return sqlite_schema_check(store, &empty, err) && bring_up_to_date(store, err) &&
           refresh_views(store, err) && run_sql(store, "COMMIT", err);
}

bool sqlite_schema_migrate(struct sqlite_store *store, struct error *err)
{
    if (!run_sql(store, "BEGIN IMMEDIATE", err)) {
        return false;
    }
    if (migrate_inside(store, err)) {
        return true;
    }
    (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}
