// SPDX-License-Identifier: MIT
#include "worker/sqlite_work.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/attributes.h"
#include "statement/lexer.h"
#include "statement/statement.h"
#include "worker/sqlite_fault.h"
#include "worker/sqlite_rows.h"

// So many steps of SQLite's machine take well under a millisecond.
#define STEPS_BETWEEN_LOOKS 1000
#define WAIT_FIRST_MS       1
#define WAIT_LAST_MS        50
#define WAIT_TOLD_MS        1000

static volatile sig_atomic_t stopped;
static sqlite3 *volatile interruptible;

struct work {
    const struct order *order;
    struct report *report;
    int report_fd;
    struct statement statement;
    sqlite3 *db;
    bool in_transaction; // ours
    bool is_own;         // what is prepared is ours: BEGIN, COMMIT
    const char *refused; // what the authorizer said no to
    bool waits;          // for somebody's lock
    int waited_ms;
    size_t offset; // where in the text the present statement begins
    size_t number; // of the present statement, from 1
    struct error *err;
};

void sqlite_work_stop(void)
{
    stopped = 1;
    if (interruptible != NULL) {
        sqlite3_interrupt(interruptible);
    }
}

static void tell(const struct work *work, enum report_stage stage)
{
    struct report report = {.stage = stage};
    report_write(&report, work->report_fd);
}

// ---- waiting, stopping, refusing ----------------------------------------------------------------

static int look_whether_stopped(void *context)
{
    (void)context;
    return stopped;
}

// Until the lock is free, or the run's timeout ends us.
static int wait_for_lock(void *context, int tries)
{
    struct work *work = context;
    int ms = tries < 6 ? WAIT_FIRST_MS << tries : WAIT_LAST_MS;
    struct timespec pause = {.tv_nsec = ms * 1000000L};
    work->waits = true;
    work->waited_ms += ms;
    if (work->waited_ms >= WAIT_TOLD_MS && work->waited_ms - ms < WAIT_TOLD_MS) {
        printf("waiting: another connection holds a lock on %s (see who: fuser -v '%s')\n",
               work->order->path, work->order->path);
        fflush(stdout);
    }
    return stopped == 0 && nanosleep(&pause, NULL) == 0;
}

// A job's transaction is not its statement's to end: what came before would be kept half done.
static int authorize(void *context, int action, const char *first, const char *second,
                     const char *database, const char *trigger)
{
    (void)second;
    (void)database;
    (void)trigger;
    struct work *work = context;
    if (action == SQLITE_TRANSACTION && work->order->transaction && !work->is_own) {
        work->refused = strcmp(first, "BEGIN") == 0      ? "BEGIN"
                        : strcmp(first, "COMMIT") == 0   ? "COMMIT"
                        : strcmp(first, "ROLLBACK") == 0 ? "ROLLBACK"
                                                         : "this";
        return SQLITE_DENY;
    }
    return SQLITE_OK;
}

// ---- what is wrong ------------------------------------------------------------------------------

static void place_of(const struct work *work, int offset_or_negative, char *out, size_t size)
{
    size_t byte = work->offset + (offset_or_negative > 0 ? (size_t)offset_or_negative : 0);
    struct statement_place place = statement_place_of_byte(&work->statement, byte);
    if (offset_or_negative >= 0) {
        snprintf(out, size, "line %zu, column %zu", place.line, place.column);
    } else if (work->statement.is_single) {
        out[0] = '\0';
    } else {
        snprintf(out, size, "statement %zu, at line %zu", work->number, place.line);
    }
}

static bool fail_stopped(const struct work *work)
{
    const struct order *order = work->order;
    const char *kept = order->transaction ? "rolled back" : "what it had done before is kept";
    const char *limit = order->timeout == NULL ? "" : order->timeout;
    if (work->waits) {
        return error_set(work->err, ERROR_STORE,
                         "not done after its timeout of %s: it was waiting for a lock that another "
                         "connection holds on %s (see who: fuser -v '%s'); %s",
                         limit, order->path, order->path, kept);
    }
    return error_set(work->err, ERROR_STORE, "not done after its timeout of %s: interrupted, %s",
                     limit, kept);
}

static bool fail(struct work *work, int code)
{
    char where[64];
    if (stopped != 0) {
        return fail_stopped(work);
    }
    place_of(work, sqlite3_error_offset(work->db), where, sizeof where);
    if (work->refused != NULL) {
        place_of(work, 0, where, sizeof where);
        return error_set(work->err, ERROR_STORE,
                         "%s: %s within a job that runs in a transaction of its own: remove it, or "
                         "set `transaction: false` and write BEGIN and COMMIT yourself",
                         where, work->refused);
    }
    sqlite_fault(work->db, code, work->order->path, where, work->err);
    return false;
}

// ---- opening ------------------------------------------------------------------------------------

static bool is_store(const struct order *order, const struct stat *status)
{
    return order->store.inode != 0 && status->st_dev == order->store.device &&
           status->st_ino == order->store.inode;
}

static bool refuse_store(const struct work *work, const char *path)
{
    return error_set(
        work->err, ERROR_REFUSED,
        "%s is ironcron's own store, which jobs do not write: keep the job's tables in "
        "a file of their own",
        path);
}

static bool check_file(const struct work *work)
{
    const char *path = work->order->path;
    struct stat status;
    if (stat(path, &status) != 0) {
        return error_set(work->err, ERROR_STORE,
                         "the database %s (%s) cannot be found: %s; it is never created, so put "
                         "the file there or correct its url",
                         work->order->database, path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return error_set(work->err, ERROR_STORE, "%s is not a file: correct the url of database %s",
                         path, work->order->database);
    }
    if (status.st_size == 0) {
        printf("note: %s is empty\n", path);
    }
    return !is_store(work->order, &status) || refuse_store(work, path);
}

// Files that were attached by the statement before, whatever they were called there.
static bool check_attached(const struct work *work)
{
    const char *name = NULL;
    for (int i = 0; (name = sqlite3_db_name(work->db, i)) != NULL; i++) {
        const char *path = sqlite3_db_filename(work->db, name);
        struct stat status;
        if (path != NULL && path[0] != '\0' && stat(path, &status) == 0 &&
            is_store(work->order, &status)) {
            return refuse_store(work, path);
        }
    }
    return true;
}

static bool open_database(struct work *work)
{
    // Not created; where it may only be read SQLite opens it for reading.
    int code = sqlite3_open_v2(work->order->path, &work->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        sqlite_fault(work->db, code, work->order->path, "", work->err);
        return false;
    }
    sqlite3_extended_result_codes(work->db, 1);
    sqlite3_busy_handler(work->db, wait_for_lock, work);
    sqlite3_progress_handler(work->db, STEPS_BETWEEN_LOOKS, look_whether_stopped, NULL);
    sqlite3_set_authorizer(work->db, authorize, work);
    sqlite3_db_config(work->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(work->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    interruptible = work->db;
    return true;
}

// ---- executing ----------------------------------------------------------------------------------

static bool execute_own(struct work *work, const char *sql)
{
    work->is_own = true;
    int code = sqlite3_exec(work->db, sql, NULL, NULL, NULL);
    work->is_own = false;
    return code == SQLITE_OK || fail(work, code);
}

static const char *value_of(const struct order *order, const char *name)
{
    if (strcmp(name, "due_at") == 0) {
        return order->due_at;
    }
    if (strcmp(name, "run_id") == 0) {
        return order->run_id;
    }
    const struct job_variable *param = job_params_find(order->params, name);
    return param == NULL ? NULL : param->value;
}

static bool bind(struct work *work, sqlite3_stmt *stmt)
{
    for (int i = 1; i <= sqlite3_bind_parameter_count(stmt); i++) {
        const char *name = sqlite3_bind_parameter_name(stmt, i);
        name = name == NULL ? "?" : name + 1;
        const char *value = value_of(work->order, name);
        int code = SQLITE_OK;
        if (strcmp(name, "fence") == 0) {
            code = sqlite3_bind_int64(stmt, i, work->order->fence);
        } else if (value != NULL) {
            code = sqlite3_bind_text(stmt, i, value, -1, SQLITE_STATIC);
        } else { // the scanner and SQLite do not read this text alike
            return error_set(work->err, ERROR_STORE, "parameter %s of the statement has no value",
                             name);
        }
        if (code != SQLITE_OK) {
            return fail(work, code);
        }
    }
    return true;
}

// What only reads shuts nobody out.
static bool begin(struct work *work, sqlite3_stmt *stmt)
{
    if (!work->order->transaction || work->in_transaction) {
        return true;
    }
    bool reads = work->statement.is_single && sqlite3_stmt_readonly(stmt) != 0;
    if (!execute_own(work, reads ? "BEGIN" : "BEGIN IMMEDIATE")) {
        return false;
    }
    work->in_transaction = true;
    return true;
}

static bool step_all(struct work *work, sqlite3_stmt *stmt)
{
    AUTO(sqlite_rows_release) struct sqlite_rows rows;
    sqlite_rows_init(&rows, work->db, stmt);
    int code = SQLITE_OK;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        work->waits = false;
        sqlite_rows_add(&rows);
    }
    work->waits = work->waits && code != SQLITE_DONE;
    if (code != SQLITE_DONE) {
        return fail(work, code);
    }
    work->report->rows += sqlite_rows_print(&rows, stdout);
    return check_attached(work);
}

static bool execute_prepared(struct work *work, sqlite3_stmt *stmt)
{
    work->number++;
    return bind(work, stmt) && begin(work, stmt) && step_all(work, stmt);
}

// So that places are told from the statement's first word on.
static size_t skip_blank(const struct work *work, size_t offset)
{
    struct lexer lexer = {.text = work->statement.text, .dialect = STATEMENT_SQLITE, .at = offset};
    struct lexeme lexeme = {.kind = LEXEME_BLANK};
    struct error ignored = ERROR_INIT;
    while (lexeme.kind == LEXEME_BLANK && lexer_next(&lexer, &lexeme, &ignored)) {
    }
    return lexeme.start;
}

static bool execute_next(struct work *work, const char **at)
{
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL;
    work->offset = skip_blank(work, (size_t)(*at - work->statement.text));
    const char *from = work->statement.text + work->offset;
    int code = sqlite3_prepare_v2(work->db, from, -1, &stmt, &tail);
    bool ok = code == SQLITE_OK || fail(work, code);
    if (ok && stmt != NULL) {
        ok = execute_prepared(work, stmt);
    }
    sqlite3_finalize(stmt);
    *at = tail;
    return ok;
}

static bool execute_all(struct work *work)
{
    for (const char *at = work->statement.text; *at != '\0';) {
        if (!execute_next(work, &at)) {
            return false;
        }
    }
    return true;
}

// ---- the end ------------------------------------------------------------------------------------

static bool finish(struct work *work)
{
    if (stopped != 0) {
        return fail_stopped(work);
    }
    bool open = sqlite3_get_autocommit(work->db) == 0;
    if (!work->order->transaction) {
        return !open || error_set(work->err, ERROR_STORE,
                                  "it begins a transaction and does not end it: what it did within "
                                  "was rolled back; write COMMIT at its end");
    }
    if (!open) {
        return !work->in_transaction ||
               error_set(work->err, ERROR_STORE, "its transaction was ended by a statement of it");
    }
    tell(work, REPORT_COMMITTING);
    return execute_own(work, "COMMIT");
}

static void roll_back(struct work *work)
{
    if (work->db != NULL && sqlite3_get_autocommit(work->db) == 0) {
        sqlite3_progress_handler(work->db, 0, NULL, NULL); // it would interrupt this as well
        work->is_own = true;
        (void)sqlite3_exec(work->db, "ROLLBACK", NULL, NULL, NULL);
    }
}

static bool parse(struct work *work)
{
    const char *names[JOB_PARAMS_MAX + 1];
    job_params_names(work->order->params, names);
    return statement_parse(work->order->statement, STATEMENT_SQLITE, names, &work->statement,
                           work->err);
}

void sqlite_work_run(const struct order *order, int report_fd, struct report *report_out)
{
    struct error err = ERROR_INIT;
    *report_out = (struct report){.stage = REPORT_DONE};
    struct work work = {.order = order, .report = report_out, .report_fd = report_fd, .err = &err};
    tell(&work, order->transaction ? REPORT_WORKING : REPORT_LOOSE);
    bool done = parse(&work) && check_file(&work) && open_database(&work) && execute_all(&work) &&
                finish(&work);
    if (!done) {
        roll_back(&work);
        report_out->stage = stopped != 0 ? REPORT_STOPPED : REPORT_FAILED;
        snprintf(report_out->error, sizeof report_out->error, "%s", err.text);
    }
    interruptible = NULL;
    sqlite3_close(work.db);
    statement_release(&work.statement);
}
