// SPDX-License-Identifier: MIT
#include "sqlite_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite/sqlite_store.h"

void sqlite_file_make(struct sqlite_file *file)
{
    // Tests ask whether it is right, not whether the disk is quick.
    const char *root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(file->folder, sizeof file->folder, "%s/ironcron-store-XXXXXX", root);
    assert_non_null(mkdtemp(file->folder));
    snprintf(file->path, sizeof file->path, "%s/store.db", file->folder);
}

void sqlite_file_remove(struct sqlite_file *file)
{
    free(sqlite_file_shell("rm -rf '%s'", file->folder));
}

struct store *sqlite_file_open(const struct sqlite_file *file, struct clock *clock)
{
    struct store *store = NULL;
    struct error err = ERROR_INIT;
    if (!sqlite_store_open(file->path, SQLITE_STORE_WRITE, clock, &store, &err)) {
        fail_msg("the store does not open: %s", err.text);
    }
    return store;
}

char *sqlite_file_shell(const char *format, ...)
{
    char *command = NULL;
    va_list args;
    va_start(args, format);
    assert_true(vasprintf(&command, format, args) > 0);
    va_end(args);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    char *text = calloc(1, 1 << 20);
    size_t length = fread(text, 1, (1 << 20) - 1, pipe);
    text[length] = '\0';
    int status = pclose(pipe);
    if (status != 0) {
        fail_msg("%s: status %d, printed: %s", command, status, text);
    }
    free(command);
    return text;
}

static struct store *open_store(struct clock *clock, void **context)
{
    struct sqlite_file *file = calloc(1, sizeof *file);
    assert_non_null(file);
    sqlite_file_make(file);
    *context = file;
    return sqlite_file_open(file, clock);
}

static void close_store(struct store *store, void *context)
{
    store_close(store);
    sqlite_file_remove(context);
    free(context);
}

const struct contract_backend sqlite_backend = {
    .name = "sqlite", .open = open_store, .close = close_store};
