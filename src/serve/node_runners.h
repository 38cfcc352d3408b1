// SPDX-License-Identifier: MIT
// The runners of a node, one for each kind of job, behind its router. The runner process itself is
// the node's: it may die and be replaced.
#pragma once

#include "serve/node.h"

// The routes to the runner process, before there is a loop. What is behind them may be replaced.
void node_runners_init(struct node *node);
// Those that live on the loop. `on_told`: called with the node after they have told something.
void node_runners_open(struct node *node, void (*on_told)(void *context));
// What dead nodes may have left at work, as far as that is this one's to end.
void node_runners_end_left(struct node *node);
// The node's configuration is another one now.
void node_runners_reload(struct node *node);
// Those that must let go of the loop before it ends.
void node_runners_close(struct node *node);
