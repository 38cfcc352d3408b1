// SPDX-License-Identifier: MIT
// SQLite's result codes as sentences with a remedy.
#include "store/sqlite/sqlite_private.h"

#include <errno.h>
#include <string.h>

static void explain_io(int code, sqlite3 *db, const char *path, const char *doing,
                       struct error *err)
{
    int system = db == NULL ? 0 : sqlite3_system_errno(db);
    error_set(
        err, ERROR_STORE,
        "the store %s could not be read or written (%s, code %d, while: %s): look at the disk "
        "and its kernel log (dmesg), and have enough space",
        path, system == 0 ? sqlite3_errstr(code) : strerror(system), code, doing);
}

void sqlite_explain(int code, sqlite3 *db, const char *path, const char *doing, struct error *err)
{
    const char *message = db == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(db);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        error_set(
            err, ERROR_UNAVAILABLE,
            "the store %s is being written by another process that does not finish: try again, "
            "and see who has it open with: fuser -v '%s'",
            path, path);
        return;
    case SQLITE_FULL:
        error_set(
            err, ERROR_STORE,
            "no space is left for the store %s: free disk space on its file system (df -h '%s'); "
            "nothing was lost, and it goes on by itself",
            path, path);
        return;
    case SQLITE_IOERR:
        explain_io(code, db, path, doing, err);
        return;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        error_set(
            err, ERROR_STORE,
            "the store %s may not be written (%s): give this user write permission to the file "
            "and its folder, or mount the file system writable",
            path, message);
        return;
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
        error_set(
            err, ERROR_UNAVAILABLE,
            "the store %s cannot be opened (%s): check that the path is right and that this user "
            "may use the file and its folder",
            path, message);
        return;
    case SQLITE_CORRUPT:
        error_set(
            err, ERROR_STORE,
            "the store %s is damaged (%s): stop ironcron, keep a copy, then put back a backup or "
            "rescue the rows with: sqlite3 '%s' .recover | sqlite3 NEW",
            path, message, path);
        return;
    case SQLITE_NOTADB:
        // Not temporary: no waiting makes it one.
        error_set(
            err, ERROR_ENVIRONMENT,
            "%s is not a SQLite database: check `store:` in the configuration, or, where it was "
            "one, put back a backup; moved away, it makes room for a new store",
            path);
        return;
    default:
        error_set(err, ERROR_STORE,
                  "the store %s answered with \"%s\" (code %d, while: %s); "
                  "https://sqlite.org/rescode.html explains the code",
                  path, message, code, doing);
    }
}

void sqlite_fail(struct sqlite_store *store, int code, const char *doing)
{
    if (store->failed == SQLITE_OK) {
        store->failed = code;
        sqlite_explain(code, store->db, store->path, doing, &store->err);
    }
}
