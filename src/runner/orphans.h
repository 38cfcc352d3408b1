// SPDX-License-Identifier: MIT
// What a runner leaves behind that was itself killed: its runs' descendants come to the scheduler,
// which ends them before it says that the runs are over.
#pragma once

#include <stdbool.h>

#include "runner/tree.h"

// Kills all that belongs to the family until nothing is left, some seconds at most (a process
// inside the kernel can't be killed before it comes out). Returns how many are left.
int orphans_kill(const struct tree_family *family);
