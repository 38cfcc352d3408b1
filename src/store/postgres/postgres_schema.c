// SPDX-License-Identifier: MIT
// The versions of the schema.
#include "store/postgres/postgres_schema.h"

#include "base/attributes.h"
#include "store/postgres/postgres_schema_text.h"

static const char *const texts_1[] = {schema_1_sql,
                                      functions_nodes_1_sql,
                                      functions_locks_1_sql,
                                      functions_slots_1_sql,
                                      functions_strangers_1_sql,
                                      functions_audit_1_sql,
                                      functions_days_1_sql,
                                      views_1_sql,
                                      NULL};
static const struct postgres_migration migrations[] = {{1, 1, texts_1}};

int postgres_store_version(void)
{
    return migrations[ARRAY_LENGTH(migrations) - 1].version;
}

bool postgres_store_migrate(const char *url, int *from_out, struct error *err)
{
    return postgres_migrate_by(url, migrations, ARRAY_LENGTH(migrations), from_out, err);
}
