// SPDX-License-Identifier: MIT
#include "store/sqlite/sqlite_check.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/sqlite/sqlite_private.h"

// The first column of a pragma's first row.
static bool ask(struct sqlite_store *store, const char *pragma, int64_t *number_out, char *text_out,
                size_t size, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, pragma, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    if (code == SQLITE_ROW) {
        const char *text = column_text(statement, 0);
        *number_out = sqlite3_column_int64(statement, 0);
        snprintf(text_out, size, "%s", text == NULL ? "" : text);
    } else {
        sqlite_explain(sqlite3_extended_errcode(store->db), store->db, store->path,
                       "checking the file", err);
    }
    sqlite3_finalize(statement);
    return code == SQLITE_ROW;
}

bool sqlite_check_run(struct store *port, bool deep, struct sqlite_check *check_out,
                      struct error *err)
{
    struct sqlite_store *store = sqlite_of(port);
    struct sqlite_check check = {.was_deep = deep};
    char text[sizeof check.damage];
    int64_t page = 0;
    int64_t pages = 0;
    int64_t unused = 0;
    int64_t ignored = 0;
    if (!ask(store, "PRAGMA page_size", &page, text, sizeof text, err) ||
        !ask(store, "PRAGMA page_count", &pages, text, sizeof text, err) ||
        !ask(store, "PRAGMA freelist_count", &unused, text, sizeof text, err) ||
        (deep &&
         !ask(store, "PRAGMA quick_check(1)", &ignored, check.damage, sizeof check.damage, err))) {
        return false;
    }
    struct stat wal;
    check.bytes = page * pages;
    check.free_bytes = page * unused;
    check.wal_bytes = stat(store->wal_path, &wal) == 0 ? (int64_t)wal.st_size : 0;
    check.is_sound = strcmp(check.damage, "ok") == 0;
    *check_out = check;
    return true;
}
