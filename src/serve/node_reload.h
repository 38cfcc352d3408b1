// SPDX-License-Identifier: MIT
// How a configuration gets from the one who has read it into the engine, and into the node.
#pragma once

#include "serve/node.h"

// For the engine, with a reference of its own.
struct job_set loaded_set(struct loaded *loaded);
// Between the store's answers and the next turn of the engine, which goes by the new definitions.
void node_look_at_reload(struct node *node);
