// SPDX-License-Identifier: MIT
// "include": patterns relative to the configuration's folder, each in the order of its names.
#pragma once

#include "config/jobs.h"

// Reads every file that matches, once, and adds its jobs. Complains about files that cannot be read
// and about names without wildcards that are not there.
void include_files(struct load *load, const struct conform *conform,
                   const struct yaml_tree_node *patterns);
