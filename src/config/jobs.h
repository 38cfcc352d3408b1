// SPDX-License-Identifier: MIT
// Nodes under "jobs" to struct job.
#pragma once

#include "config/load.h"

struct jobs_defaults;
// What the schema and the main file's "defaults" say; `main_root` may be NULL.
struct jobs_defaults *jobs_defaults_new(struct load *load, const struct conform *conform,
                                        const struct yaml_tree_node *main_root);
void jobs_defaults_free(struct jobs_defaults *defaults); // NULL is fine
// Adds the jobs of one checked file (`list` may be NULL). Complains about schedules, zones, kinds
// and names that are taken.
void jobs_build(struct load *load, const struct conform *conform,
                const struct yaml_tree_node *list);
