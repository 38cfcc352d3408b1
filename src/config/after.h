// SPDX-License-Identifier: MIT
// What jobs run after: names that can be checked only when all jobs are known. Internal to this
// room.
#pragma once

#include "config/load.h"

// Remembers where the job that was added last names others; NULL or broken: nowhere.
void after_note(struct load *load, const struct yaml_tree_node *list);
// Complains about names that are no jobs, and about jobs that would wait for themselves.
void after_check(struct load *load);
