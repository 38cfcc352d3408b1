// SPDX-License-Identifier: MIT
#include "serve/open_store.h"

#include <stdio.h>

#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"

bool open_store(const struct config *config, enum open_store_how how, const char *command,
                struct clock *clock, struct store **store_out, struct error *err)
{
    if (config->store_url == NULL) {
        return sqlite_store_open(config->store_path,
                                 how == OPEN_STORE_WRITE ? SQLITE_STORE_WRITE
                                                         : SQLITE_STORE_READ_ONLY,
                                 clock, store_out, err);
    }
    char name[64]; // PostgreSQL keeps 63 bytes of it
    snprintf(name, sizeof name, "ironcron/%s", command);
    struct postgres_store_options options = {.url = config->store_url,
                                             .application_name = name,
                                             .only_reads = how == OPEN_STORE_READ,
                                             .only_tries = how == OPEN_STORE_TRY,
                                             .clock = clock};
    return postgres_store_open(&options, store_out, err);
}
