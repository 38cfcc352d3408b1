// SPDX-License-Identifier: MIT
// The map under a job's "sql" to struct job_sql.
#pragma once

#include "config/load.h"

// Complains about databases that there are not, and roles where there are none.
const struct job_sql *jobs_build_sql(struct load *load, const struct conform *conform,
                                     const struct yaml_tree_node *map);
// When all of the job is known: what its statement names, on the database's own terms.
void jobs_check_statement(struct load *load, const struct conform *conform,
                          const struct yaml_tree_node *job_map, const struct job *job);
// Whether its database is a SQLite file. False also where there is no such database.
bool jobs_sql_is_sqlite(const struct load *load, const struct job *job);
