// SPDX-License-Identifier: MIT
#include "worker/sqlite_fault.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// After what SQLite itself says; the path, where there is %s.
static const char *remedy(int code, const char *message)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another connection holds a lock on %s that this statement cannot wait for: retry "
               "it (`retries`), or keep `transaction: true`";
    case SQLITE_FULL:
        return "no space is left for %s or its journal (df -h), or the database has reached its "
               "max_page_count; everything was rolled back";
    case SQLITE_READONLY:
        return "%s cannot be written: the job's user needs write permission for the file and for "
               "its folder, where the journal is made, and the file system must be writable";
    case SQLITE_CANTOPEN:
        return "SQLite needs to open %s and to make its journal in the same folder: give the job's "
               "user write permission there";
    case SQLITE_PERM:
    case SQLITE_IOERR:
        return "look at the disk of %s and at the kernel's log (dmesg)";
    case SQLITE_CORRUPT:
        return "%s is damaged: look with `PRAGMA integrity_check`, and put back a backup";
    case SQLITE_NOTADB:
        return "%s is not a SQLite database, or is encrypted: correct the url under `databases`";
    case SQLITE_NOMEM:
        return "raise the job's limits.memory, or let the statement do with less; the database is "
               "%s";
    case SQLITE_SCHEMA:
        return "the schema of %s was changed meanwhile: retry it";
    default:
        break;
    }
    if (strstr(message, "a transaction") != NULL) {
        return "set `transaction: false` for this job on %s";
    }
    return NULL;
}

void sqlite_fault(sqlite3 *db, int code, const char *path, const char *where, struct error *err)
{
    const char *message = db == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(db);
    const char *advice = remedy(code, message);
    char sentence[1024] = "";
    if (advice != NULL) {
        const char *gap = strstr(advice, "%s");
        snprintf(sentence, sizeof sentence, ": %.*s%.600s%s", (int)(gap - advice), advice, path,
                 gap + 2);
    }
    error_set(err, ERROR_STORE, "%s%s%s%s", where, where[0] != '\0' ? ": " : "", message, sentence);
}
