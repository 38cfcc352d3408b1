// SPDX-License-Identifier: MIT
// Are the files that we have open still the ones that everybody finds under their names? SQLite
// goes on with a file that was removed or replaced, and all that is written then is lost without a
// word.
#include "store/sqlite/sqlite_private.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/alloc.h"

// The file, its log, and the memory through which processes agree about the log.
static const char *const suffixes[STORE_FILES] = {"", "-wal", "-shm"};

static struct sqlite_presence look(const struct sqlite_store *store, size_t i)
{
    AUTO(buf_release) struct buf path;
    buf_init(&path, 8192);
    buf_printf(&path, "%s%s", store->path, suffixes[i]);
    struct stat status;
    return stat(buf_string(&path), &status) == 0
               ? (struct sqlite_presence){.device = status.st_dev, .inode = status.st_ino}
               : (struct sqlite_presence){.device = 0};
}

void presence_note(struct sqlite_store *store)
{
    for (size_t i = 0; i < STORE_FILES; i++) {
        store->presence[i] = look(store, i);
    }
}

bool presence_holds(const struct sqlite_store *store, struct error *err)
{
    for (size_t i = 0; i < STORE_FILES; i++) {
        struct sqlite_presence now = look(store, i);
        if (now.inode != store->presence[i].inode || now.device != store->presence[i].device) {
            return error_set(err, ERROR_STORE,
                             "%s%s was %s while ironcron has it open, and what is written now "
                             "would be lost: put the same file back, or restart ironcron to go on "
                             "with what is there",
                             store->path, suffixes[i], now.inode == 0 ? "removed" : "replaced");
        }
    }
    return true;
}
