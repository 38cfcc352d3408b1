// SPDX-License-Identifier: MIT
// The conformance suite against the SQLite store.
#include "../../contract/contract.h"

#include <stdlib.h>

#include "sqlite_file.h"

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

int main(void)
{
    static const struct contract_backend backend = {"sqlite", open_store, close_store};
    return contract_run(&backend);
}
