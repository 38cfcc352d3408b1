// SPDX-License-Identifier: MIT
#include "job/database.h"

#include <string.h>

const struct database *database_find(const struct database *databases, size_t count,
                                     const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(databases[i].name, name) == 0) {
            return &databases[i];
        }
    }
    return NULL;
}
