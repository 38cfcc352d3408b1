// SPDX-License-Identifier: MIT
// The SQLite databases that jobs work on. Looked at without a lock, a wait, or a file that would
// have to be made; ironcron's own store is recognised by its inode and never opened (its locks
// would be lost with the descriptor).
#include <libgen.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "config/access.h"
#include "config/validate_checks.h"

#define STATEMENTS_MAX 1000 // that are compiled; a reload happens on the loop

struct inspection {
    const struct config *config;
    struct validate_report *report;
    const struct database *database;
    sqlite3 *db;
    size_t statements;
    struct validate_lines lines;
};

static void complain_file(struct inspection *inspection, enum validate_result result,
                          const char *what, const char *remedy)
{
    char detail[2048];
    snprintf(detail, sizeof detail, "%.1024s %s", inspection->database->path, what);
    validate_line(&inspection->lines, result, "database", inspection->database->name, detail,
                  remedy);
}

// ---- the file -----------------------------------------------------------------------------------

static bool is_store(const struct config *config, const struct stat *status)
{
    struct stat store;
    return config->store_path != NULL && stat(config->store_path, &store) == 0 &&
           store.st_dev == status->st_dev && store.st_ino == status->st_ino;
}

static bool inspect_file(struct inspection *inspection)
{
    struct stat status;
    if (stat(inspection->database->path, &status) != 0) {
        complain_file(inspection, VALIDATE_FAILED, "cannot be found",
                      "it is never created by ironcron: put the file there, or correct its url");
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        complain_file(inspection, VALIDATE_FAILED, "is not a file", "correct its url");
        return false;
    }
    if (is_store(inspection->config, &status)) {
        complain_file(inspection, VALIDATE_FAILED,
                      "is ironcron's own store, which jobs do not write",
                      "keep the jobs' tables in a file of their own");
        return false;
    }
    return true;
}

// ---- as the user of each job --------------------------------------------------------------------

static void inspect_rights(struct inspection *inspection, const struct job *job)
{
    struct access_user user;
    struct error err = ERROR_INIT;
    const char *path = inspection->database->path;
    if (!access_user_init(&user, job->command->user, &err)) {
        validate_line(&inspection->lines, VALIDATE_FAILED, "sql", job->name, err.text,
                      "create the user, or change the job's");
        return;
    }
    char *copy = alloc_string(path);
    const char *who = user.name == NULL ? "this user" : user.name;
    char detail[512];
    if (access_data(&user, path, false) != ACCESS_FINE) {
        snprintf(detail, sizeof detail, "%.64s may not read %.400s", who, path);
        validate_line(&inspection->lines, VALIDATE_FAILED, "sql", job->name, detail,
                      "give read permission to the file and way through its folders");
    } else if (access_data(&user, path, true) != ACCESS_FINE ||
               access_data(&user, dirname(copy), true) != ACCESS_FINE) {
        snprintf(detail, sizeof detail, "%.64s may only read %.400s", who, path);
        validate_line(&inspection->lines, VALIDATE_WARNING, "sql", job->name, detail,
                      "to change rows it needs write permission for the file and for its folder");
    }
    free(copy);
    access_user_release(&user);
}

// ---- its statement ------------------------------------------------------------------------------

// The same text with any tables: it never compiles. What misses a table may find it later, when
// another job has made it.
static bool is_wrong_by_itself(const char *message)
{
    return strstr(message, "syntax error") != NULL || strstr(message, "incomplete input") != NULL ||
           strstr(message, "unrecognized token") != NULL;
}

static void inspect_statement(struct inspection *inspection, const struct job *job)
{
    sqlite3_stmt *stmt = NULL;
    if (inspection->db == NULL || ++inspection->statements > STATEMENTS_MAX) {
        return;
    }
    int code = sqlite3_prepare_v2(inspection->db, job->sql->statement, -1, &stmt, NULL);
    sqlite3_finalize(stmt);
    if (code != SQLITE_ERROR) {
        return; // fine; or locked at the moment, which is no mistake
    }
    char detail[1024];
    const char *message = sqlite3_errmsg(inspection->db);
    snprintf(detail, sizeof detail, "its statement does not compile: %.900s", message);
    if (is_wrong_by_itself(message)) {
        validate_line(&inspection->lines, VALIDATE_FAILED, "sql", job->name, detail,
                      "correct the statement; it is SQLite that reads it");
    } else {
        validate_line(&inspection->lines, VALIDATE_WARNING, "sql", job->name, detail,
                      "correct it, unless another job makes what is missing");
    }
}

// ---- the database -------------------------------------------------------------------------------

// Where there is no log to be read with it, the file is read as it lies: SQLite would make one.
static bool has_log(const char *path)
{
    char log[4096];
    struct stat status;
    snprintf(log, sizeof log, "%s-wal", path);
    return stat(log, &status) == 0 && status.st_size > 0;
}

static int open_as_it_lies(const char *path, sqlite3 **db_out)
{
    AUTO(buf_release) struct buf uri;
    buf_init(&uri, 4 * strlen(path) + 64);
    buf_add_string(&uri, "file:");
    for (const char *c = path; *c != '\0'; c++) {
        if (strchr("%?#", *c) != NULL) {
            buf_printf(&uri, "%%%02X", (unsigned)*c);
        } else {
            buf_add_char(&uri, *c);
        }
    }
    buf_add_string(&uri, has_log(path) ? "?mode=ro" : "?immutable=1");
    return sqlite3_open_v2(buf_string(&uri), db_out,
                           SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
}

static void open_database(struct inspection *inspection)
{
    int code = open_as_it_lies(inspection->database->path, &inspection->db);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(inspection->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    }
    if (code == SQLITE_NOTADB) {
        complain_file(inspection, VALIDATE_FAILED, "is not a SQLite database, or is encrypted",
                      "correct its url");
    } else if (code == SQLITE_CORRUPT) {
        complain_file(inspection, VALIDATE_WARNING, "is damaged, or was written at this moment",
                      "look with: sqlite3 FILE 'PRAGMA integrity_check'");
    }
    if (code != SQLITE_OK) {
        sqlite3_close(inspection->db);
        inspection->db = NULL;
    }
}

static size_t inspect_jobs(struct inspection *inspection, bool present)
{
    size_t jobs = 0;
    for (size_t i = 0; i < inspection->config->job_count; i++) {
        const struct job *job = &inspection->config->jobs[i];
        if (job->sql == NULL || strcmp(job->sql->database, inspection->database->name) != 0) {
            continue;
        }
        if (jobs++ == 0 && present) {
            open_database(inspection);
        }
        if (present && jobs <= STATEMENTS_MAX) {
            inspect_rights(inspection, job);
            inspect_statement(inspection, job);
        }
    }
    return jobs;
}

static void inspect_database(struct inspection *inspection)
{
    size_t lines = inspection->lines.count;
    size_t jobs = inspect_jobs(inspection, inspect_file(inspection));
    sqlite3_close(inspection->db);
    inspection->db = NULL;
    if (inspection->lines.count == lines) {
        char name[256];
        snprintf(name, sizeof name, "database %.200s", inspection->database->name);
        validate_ok(inspection->report, name, "%s, SQLite, %zu job%s", inspection->database->path,
                    jobs, jobs == 1 ? "" : "s");
    }
}

void validate_sqlite(const struct config *config, struct validate_report *report)
{
    struct inspection inspection = {
        .config = config, .report = report, .lines = {.report = report}};
    for (size_t i = 0; i < config->database_count; i++) {
        inspection.database = &config->databases[i];
        if (inspection.database->kind == DATABASE_SQLITE && inspection.database->path != NULL) {
            inspect_database(&inspection);
        }
    }
    validate_lines_end(&inspection.lines, "databases");
}
