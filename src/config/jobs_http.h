// SPDX-License-Identifier: MIT
// The node under "http" of a job to struct job_http.
#pragma once

#include "config/load.h"

// A checked map. Complains about URLs, headers and statuses. What it gives lives in the config's
// arena.
const struct job_http *jobs_http_build(struct load *load, const struct conform *conform,
                                       const struct yaml_tree_node *map);
