// SPDX-License-Identifier: MIT
// A job in the making: each key that it sets replaces one value. What is equal among jobs is
// shared.
#pragma once

#include "config/load.h"

struct job_draft {
    struct load *load;
    const struct conform *conform;
    struct job job;
    struct job_command command;
    struct job_retries retries;
    const struct yaml_tree_node *schedule;
    const struct yaml_tree_node *timezone; // its own; NULL = the one at the top
    const struct yaml_tree_node *params;
    const char *name;
};

// As the schema says it, before any file.
void job_draft_begin(struct job_draft *draft, struct load *load, const struct conform *conform);
// The keys of one checked map.
void job_draft_apply(struct job_draft *draft, const struct yaml_tree_node *map);
