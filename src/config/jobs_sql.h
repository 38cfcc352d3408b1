// SPDX-License-Identifier: MIT
// The map under a job's "sql" to struct job_sql.
#pragma once

#include "config/load.h"

// Complains about databases that there are not, and roles where there are none.
const struct job_sql *jobs_build_sql(struct load *load, const struct conform *conform,
                                     const struct yaml_tree_node *map);
