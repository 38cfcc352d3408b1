// SPDX-License-Identifier: MIT
// Labels: those of a node, and those that a job demands of one.
#pragma once

#include "config/load.h"

// name NULL ends; NULL = none. Equal ones are one object.
const struct job_variable *labels_build(struct load *load, const struct yaml_tree_node *map);
